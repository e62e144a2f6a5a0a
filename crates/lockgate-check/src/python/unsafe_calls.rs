//! Calls that are unsafe by themselves: deserialization, drivers that take a password by position,
//! switches that weaken transport.

use super::Interpreter;
use crate::{
    collect::Sink,
    source::Place,
    value::{Args, Kind, Text, Val},
};

/// What reads objects by running code in them.
pub(super) const UNSAFE: [(&str, &str); 30] = [
    ("pickle.load", "a pickle runs code when it is read"),
    ("pickle.loads", "a pickle runs code when it is read"),
    ("pickle.Unpickler", "a pickle runs code when it is read"),
    ("_pickle.load", "a pickle runs code when it is read"),
    ("_pickle.loads", "a pickle runs code when it is read"),
    ("cPickle.load", "a pickle runs code when it is read"),
    ("cPickle.loads", "a pickle runs code when it is read"),
    ("pickle5.load", "a pickle runs code when it is read"),
    ("pickle5.loads", "a pickle runs code when it is read"),
    ("cloudpickle.load", "a pickle runs code when it is read"),
    ("cloudpickle.loads", "a pickle runs code when it is read"),
    ("dill.load", "a pickle runs code when it is read"),
    ("dill.loads", "a pickle runs code when it is read"),
    ("joblib.load", "joblib reads pickles, and a pickle runs code when it is read"),
    ("sklearn.externals.joblib.load", "joblib reads pickles, and a pickle runs code when it is read"),
    ("pandas.read_pickle", "a pickle runs code when it is read"),
    ("pandas.io.pickle.read_pickle", "a pickle runs code when it is read"),
    ("shelve.open", "a shelf holds pickles, and a pickle runs code when it is read"),
    ("marshal.load", "marshal reads code"),
    ("marshal.loads", "marshal reads code"),
    ("jsonpickle.decode", "jsonpickle makes any object that its text names"),
    ("jsonpickle.loads", "jsonpickle makes any object that its text names"),
    ("yaml.unsafe_load", "this loader makes any object that its text names"),
    ("yaml.unsafe_load_all", "this loader makes any object that its text names"),
    ("pyspark.SparkContext.pickleFile", "a pickle runs code when it is read"),
    ("spark.sparkContext.pickleFile", "a pickle runs code when it is read"),
    ("sc.pickleFile", "a pickle runs code when it is read"),
    ("hickle.load", "hickle reads pickles"),
    ("klepto.archives.file_archive", "klepto reads pickles"),
    ("pickletools.genops", ""),
];

impl Interpreter<'_> {
    pub(super) fn deserializes(&mut self, name: &str, last: &str, args: &Args, place: Place) {
        if let Some((_, because)) = UNSAFE.iter().find(|(known, because)| *known == name && !because.is_empty()) {
            self.collector.deserialization(name, "no", because, place);
            return;
        }
        let is = |val: Option<&Val>, truth: bool| {
            val.is_some_and(|v| v.options().iter().any(|v| matches!(v.kind, Kind::Bool(b) if b == truth)))
        };
        match name {
            "torch.load" => {
                let weights = args.keyword("weights_only");
                if is(weights, false) {
                    self.collector.deserialization(
                        name,
                        "no",
                        "with weights_only=False it reads a pickle, which runs code",
                        place,
                    );
                } else if weights.is_none() && !args.open {
                    self.collector.deserialization(
                        name,
                        "no",
                        "without weights_only=True, PyTorch before 2.6 reads a pickle, which runs code",
                        place,
                    );
                } else if !is(weights, true) {
                    self.collector.deserialization(name, "unknown", "weights_only decides, and is not known", place);
                }
            }
            "numpy.load" if is(args.keyword("allow_pickle"), true) => {
                self.collector.deserialization(
                    name,
                    "no",
                    "with allow_pickle=True it reads a pickle, which runs code",
                    place,
                );
            }
            "yaml.load" | "yaml.load_all" => {
                let loaders: Vec<String> = args
                    .get(1, "Loader")
                    .map(Val::options)
                    .unwrap_or_default()
                    .iter()
                    .map(|v| match &v.kind {
                        Kind::External(name) => name.to_string(),
                        Kind::Class(class) => class.outside_base(0).map(|b| b.to_string()).unwrap_or_default(),
                        _ => String::new(),
                    })
                    .collect();
                let safe = |l: &String| ["SafeLoader", "BaseLoader", "FullLoader"].iter().any(|end| l.ends_with(end));
                if loaders.is_empty() || !loaders.iter().all(safe) {
                    // Any of them that is known to be unsafe decides.
                    let known = loaders.is_empty() || loaders.iter().any(|l| !l.is_empty() && !safe(l));
                    let verdict = if known { "no" } else { "unknown" };
                    self.collector.deserialization(
                        name,
                        verdict,
                        "this loader makes objects that its text names",
                        place,
                    );
                }
            }
            _ => {
                if is(args.keyword("trust_remote_code"), true) {
                    self.collector.deserialization(
                        name,
                        "no",
                        "with trust_remote_code=True it runs code of the model's repository",
                        place,
                    );
                }
                if last == "load_model" && is(args.keyword("safe_mode"), false) {
                    self.collector.deserialization(name, "no", "with safe_mode=False a model may bring code", place);
                }
                if name.ends_with("ruamel.yaml.YAML") && args.get(0, "typ").and_then(Val::as_str) == Some("unsafe") {
                    self.collector.deserialization(name, "no", "this loader makes objects that its text names", place);
                }
            }
        }
    }

    /// Drivers that take a password by position.
    pub(super) fn connects(&mut self, name: &str, last: &str, args: &Args, sink: Sink<'_>) {
        let at = match (name, last) {
            ("pymysql.connect" | "MySQLdb.connect" | "mysql.connector.connect", _) => 2,
            ("pymssql.connect" | "ldap3.Connection" | "snowflake.connector.connect", _) => 2,
            ("hdbcli.dbapi.connect", _) => 3,
            (_, "create") if name.ends_with("URL.create") => 2,
            ("cx_Oracle.connect" | "oracledb.connect", _) => 1,
            ("jwt.encode", _) => 1,
            ("hmac.new" | "cryptography.fernet.Fernet", _) => 0,
            (_, "connect") if name.contains("SSHClient") => 3,
            (_, "setpassword") => 0,
            _ => return,
        };
        if let Some(val) = args.positional.get(at).cloned() {
            self.collector.secret_value("password", &val, sink);
            if let (Kind::Bytes(bytes), true) = (&val.kind, self.collector.quiet == 0) {
                let text = String::from_utf8_lossy(bytes).into_owned();
                let val = Val::text(Text::Known(text.into()), val.trace.clone());
                self.collector.secret_value("key", &val, sink);
            }
        }
    }

    /// Switches that weaken a connection or open storage, wherever they are given.
    pub(super) fn switch(&mut self, callee: &str, name: &str, val: &Val, place: Place) {
        if self.collector.quiet > 0 {
            return;
        }
        for option in val.options() {
            let text = match &option.kind {
                Kind::External(name) => name.to_string(),
                Kind::Bool(b) => b.to_string(),
                Kind::Int(n) => n.to_string(),
                Kind::Str(_) => option.as_str().unwrap_or_default().to_owned(),
                // What is left out is left to its default.
                _ => continue,
            };
            let is_false = matches!(option.kind, Kind::Bool(false)) || text.eq_ignore_ascii_case("false");
            let is_true = matches!(option.kind, Kind::Bool(true)) || text.eq_ignore_ascii_case("true");
            let last = callee.rsplit('.').next().unwrap_or(callee);
            let unverified = match name {
                "verify" => is_false,
                "insecure" => is_true,
                "ssl" => is_false && (callee.contains("aiohttp") || callee.starts_with("?.")),
                "ssl_context" | "context" | "_create_default_https_context" => {
                    text.ends_with("_create_unverified_context")
                }
                "policy" => text.ends_with("AutoAddPolicy"),
                _ => false,
            };
            let plain = match name {
                "secure" => is_false && !matches!(last, "set_cookie" | "Cookie"),
                // Of an object in S3 it says how it is kept.
                "encrypt" => is_false && !last.contains("S3") && last != "load_file",
                _ => false,
            };
            if unverified {
                self.collector.verification_off(name, place, "");
            } else if plain {
                self.collector.unencrypted(name, place);
            } else {
                self.collector.switch(name, &text, place);
            }
            let makes = ["create", "modify", "put", "run", "restore"].iter().any(|verb| last.starts_with(verb));
            if matches!(name, "StorageEncrypted" | "Encrypted" | "AtRestEncryptionEnabled") && is_false && makes {
                let provider = crate::storage::provider_of(callee).unwrap_or("any");
                let resource = crate::infra::Resource { address: callee, provider, place };
                let because = format!("{name} is false");
                crate::infra::bucket(
                    &mut self.collector,
                    &resource,
                    |b| b.encrypted = crate::facts::Switch::No,
                    &because,
                );
            }
            if matches!(name, "ACL" | "acl" | "predefined_acl" | "canned_acl")
                && (text.starts_with("public-read") || text.starts_with("publicRead"))
            {
                self.open_storage(callee, &format!("its ACL is {text}"), place);
            }
        }
    }
}
