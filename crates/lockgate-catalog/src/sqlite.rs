//! SQLite, the embedded default.

use std::{path::Path, str::FromStr as _, time::Duration};

use lockgate_core::{Failure, Result};
use sqlx::{
    Row as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use tokio::runtime::Handle;

use crate::{Catalog, Edge, Gate, Run, Snapshot};

/// A catalog in one SQLite file.
#[derive(Debug)]
pub struct SqliteCatalog {
    pool: SqlitePool,
    runtime: Handle,
}

impl SqliteCatalog {
    /// Opens the file, creating it with its tables.
    pub fn open(path: &Path, runtime: Handle) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true);
        let pool = runtime.block_on(async {
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
            let check: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&pool).await?;
            if check != "ok" {
                return Err(sqlx::Error::Protocol("the file is damaged".into()));
            }
            migrate(&pool).await?;
            Ok(pool)
        });
        let pool = pool.map_err(|error: sqlx::Error| {
            if is_disk_trouble(&error) {
                return failed(error);
            }
            Failure::integrity(format!("the catalog {} cannot be used: {error}", path.display()))
                .hint("it is only an index: run `lockgate catalog rebuild` to make it anew from the lake")
        })?;
        Ok(Self { pool, runtime })
    }
}

/// The migrations in order; `user_version` counts those that were applied.
const MIGRATIONS: [&str; 2] =
    [include_str!("../migrations/sqlite/0001_catalog.sql"), include_str!("../migrations/sqlite/0002_evidence.sql")];

async fn migrate(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let applied: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(pool).await?;
    if applied as usize > MIGRATIONS.len() {
        return Err(sqlx::Error::Protocol("a newer Lockgate wrote it".into()));
    }
    let mut transaction = pool.begin().await?;
    for migration in MIGRATIONS.iter().skip(applied as usize) {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    // One migration, one number: there is nothing to bind in a PRAGMA.
    sqlx::raw_sql("PRAGMA user_version = 2").execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Whether SQLite says that the disk, not the file, is the trouble: read-only, I/O error, full.
fn is_disk_trouble(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let code = code.and_then(|code| code.parse::<u32>().ok());
    // The primary result code is the low byte of an extended one.
    code.is_some_and(|code| matches!(code & 0xff, 8 | 10 | 13))
}

fn failed(error: sqlx::Error) -> Failure {
    Failure::unreachable(format!("the catalog cannot be used: {error}"))
        .hint("is the disk full or read-only? `lockgate catalog rebuild` makes the catalog anew")
}

impl Catalog for SqliteCatalog {
    fn put_run(&self, run: &Run) -> Result<()> {
        let query = sqlx::query(
            "INSERT INTO runs (id, pipeline, pipeline_digest, purpose, started, finished, outcome)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO UPDATE SET finished = excluded.finished, outcome = excluded.outcome",
        )
        .bind(run.id.as_str())
        .bind(run.pipeline.as_str())
        .bind(&run.pipeline_digest)
        .bind(&run.purpose)
        .bind(run.started.to_string())
        .bind(run.finished.map(|t| t.to_string()))
        .bind(&run.outcome);
        self.runtime.block_on(query.execute(&self.pool)).map(|_| ()).map_err(failed)
    }

    fn close_open_runs(&self) -> Result<u64> {
        let query = sqlx::query("UPDATE runs SET outcome = 'interrupted' WHERE outcome = 'running'");
        self.runtime.block_on(query.execute(&self.pool)).map(|done| done.rows_affected()).map_err(failed)
    }

    fn put_snapshot(&self, snapshot: &Snapshot, edges: &[Edge]) -> Result<()> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            sqlx::query(
                "INSERT INTO snapshots (manifest, dataset, version, run, created, row_count, subject_count, classification, owner, purpose)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
            )
            .bind(&snapshot.manifest)
            .bind(&snapshot.dataset)
            .bind(snapshot.version as i64)
            .bind(&snapshot.run)
            .bind(&snapshot.created)
            .bind(snapshot.rows as i64)
            .bind(snapshot.subjects as i64)
            .bind(&snapshot.classification)
            .bind(&snapshot.owner)
            .bind(&snapshot.purpose)
            .execute(&mut *transaction)
            .await?;
            for edge in edges {
                sqlx::query(
                    "INSERT INTO lineage (manifest, from_dataset, from_column, to_column, transformation)
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                )
                .bind(&snapshot.manifest)
                .bind(&edge.from_dataset)
                .bind(&edge.from_column)
                .bind(&edge.to_column)
                .bind(&edge.transformation)
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await
        };
        self.runtime.block_on(work).map_err(failed)
    }

    fn put_gate(&self, gate: &Gate) -> Result<()> {
        let query = sqlx::query(
            "INSERT INTO gates (run, gate, passed, detail, evidence) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (run, gate) DO UPDATE SET passed = excluded.passed, detail = excluded.detail,
             evidence = excluded.evidence",
        )
        .bind(&gate.run)
        .bind(&gate.gate)
        .bind(gate.passed)
        .bind(&gate.detail)
        .bind(gate.evidence.to_string());
        self.runtime.block_on(query.execute(&self.pool)).map(|_| ()).map_err(failed)
    }

    fn runs(&self, limit: u32) -> Result<Vec<Run>> {
        let query = sqlx::query("SELECT * FROM runs ORDER BY id DESC LIMIT $1").bind(limit);
        let rows = self.runtime.block_on(query.fetch_all(&self.pool)).map_err(failed)?;
        rows.iter().map(run).collect()
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let query = sqlx::query("SELECT * FROM snapshots ORDER BY dataset, version");
        let rows = self.runtime.block_on(query.fetch_all(&self.pool)).map_err(failed)?;
        let read = |row: &SqliteRow| {
            Ok(Snapshot {
                manifest: row.try_get("manifest")?,
                dataset: row.try_get("dataset")?,
                version: row.try_get::<i64, _>("version")? as u64,
                run: row.try_get("run")?,
                created: row.try_get("created")?,
                rows: row.try_get::<i64, _>("row_count")? as u64,
                subjects: row.try_get::<i64, _>("subject_count")? as u64,
                classification: row.try_get("classification")?,
                owner: row.try_get("owner")?,
                purpose: row.try_get("purpose")?,
            })
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(failed)
    }

    fn gates(&self, run: &str) -> Result<Vec<Gate>> {
        let query = sqlx::query("SELECT * FROM gates WHERE run = $1 ORDER BY gate").bind(run);
        let rows = self.runtime.block_on(query.fetch_all(&self.pool)).map_err(failed)?;
        let read = |row: &SqliteRow| {
            Ok(Gate {
                run: row.try_get("run")?,
                gate: row.try_get("gate")?,
                passed: row.try_get("passed")?,
                detail: row.try_get("detail")?,
                evidence: serde_json::from_str(row.try_get("evidence")?).unwrap_or_default(),
            })
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(failed)
    }

    fn lineage(&self, dataset: &str, column: Option<&str>) -> Result<Vec<Edge>> {
        let query = sqlx::query(
            "SELECT l.from_dataset, l.from_column, s.dataset, s.version, l.to_column, l.transformation
             FROM lineage l JOIN snapshots s ON s.manifest = l.manifest
             WHERE s.version = (SELECT max(version) FROM snapshots n WHERE n.dataset = s.dataset)
               AND ((s.dataset = $1 AND ($2 IS NULL OR l.to_column = $2))
                 OR (l.from_dataset = $1 AND ($2 IS NULL OR l.from_column = $2)))
             ORDER BY s.dataset, l.to_column, l.from_dataset, l.from_column",
        )
        .bind(dataset)
        .bind(column);
        let rows = self.runtime.block_on(query.fetch_all(&self.pool)).map_err(failed)?;
        let read = |row: &SqliteRow| {
            Ok(Edge {
                from_dataset: row.try_get(0)?,
                from_column: row.try_get(1)?,
                to_dataset: row.try_get(2)?,
                to_version: row.try_get::<i64, _>(3)? as u64,
                to_column: row.try_get(4)?,
                transformation: row.try_get(5)?,
            })
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(failed)
    }
}

fn run(row: &SqliteRow) -> Result<Run> {
    let text = |column: &str| row.try_get::<String, _>(column).map_err(failed);
    let damaged = |_| Failure::integrity("the catalog holds a malformed run").hint("run `lockgate catalog rebuild`");
    Ok(Run {
        id: serde_json::from_value(text("id")?.into()).map_err(|_| Failure::bug("a run has no id"))?,
        pipeline: text("pipeline")?.parse().map_err(damaged)?,
        pipeline_digest: text("pipeline_digest")?,
        purpose: text("purpose")?,
        started: lockgate_core::Timestamp::from_str(&text("started")?).map_err(damaged)?,
        finished: row
            .try_get::<Option<String>, _>("finished")
            .map_err(failed)?
            .map(|text| text.parse().map_err(damaged))
            .transpose()?,
        outcome: text("outcome")?,
    })
}

#[cfg(test)]
mod tests {
    use lockgate_core::{RunId, Timestamp};

    use super::*;

    #[test]
    fn what_is_put_twice_is_there_once() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let catalog = SqliteCatalog::open(&dir.path().join("c.db"), runtime.handle().clone()).unwrap();
        let mut run = Run {
            id: RunId::generate(),
            pipeline: "p".parse().unwrap(),
            pipeline_digest: "d".into(),
            purpose: "x".into(),
            started: Timestamp::from_millis(5),
            finished: None,
            outcome: "running".into(),
        };
        catalog.put_run(&run).unwrap();
        assert_eq!(catalog.close_open_runs().unwrap(), 1);
        run.finished = Some(Timestamp::from_millis(9));
        run.outcome = "done".into();
        catalog.put_run(&run).unwrap();
        assert_eq!(catalog.runs(10).unwrap(), [run]);
        let snapshot = Snapshot {
            manifest: "m".into(),
            dataset: "d".into(),
            version: 1,
            run: "r".into(),
            created: "t".into(),
            rows: 3,
            subjects: 2,
            classification: "internal".into(),
            owner: "o".into(),
            purpose: "x".into(),
        };
        let edge = Edge {
            from_dataset: "s".into(),
            from_column: "a".into(),
            to_dataset: "d".into(),
            to_version: 1,
            to_column: "b".into(),
            transformation: "mask".into(),
        };
        for _ in 0..2 {
            catalog.put_snapshot(&snapshot, std::slice::from_ref(&edge)).unwrap();
        }
        assert_eq!(catalog.snapshots().unwrap(), [snapshot]);
        assert_eq!(catalog.lineage("s", Some("a")).unwrap(), [edge]);
        assert!(catalog.lineage("s", Some("zz")).unwrap().is_empty());
    }

    #[test]
    fn a_damaged_file_is_named_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.db");
        std::fs::write(&path, b"this is not a database, but it is long enough to look at").unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let failure = SqliteCatalog::open(&path, runtime.handle().clone()).unwrap_err();
        assert_eq!(failure.fault(), lockgate_core::Fault::Integrity);
        assert!(failure.hint_text().unwrap().contains("catalog rebuild"));
    }
}
