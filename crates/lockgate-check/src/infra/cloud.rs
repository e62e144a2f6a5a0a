//! What resources of clouds are: open, encrypted, audited, and whom they let do what.

mod parts;
mod policies;

pub use parts::unlogged;
use parts::{containers, parameters};
use policies::document;
pub use policies::policy;

use crate::{
    collect::Collector,
    facts,
    source::Place,
    value::{Kind, Val, literals},
};

/// A value of a resource by its path; the first item of lists on the way.
pub fn at(val: &Val, path: &str) -> Option<Val> {
    let mut current: Val = val.clone();
    for key in path.split('.') {
        while let Kind::List(items) = &current.kind {
            let first = items.borrow().first().cloned();
            current = first?;
        }
        let next = match &current.kind {
            Kind::Dict(dict) => dict.borrow().get(key).cloned(),
            _ => None,
        };
        current = next?;
    }
    Some(current)
}

/// All values of a path; of lists on the way every item counts.
pub fn each_at(val: &Val, path: &str) -> Vec<Val> {
    let mut current = vec![val.clone()];
    for key in path.split('.') {
        let mut next = Vec::new();
        for val in &current {
            let inner = match &val.kind {
                Kind::List(items) => items.borrow().clone(),
                _ => vec![val.clone()],
            };
            next.extend(inner.iter().filter_map(|val| match &val.kind {
                Kind::Dict(dict) => dict.borrow().get(key).cloned(),
                _ => None,
            }));
        }
        next.truncate(256);
        current = next;
    }
    current
}

pub fn is(val: Option<&Val>, truth: bool) -> bool {
    val.is_some_and(|v| {
        v.options().iter().any(|v| match &v.kind {
            Kind::Bool(b) => *b == truth,
            Kind::Str(_) => v.as_str().is_some_and(|t| t.eq_ignore_ascii_case(if truth { "true" } else { "false" })),
            _ => false,
        })
    })
}

fn texts(val: &Val, out: &mut Vec<String>, depth: usize) {
    if depth > 6 {
        return;
    }
    match &val.kind {
        Kind::Str(text) => out.push(text.flat().to_string()),
        Kind::Choice(options) => options.iter().for_each(|v| texts(v, out, depth + 1)),
        Kind::List(items) => items.borrow().iter().for_each(|v| texts(v, out, depth + 1)),
        Kind::Tuple(items) => items.iter().for_each(|v| texts(v, out, depth + 1)),
        Kind::Dict(dict) => dict.borrow().entries.iter().for_each(|(_, v)| texts(v, out, depth + 1)),
        _ => {}
    }
}

pub fn all_texts(val: Option<&Val>) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(val) = val {
        texts(val, &mut out, 0);
    }
    out
}

/// Where a setting stands.
pub fn place_of(val: Option<&Val>, other: Place) -> Place {
    fn of(val: &Val, file: u32, depth: usize) -> Option<Place> {
        let own = literals(&val.trace).into_iter().find(|p| p.file == file);
        own.or_else(|| match &val.kind {
            _ if depth > 4 => None,
            Kind::Choice(options) => options.iter().find_map(|v| of(v, file, depth + 1)),
            Kind::List(items) => items.borrow().iter().find_map(|v| of(v, file, depth + 1)),
            Kind::Dict(dict) => dict.borrow().entries.iter().find_map(|(_, v)| of(v, file, depth + 1)),
            _ => None,
        })
    }
    val.and_then(|v| of(v, other.file, 0)).unwrap_or(other)
}

pub struct Resource<'r> {
    pub address: &'r str,
    pub provider: &'static str,
    pub place: Place,
}

pub fn bucket(
    collector: &mut Collector<'_>,
    resource: &Resource<'_>,
    change: impl FnOnce(&mut facts::Bucket),
    because: &str,
) {
    let mut fact = facts::Bucket {
        provider: resource.provider.to_owned(),
        name: String::new(),
        address: resource.address.to_owned(),
        public: facts::Switch::Unset,
        encrypted: facts::Switch::Unset,
        encrypted_transport: facts::Switch::Unset,
        logging: facts::Switch::Unset,
        because: vec![because.to_owned()],
    };
    change(&mut fact);
    let raw = collector.raw(resource.place, &None, fact);
    collector.found.buckets.push(raw);
}

pub fn permission(collector: &mut Collector<'_>, address: &str, kind: &str, broad: &[&str], place: Place) {
    let fact = facts::Permission {
        name: address.to_owned(),
        kind: kind.to_owned(),
        actions: Vec::new(),
        resources: Vec::new(),
        subjects: Vec::new(),
        broad: broad.iter().map(|b| (*b).to_owned()).collect(),
    };
    let raw = collector.raw(place, &None, fact);
    collector.found.permissions.push(raw);
}

pub fn audit(collector: &mut Collector<'_>, component: &str, setting: &str, place: Place) {
    let fact = facts::Audit { component: component.to_owned(), setting: setting.to_owned(), enabled: false };
    let raw = collector.raw(place, &None, fact);
    collector.found.audit.push(raw);
}

/// Settings that say whether what a resource keeps is encrypted: resource and attribute.
const ENCRYPTED: [(&str, &str); 24] = [
    ("aws_ebs_volume", "encrypted"),
    ("aws_db_instance", "storage_encrypted"),
    ("aws_rds_cluster", "storage_encrypted"),
    ("aws_docdb_cluster", "storage_encrypted"),
    ("aws_neptune_cluster", "storage_encrypted"),
    ("aws_efs_file_system", "encrypted"),
    ("aws_redshift_cluster", "encrypted"),
    ("aws_elasticache_replication_group", "at_rest_encryption_enabled"),
    ("aws_opensearch_domain", "encrypt_at_rest.enabled"),
    ("aws_elasticsearch_domain", "encrypt_at_rest.enabled"),
    ("aws_dax_cluster", "server_side_encryption.enabled"),
    ("aws_instance", "root_block_device.encrypted"),
    ("aws_instance", "ebs_block_device.encrypted"),
    ("aws_launch_template", "block_device_mappings.ebs.encrypted"),
    ("aws_ami_copy", "encrypted"),
    ("azurerm_managed_disk", "encryption_settings.enabled"),
    ("azurerm_data_lake_store", "encryption_state"),
    ("azurerm_mysql_server", "infrastructure_encryption_enabled"),
    ("azurerm_postgresql_server", "infrastructure_encryption_enabled"),
    ("azurerm_storage_account", "infrastructure_encryption_enabled"),
    ("aws_dynamodb_table", "server_side_encryption.enabled"),
    ("aws_fsx_lustre_file_system", "encrypted"),
    ("aws_sagemaker_endpoint_configuration", "encrypted"),
    ("aws_workspaces_workspace", "root_volume_encryption_enabled"),
];
/// What is kept unencrypted where nothing is said; a copy is as what it was copied from.
const UNENCRYPTED_UNLESS_SET: [(&str, &str); 2] =
    [("aws_efs_file_system", "encrypted"), ("aws_ebs_volume", "encrypted")];
/// Settings that say whether requests must be encrypted.
const TRANSPORT: [(&str, &str); 10] = [
    ("azurerm_storage_account", "https_traffic_only_enabled"),
    ("azurerm_storage_account", "enable_https_traffic_only"),
    ("azurerm_mysql_server", "ssl_enforcement_enabled"),
    ("azurerm_postgresql_server", "ssl_enforcement_enabled"),
    ("azurerm_redis_cache", "non_ssl_port_disabled"),
    ("aws_elasticache_replication_group", "transit_encryption_enabled"),
    ("aws_opensearch_domain", "domain_endpoint_options.enforce_https"),
    ("aws_elasticsearch_domain", "domain_endpoint_options.enforce_https"),
    ("google_sql_database_instance", "settings.ip_configuration.require_ssl"),
    ("aws_dms_endpoint", "ssl_required"),
];

/// A resource of Terraform.
pub fn terraform(collector: &mut Collector<'_>, kind: &str, address: &str, val: &Val, place: Place, is_data: bool) {
    let get = |path: &str| at(val, path);
    let provider = crate::storage::provider_of(kind).unwrap_or("any");
    let resource = |setting: Option<&Val>| Resource { address, provider, place: place_of(setting, place) };
    if let Some((_, path)) = UNENCRYPTED_UNLESS_SET.iter().find(|(known, _)| *known == kind)
        && get(path).is_none()
        && get("snapshot_id").is_none()
        && !is_data
    {
        bucket(collector, &resource(None), |b| b.encrypted = facts::Switch::No, &format!("{path} is not set"));
    }
    for (known, path) in ENCRYPTED {
        let settings = if known == kind { each_at(val, path) } else { Vec::new() };
        let setting = settings.into_iter().find(|s| is(Some(s), false) || s.as_str() == Some("Disabled"));
        if setting.is_some() {
            bucket(
                collector,
                &resource(setting.as_ref()),
                |b| b.encrypted = facts::Switch::No,
                &format!("{path} is false"),
            );
        }
    }
    for (known, path) in TRANSPORT {
        let setting = get(path).filter(|_| known == kind);
        if is(setting.as_ref(), false) {
            bucket(
                collector,
                &resource(setting.as_ref()),
                |b| b.encrypted_transport = facts::Switch::No,
                &format!("{path} is false"),
            );
        }
    }
    let open = |collector: &mut Collector<'_>, setting: Option<&Val>, because: &str| {
        bucket(collector, &resource(setting), |b| b.public = facts::Switch::Yes, because);
    };
    match kind {
        "aws_s3_bucket" | "aws_s3_bucket_acl" | "aws_s3_object" | "aws_s3_bucket_object" => {
            let acl = get("acl");
            if let Some(text) =
                all_texts(acl.as_ref()).iter().find(|t| t.starts_with("public-read") || *t == "authenticated-read")
            {
                open(collector, acl.as_ref(), &format!("its ACL is {text}"));
            }
            let grants = get("access_control_policy");
            if all_texts(grants.as_ref()).iter().any(|t| t.ends_with("/AllUsers") || t.ends_with("/AuthenticatedUsers"))
            {
                open(collector, grants.as_ref(), "its ACL grants something to everybody");
            }
        }
        "aws_s3_bucket_public_access_block" | "aws_s3_account_public_access_block" => {
            for path in ["block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"] {
                let setting = get(path);
                if is(setting.as_ref(), false) {
                    open(collector, setting.as_ref(), &format!("{path} is false"));
                    break;
                }
            }
        }
        "google_storage_bucket_iam_member"
        | "google_storage_bucket_iam_binding"
        | "google_storage_bucket_access_control"
        | "google_storage_bucket_acl"
        | "google_storage_default_object_acl"
        | "google_storage_object_acl"
        | "google_bigquery_dataset_iam_member"
        | "google_storage_default_object_access_control"
        | "google_bigquery_dataset_access" => {
            let everybody = |t: &String| {
                t.contains("allUsers") || t.contains("allAuthenticatedUsers") || t.starts_with("publicRead")
            };
            for path in ["member", "members", "entity", "role_entity", "predefined_acl", "special_group", "iam_member"]
            {
                let setting = get(path);
                if let Some(who) = all_texts(setting.as_ref()).iter().find(|t| everybody(t)) {
                    open(collector, setting.as_ref(), &format!("{who} has access"));
                }
            }
        }
        "azurerm_storage_container" => {
            let access = get("container_access_type");
            if let Some(text) = all_texts(access.as_ref()).iter().find(|t| matches!(t.as_str(), "blob" | "container")) {
                open(collector, access.as_ref(), &format!("its access type is {text}"));
            }
        }
        "azurerm_storage_account" => {
            for path in ["allow_nested_items_to_be_public", "allow_blob_public_access"] {
                let setting = get(path);
                if is(setting.as_ref(), true) {
                    open(collector, setting.as_ref(), &format!("{path} is true"));
                }
            }
            let tls = get("min_tls_version");
            if all_texts(tls.as_ref()).iter().any(|t| matches!(t.as_str(), "TLS1_0" | "TLS1_1")) {
                bucket(
                    collector,
                    &resource(tls.as_ref()),
                    |b| b.encrypted_transport = facts::Switch::No,
                    "it accepts versions of TLS that are broken",
                );
            }
        }
        "aws_db_instance" | "aws_redshift_cluster" | "aws_rds_cluster_instance" => {
            let setting = get("publicly_accessible");
            if is(setting.as_ref(), true) {
                open(collector, setting.as_ref(), "publicly_accessible is true");
            }
        }
        "aws_msk_cluster" => {
            let setting = get("encryption_info.encryption_in_transit.client_broker");
            if all_texts(setting.as_ref()).iter().any(|t| t.contains("PLAINTEXT")) {
                bucket(
                    collector,
                    &resource(setting.as_ref()),
                    |b| b.encrypted_transport = facts::Switch::No,
                    "clients may talk in plain text",
                );
            }
        }
        "aws_db_parameter_group" | "aws_rds_cluster_parameter_group" | "aws_redshift_parameter_group" => {
            parameters(collector, address, &each_at(val, "parameter"), place);
        }
        "google_sql_database_instance" => {
            parameters(collector, address, &each_at(val, "settings.database_flags"), place);
        }
        "azurerm_postgresql_configuration"
        | "azurerm_postgresql_flexible_server_configuration"
        | "azurerm_mysql_configuration"
        | "azurerm_mysql_flexible_server_configuration" => {
            parameters(collector, address, std::slice::from_ref(val), place);
        }
        "aws_ecs_task_definition" => {
            containers(collector, address, get("container_definitions").as_ref(), place);
        }
        "aws_cloudtrail" => {
            let setting = get("enable_logging");
            if is(setting.as_ref(), false) {
                audit(collector, address, "enable_logging", place_of(setting.as_ref(), place));
            }
        }
        "google_project_iam_member"
        | "google_project_iam_binding"
        | "google_organization_iam_member"
        | "google_folder_iam_member" => {
            let role = get("role");
            if let Some(text) =
                all_texts(role.as_ref()).iter().find(|t| matches!(t.as_str(), "roles/owner" | "roles/editor"))
            {
                permission(collector, address, "binding", &[text], place_of(role.as_ref(), place));
            }
        }
        "azurerm_role_assignment" => {
            let role = get("role_definition_name");
            let scope = all_texts(get("scope").as_ref()).join(" ");
            let narrow = scope.contains("/resourceGroups/") || scope.contains("azurerm_");
            if let Some(text) = all_texts(role.as_ref())
                .iter()
                .find(|t| matches!(t.as_str(), "Owner" | "Contributor" | "User Access Administrator"))
                && !narrow
            {
                permission(collector, address, "assignment", &[text], place_of(role.as_ref(), place));
            }
        }
        "aws_iam_role_policy_attachment"
        | "aws_iam_user_policy_attachment"
        | "aws_iam_policy_attachment"
        | "aws_iam_group_policy_attachment" => {
            let arn = get("policy_arn");
            if let Some(text) = all_texts(arn.as_ref())
                .iter()
                .find(|t| t.ends_with("/AdministratorAccess") || t.ends_with("/PowerUserAccess"))
            {
                permission(
                    collector,
                    address,
                    "attachment",
                    &[text.rsplit('/').next().unwrap_or(text)],
                    place_of(arn.as_ref(), place),
                );
            }
        }
        "aws_iam_policy_document" if is_data => document(collector, address, val, place),
        _ => {}
    }
    for name in ["policy", "inline_policy", "assume_role_policy"] {
        if let Some(inner) = get(name) {
            let inner = if name == "inline_policy" { at(&inner, "policy").unwrap_or(inner) } else { inner };
            if name != "assume_role_policy" {
                policy(collector, address, &inner, place_of(Some(&inner), place));
            }
        }
    }
}

fn items(val: Option<Val>) -> Vec<Val> {
    match val.map(|v| v.kind) {
        Some(Kind::List(items)) => items.borrow().clone(),
        Some(kind @ Kind::Dict(_)) => vec![Val::new(kind)],
        _ => Vec::new(),
    }
}

/// A resource of CloudFormation.
pub fn cloudformation(collector: &mut Collector<'_>, kind: &str, address: &str, val: &Val, place: Place) {
    let get = |path: &str| at(val, path);
    let resource = |setting: Option<&Val>| Resource { address, provider: "s3", place: place_of(setting, place) };
    let off = |collector: &mut Collector<'_>, path: &str| {
        let setting = get(path);
        if is(setting.as_ref(), false) {
            bucket(
                collector,
                &resource(setting.as_ref()),
                |b| b.encrypted = facts::Switch::No,
                &format!("{path} is false"),
            );
        }
    };
    match kind {
        "AWS::S3::Bucket" => {
            let acl = get("AccessControl");
            if let Some(text) =
                all_texts(acl.as_ref()).iter().find(|t| t.starts_with("PublicRead") || *t == "AuthenticatedRead")
            {
                bucket(
                    collector,
                    &resource(acl.as_ref()),
                    |b| b.public = facts::Switch::Yes,
                    &format!("its ACL is {text}"),
                );
            }
            for path in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
                let setting = get(&format!("PublicAccessBlockConfiguration.{path}"));
                if is(setting.as_ref(), false) {
                    bucket(
                        collector,
                        &resource(setting.as_ref()),
                        |b| b.public = facts::Switch::Yes,
                        &format!("{path} is false"),
                    );
                    break;
                }
            }
        }
        "AWS::RDS::DBInstance" | "AWS::RDS::DBCluster" | "AWS::DocDB::DBCluster" | "AWS::Neptune::DBCluster" => {
            off(collector, "StorageEncrypted");
        }
        "AWS::EC2::Volume" | "AWS::EFS::FileSystem" | "AWS::Redshift::Cluster" => off(collector, "Encrypted"),
        "AWS::ElastiCache::ReplicationGroup" => off(collector, "AtRestEncryptionEnabled"),
        "AWS::ECS::TaskDefinition" => containers(collector, address, get("ContainerDefinitions").as_ref(), place),
        "AWS::CloudTrail::Trail" => {
            let setting = get("IsLogging");
            if is(setting.as_ref(), false) {
                audit(collector, address, "IsLogging", place_of(setting.as_ref(), place));
            }
        }
        _ => {}
    }
    if kind == "AWS::RDS::DBInstance" || kind == "AWS::Redshift::Cluster" {
        let setting = get("PubliclyAccessible");
        if is(setting.as_ref(), true) {
            bucket(
                collector,
                &resource(setting.as_ref()),
                |b| b.public = facts::Switch::Yes,
                "PubliclyAccessible is true",
            );
        }
    }
    for path in ["PolicyDocument", "Policies"] {
        for inner in items(get(path)) {
            let inner = at(&inner, "PolicyDocument").unwrap_or(inner);
            policy(collector, address, &inner, place_of(Some(&inner), place));
        }
    }
    // SAM takes managed policies by name, beside those that are written out.
    let named = items(get("Policies")).into_iter().filter(|val| val.as_str().is_some());
    let named = all_texts(Some(&Val::list(named.collect())));
    for arn in all_texts(get("ManagedPolicyArns").as_ref()).into_iter().chain(named) {
        if matches!(arn.rsplit('/').next(), Some("AdministratorAccess" | "PowerUserAccess")) {
            permission(
                collector,
                address,
                "role",
                &["AdministratorAccess"],
                place_of(get("ManagedPolicyArns").as_ref(), place),
            );
        }
    }
}
