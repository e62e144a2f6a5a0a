//! Settings that weaken a connection, by their names: the verification of certificates turned
//! off, or no encryption at all. One list for code, configuration, environments and URLs.

use crate::credentials::words;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// The other side is not verified.
    Unverified,
    /// Nothing is encrypted.
    Plain,
}

/// Switches that verify while they are on.
const VERIFIES: [&str; 22] = [
    "verify_ssl",
    "ssl_verify",
    "ssl_verification",
    "verify_certs",
    "verify_cert",
    "verify_certificate",
    "verify_certificates",
    "verify_server_certificate",
    "validate_certs",
    "validate_certificate",
    "check_ssl_certificate",
    "check_hostname",
    "verify_hostname",
    "ssl_verify_cert",
    "ssl_verify_host",
    "ssl_verify_peer",
    "ssl_verifypeer",
    "ssl_assert_hostname",
    "tls_verify",
    "verify_tls",
    "verify_peer",
    "reject_unauthorized",
];

/// Switches that verify no more once they are on.
const TRUSTS: [&str; 20] = [
    "insecure_skip_verify",
    "insecure_skip_tls_verify",
    "skip_tls_verify",
    "skip_ssl_verify",
    "tls_skip_verify",
    "tls_insecure",
    "ssl_insecure",
    "insecure_ssl",
    "insecure_mode",
    "insecure_tls",
    "no_verify_ssl",
    "ssl_no_verify",
    "disable_ssl_certificate_validation",
    "disable_ssl_verification",
    "disable_tls_verification",
    "allow_invalid_certificates",
    "accept_invalid_certs",
    "trust_server_certificate",
    "trust_all_certs",
    "trust_all_certificates",
];

/// Switches that encrypt while they are on.
const ENCRYPTS: [&str; 9] = [
    "use_ssl",
    "use_tls",
    "use_https",
    "ssl_enabled",
    "enable_ssl",
    "enable_tls",
    "smtp_starttls",
    "require_ssl",
    "non_ssl_port_disabled",
];

/// Switches that encrypt no more once they are on.
const DISABLES: [&str; 4] = ["ssl_disabled", "disable_tls", "disable_ssl", "disable_https"];

/// Names that say nothing alone and all beside `tls` or `ssl`: `tls.verify`, `ssl: {enabled: false}`.
const BARE: [(&str, bool, Weakness); 6] = [
    ("verify", false, Weakness::Unverified),
    ("verification", false, Weakness::Unverified),
    ("insecure", true, Weakness::Unverified),
    ("enabled", false, Weakness::Plain),
    ("enable", false, Weakness::Plain),
    ("disabled", true, Weakness::Plain),
];

/// Whether a setting turns an audit log off. `audit` alone may be that of packages.
pub fn unaudited(name: &str, value: &str) -> bool {
    let words = words(name);
    // `OFF,NullAppender` of log4j.
    let lower = value.split(',').next().unwrap_or(value).trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    let is_audit = words.iter().any(|word| matches!(word.as_str(), "audit" | "auditlog" | "auditing" | "pgaudit"));
    let is_log = words.last().is_some_and(|last| {
        matches!(
            last.as_str(),
            "log" | "logs" | "logger" | "logging" | "enabled" | "enable" | "trail" | "type" | "auditlog"
        )
    });
    let is_other = words.iter().any(|word| {
        matches!(
            word.as_str(),
            "pip" | "npm" | "yarn" | "cargo" | "package" | "packages" | "column" | "columns" | "table"
        )
    });
    if is_other {
        return false;
    }
    let negated = words.iter().any(|word| matches!(word.as_str(), "disable" | "disabled"));
    let is_off = matches!(lower.as_str(), "false" | "0" | "no" | "off" | "disabled" | "none" | "never" | "noop");
    let is_on = matches!(lower.as_str(), "true" | "1" | "yes" | "on");
    is_audit && if negated { is_on } else { is_log && is_off }
}

/// Whether a setting lets Airflow's tasks hand pickles on.
pub fn pickles(name: &str, value: &str) -> bool {
    let words = words(name);
    let names: Vec<&str> = words.iter().map(String::as_str).collect();
    let lower = value.to_ascii_lowercase();
    match names.as_slice() {
        [.., "enable", "xcom", "pickling"] => matches!(lower.as_str(), "true" | "1" | "yes" | "on"),
        [.., "donot", "pickle"] => matches!(lower.as_str(), "false" | "0" | "no" | "off"),
        _ => false,
    }
}

/// Whether a setting names how messages are written: `task_serializer` of Celery.
pub fn serializes(name: &str) -> bool {
    let words = words(name);
    let names: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(names.as_slice(), [.., "task" | "result" | "event", "serializer"] | [.., "accept", "content"])
}

/// What a setting weakens. `name` may be a path of names; what stands last decides.
pub fn weakens(name: &str, value: &str) -> Option<Weakness> {
    let words = words(name);
    let all = words.join("_");
    let value = value.trim().trim_matches(['"', '\'']);
    let lower = value.to_ascii_lowercase();
    let is_off = matches!(lower.as_str(), "false" | "0" | "no" | "off" | "disabled" | "none" | "never");
    let is_on = matches!(lower.as_str(), "true" | "1" | "yes" | "on");
    let ends = |known: &[&str]| {
        known.iter().any(|end| all.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
    };
    // `skip_ssl_verify: false` verifies.
    let negated = words.iter().any(|word| matches!(word.as_str(), "skip" | "no" | "disable" | "insecure" | "without"));
    if is_off && !negated && ends(&VERIFIES) || is_on && ends(&TRUSTS) {
        return Some(Weakness::Unverified);
    }
    if ends(&["cert_reqs", "verify_mode", "ssl_cert_reqs"]) && (lower == "none" || lower.ends_with("cert_none")) {
        return Some(Weakness::Unverified);
    }
    if ends(&["ssl_endpoint_identification_algorithm", "ssl_endpoint_identification_algo"])
        && matches!(lower.as_str(), "" | "none")
    {
        return Some(Weakness::Unverified);
    }
    match name {
        "PYTHONHTTPSVERIFY" if value == "0" => return Some(Weakness::Unverified),
        "GIT_SSL_NO_VERIFY" | "AWS_NO_VERIFY_SSL" if is_on => return Some(Weakness::Unverified),
        "CURL_CA_BUNDLE" | "REQUESTS_CA_BUNDLE" if value.is_empty() => return Some(Weakness::Unverified),
        _ => {}
    }
    if ends(&["sslmode", "ssl_mode", "pgsslmode"]) {
        return matches!(lower.as_str(), "disable" | "disabled" | "allow").then_some(Weakness::Plain);
    }
    if ends(&["security_protocol", "security_inter_broker_protocol", "client_broker"]) {
        return matches!(lower.as_str(), "plaintext" | "sasl_plaintext").then_some(Weakness::Plain);
    }
    if is_off && ends(&ENCRYPTS) || is_on && ends(&DISABLES) {
        return Some(Weakness::Plain);
    }
    let (last, before) = words.split_last()?;
    let beside = before.last().is_some_and(|word| matches!(word.as_str(), "tls" | "ssl" | "https"));
    BARE.iter()
        .find(|(bare, on, _)| beside && bare == last && if *on { is_on } else { is_off && !negated })
        .map(|(_, _, weakness)| *weakness)
}

/// What the parameters of a URL or a connection string weaken: `?sslmode=disable`,
/// `;encrypt=true;trustServerCertificate=true`.
pub fn in_url(text: &str) -> Vec<(&str, Weakness)> {
    if !text.contains("://") && !text.starts_with("jdbc:") {
        return Vec::new();
    }
    let is_sqlserver = text.starts_with("jdbc:sqlserver") || text.starts_with("mssql");
    text.split([';', '?', '&', ' '])
        .skip(1)
        .take(200)
        .filter_map(|part| part.split_once('='))
        .filter_map(|(name, value)| {
            let name = name.trim();
            let weakness = weakens(name, value).or_else(|| {
                let plain = is_sqlserver && name.eq_ignore_ascii_case("encrypt");
                (plain && matches!(value, "false" | "no")).then_some(Weakness::Plain)
            })?;
            Some((name, weakness))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_weakens_by_its_name_and_value() {
        let unverified = Some(Weakness::Unverified);
        let plain = Some(Weakness::Plain);
        for (name, value, expected) in [
            ("tls.verify", "Off", unverified),
            ("outputs.tls.verify", "off", unverified),
            ("verify", "false", None),
            ("insecureSkipVerify", "true", unverified),
            ("insecureSkipVerify", "false", None),
            ("ssl.endpoint.identification.algorithm", "", unverified),
            ("ssl.endpoint.identification.algorithm", "https", None),
            ("trustServerCertificate", "true", unverified),
            ("PGSSLMODE", "disable", plain),
            ("sslmode", "verify-full", None),
            ("fs.s3a.connection.ssl.enabled", "false", plain),
            ("security.protocol", "SASL_PLAINTEXT", plain),
            ("kafka_security_protocol", "SASL_SSL", None),
            ("cert_reqs", "ssl.CERT_NONE", unverified),
            ("feature.enabled", "false", None),
            ("insecure-skip-tls-verify", "false", None),
            ("skip_ssl_verify", "false", None),
            ("no_verify_ssl", "false", None),
            ("insecure-skip-tls-verify", "true", unverified),
        ] {
            assert_eq!(weakens(name, value), expected, "{name}={value}");
        }
        assert_eq!(in_url("postgresql://db/x?sslmode=disable&a=b"), [("sslmode", Weakness::Plain)]);
        assert_eq!(
            in_url("jdbc:sqlserver://h:1433;encrypt=true;trustServerCertificate=true"),
            [("trustServerCertificate", Weakness::Unverified)]
        );
    }
}
