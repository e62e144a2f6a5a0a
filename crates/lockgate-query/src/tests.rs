use std::collections::BTreeMap;

use arrow::{
    array::{AsArray as _, Int64Array, RecordBatch, StringArray},
    compute::{cast, concat_batches},
    datatypes::{DataType, Field, Schema},
};
use lockgate_core::{Classification as C, Name, RunId, Timestamp};
use lockgate_keys::{KeyStore, LocalStore, Unlock};
use lockgate_lake::{Governance, Layout, Manifest, SnapshotWriter, Storage, StoreKeyring};
use lockgate_proof::SigningKey;

use super::*;

struct World {
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    lake: Lake,
    store: Arc<dyn KeyStore>,
    manifest: Manifest,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let unlock = Unlock::create_key_file(&dir.path().join("k")).unwrap();
    let store: Arc<dyn KeyStore> = Arc::new(LocalStore::create(&dir.path().join("keys"), &unlock).unwrap());
    let signer = SigningKey::from_seed("test.example/w", &[1; 32]).unwrap();
    let lake =
        Lake::new(Storage::local(dir.path().join("lake"), runtime.handle().clone()).unwrap(), signer.verifying_key());
    let dataset: Name = "people".parse().unwrap();
    let schema = Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("age", DataType::Int64, true),
        Field::new("ssn", DataType::Utf8, true),
    ]));
    let classes = [("name", C::Confidential), ("age", C::Internal), ("ssn", C::Restricted)];
    let layout = Layout {
        dataset: dataset.clone(),
        columns: classes.map(|(n, c)| (n.to_owned(), c)).to_vec(),
        schema: schema.clone(),
        buckets: 4,
        generation: 1,
    };
    let mut writer = SnapshotWriter::new(&lake, store.clone(), layout, &dir.path().join("tmp")).unwrap();
    let names: StringArray = (0..40).map(|i| Some(format!("name-{i}"))).collect();
    let ages: Int64Array = (0..40).map(|i| Some(20 + i)).collect();
    let ssns: StringArray = (0..40).map(|i| Some(format!("ssn-{i}"))).collect();
    let batch = RecordBatch::try_new(schema, vec![Arc::new(names), Arc::new(ages), Arc::new(ssns)]).unwrap();
    let subjects: Vec<_> = (0..40u8).map(|i| Some([i.wrapping_mul(37); 16])).collect();
    writer.write(&batch, &subjects).unwrap();
    let staged = writer.finish().unwrap();
    let manifest = Manifest {
        dataset,
        version: 1,
        parent: None,
        created: Timestamp::from_millis(0),
        run: RunId::generate(),
        columns: vec![],
        rows: staged.rows,
        files: staged.files,
        subjects: staged.subjects,
        governance: Governance {
            owner: "o".into(),
            purpose: "p".into(),
            lawful_basis: "contract".into(),
            retention_days: 1,
            classification: C::Restricted,
        },
        contract: None,
        sources: vec![],
        inputs: vec![],
        recipe: serde_json::Value::Null,
    };
    World { dir, runtime, lake, store, manifest }
}

impl World {
    fn run(&self, sql: &str, shape: impl FnOnce(&mut QueryTable)) -> Result<(Vec<Vec<String>>, QueryResult)> {
        let mut table = QueryTable {
            name: "people".into(),
            manifest: self.manifest.clone(),
            keyring: Arc::new(StoreKeyring::all(self.store.clone())),
            row_filters: vec![],
            column_masks: BTreeMap::new(),
            hidden_columns: vec![],
        };
        shape(&mut table);
        let engine = Engine::new(self.runtime.handle().clone());
        let mut result = engine.run(sql, &self.lake, vec![table], self.dir.path().join("tmp"))?;
        let batches =
            std::mem::replace(&mut result.batches, Box::new(std::iter::empty())).collect::<Result<Vec<_>>>()?;
        let all = concat_batches(&result.schema, &batches).unwrap();
        let texts: Vec<_> = all.columns().iter().map(|c| cast(c, &DataType::Utf8).unwrap()).collect();
        let rows = (0..all.num_rows())
            .map(|r| texts.iter().map(|t| t.as_string::<i32>().value(r).to_owned()).collect())
            .collect();
        Ok((rows, result))
    }

    fn rows(&self, sql: &str, shape: impl FnOnce(&mut QueryTable)) -> Vec<Vec<String>> {
        self.run(sql, shape).unwrap().0
    }
}

fn guarded(table: &mut QueryTable) {
    table.row_filters = vec!["age < 30".into()];
    table.column_masks = [("name".to_owned(), "concat(substr(name, 1, 1), '***')".to_owned())].into();
    table.hidden_columns = vec!["ssn".into()];
}

#[test]
fn reads_and_aggregates_without_obligations() {
    let world = world();
    assert_eq!(world.rows("SELECT count(*), min(age), max(age) FROM people", |_| ()), [["40", "20", "59"]]);
    assert_eq!(world.rows("SELECT ssn FROM people WHERE age = 21", |_| ()), [["ssn-1"]]);
}

#[test]
fn no_sql_reaches_around_the_obligations() {
    let world = world();
    for sql in [
        "SELECT * FROM people",
        "SELECT name, age FROM people",
        "SELECT p.* FROM people p",
        "WITH x AS (SELECT * FROM people) SELECT * FROM x",
        "SELECT * FROM people UNION ALL SELECT * FROM people",
        "SELECT a.name, b.age FROM people a JOIN people b ON a.age = b.age",
    ] {
        let rows = world.rows(sql, guarded);
        assert!(!rows.is_empty() && rows.len() <= 20, "{sql}");
        for row in rows {
            assert_eq!(row[0], "n***", "{sql}");
            assert!(row[1].parse::<i64>().unwrap() < 30, "{sql}");
            assert_eq!(row.len(), 2, "{sql}");
        }
    }
    // Predicates, orders and aggregates see what is masked, too.
    for (sql, expect) in [
        ("SELECT count(*) FROM people WHERE name = 'name-1'", "0"),
        ("SELECT count(*) FROM people", "10"),
        ("SELECT max(age) FROM people", "29"),
        ("SELECT count(DISTINCT name) FROM people", "1"),
        ("SELECT max(name) FROM people", "n***"),
        ("SELECT count(*) FROM people WHERE age IN (SELECT age FROM people WHERE name LIKE 'name-%')", "0"),
        ("SELECT (SELECT count(*) FROM people WHERE age > 30)", "0"),
    ] {
        assert_eq!(world.rows(sql, guarded), [[expect]], "{sql}");
    }
    for sql in ["SELECT ssn FROM people", "SELECT * FROM people WHERE ssn = 'ssn-1'", "SELECT _subject FROM people"] {
        assert!(world.run(sql, guarded).is_err(), "{sql}");
    }
}

#[test]
fn only_reading_is_possible() {
    let world = world();
    for sql in [
        "CREATE TABLE x AS SELECT 1",
        "DROP TABLE people",
        "COPY people TO '/tmp/lockgate-leak.csv'",
        "INSERT INTO people VALUES ('a', 1, 'b')",
        "SET datafusion.execution.batch_size = 1",
        "CREATE EXTERNAL TABLE passwd STORED AS CSV LOCATION '/etc/passwd'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM another",
    ] {
        assert!(world.run(sql, |_| ()).is_err(), "{sql}");
    }
    assert!(!std::path::Path::new("/tmp/lockgate-leak.csv").exists());
}

#[test]
fn no_query_overflows_the_stack() {
    let world = world();
    let chain = |operator: &str, n: usize| format!("SELECT 1{} FROM people", format!("{operator}1").repeat(n));
    let from = |n: usize| format!("SELECT name{} AS x FROM people", "||name".repeat(n));
    let union = |n: usize| format!("SELECT name FROM people {}", "UNION SELECT name FROM people ".repeat(n));
    let logical = |n: usize| format!("SELECT 1=1{} FROM people", " OR 1=1".repeat(n));
    let postfix = |n: usize| format!("SELECT 1{} FROM people", " IS NULL".repeat(n));
    let zones = |n: usize| format!("SELECT now(){} FROM people", " AT TIME ZONE 'UTC'".repeat(n));
    let views = |n: usize| {
        let more: String = (1..n).map(|i| format!(", c{i} AS (SELECT a.name FROM c{0} a, c{0} b)", i - 1)).collect();
        format!("WITH c0 AS (SELECT name FROM people){more} SELECT name FROM c{}", n - 1)
    };
    let crossed = |n: usize| format!("SELECT 1 FROM people{}", ", people".repeat(n));
    let deep = |n: usize| format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n));
    for sql in [chain("+", 250), logical(120), from(250), union(16)] {
        assert!(world.run(&sql, |_| ()).is_ok(), "{}", &sql[..40]);
    }
    for sql in [
        chain("+", 600),
        chain("*", 50_000),
        from(600),
        union(5_000),
        deep(5_000),
        logical(5_000),
        postfix(15_000),
        zones(6_000),
        views(22),
        views(2_800),
        crossed(2_000),
    ] {
        let failure = world.run(&sql, |_| ()).err().unwrap();
        assert_eq!(failure.fault(), lockgate_core::Fault::Input, "{failure}");
    }
}

#[test]
fn lineage_follows_columns_and_keeps_filters_apart() {
    let world = world();
    let lineage = |sql: &str| {
        let result = world.run(sql, |_| ()).unwrap().1;
        let columns: Vec<_> =
            result.columns.iter().map(|c| format!("{}<-{}", c.name, c.derived_from.join("+"))).collect();
        (columns.join("; "), result.indirect.join("+"))
    };
    let (columns, indirect) = lineage("SELECT upper(name) AS n, age + 1 AS a, 7 AS k FROM people WHERE ssn <> 'x'");
    assert_eq!(columns, "n<-people/name; a<-people/age; k<-");
    assert_eq!(indirect, "people/ssn");
    let (columns, indirect) = lineage("SELECT age, count(*) AS c, max(name) AS m FROM people GROUP BY age");
    assert_eq!(columns, "age<-people/age; c<-; m<-people/name");
    assert_eq!(indirect, "people/age");
    let (columns, _) = lineage("SELECT (SELECT max(ssn) FROM people) AS s FROM people LIMIT 1");
    assert_eq!(columns, "s<-people/ssn");
    let engine = Engine::new(world.runtime.handle().clone());
    assert_eq!(
        engine.tables("SELECT * FROM a JOIN \"b@2\" USING (id) WHERE x IN (SELECT y FROM c)").unwrap(),
        ["a", "b@2", "c"]
    );
}
