//! SQL over snapshots, with policy in the logical plan and column-level lineage out of it.
//!
//! Invariants: a query sees a snapshot only through a view whose plan starts with the row filters
//! and masks of the decision, so that no SQL can reach around them; a hidden column does not
//! exist; only reading is possible; a session and its caches live for one query, so that nothing
//! outlives a revoked key. This crate does not ask policy; it is told.

mod files;
mod lineage;
mod table;

pub use files::{Files, Source};

use std::{ops::ControlFlow, path::PathBuf, sync::Arc, time::Duration};

use datafusion::{
    catalog::TableProvider,
    common::DFSchema,
    execution::{
        context::SQLOptions, memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder,
        session_state::SessionStateBuilder,
    },
    logical_expr::{Expr, LogicalPlanBuilder, ident},
    prelude::{DataFrame, SessionConfig, SessionContext},
    sql::sqlparser::{
        ast::visit_relations,
        dialect::GenericDialect,
        keywords::Keyword,
        parser::Parser,
        tokenizer::{Token, Tokenizer},
    },
};
use futures::StreamExt as _;
use lockgate_core::{Failure, Result};
use lockgate_lake::{Lake, QueryEngine, QueryResult, QueryTable};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use crate::table::SnapshotTable;

/// What a query may hold in memory before it fails.
const MEMORY_BYTES_MAX: usize = 1 << 30;
/// How long a query may run before it fails.
const TIME_MAX: Duration = Duration::from_mins(10);
const BATCH_ROWS: usize = 8_192;
/// Operators and keywords of one query.
const LEVELS_MAX: usize = 512;
/// Tables of one query, each time they are named: views within views multiply.
const RELATIONS_MAX: usize = 24;
const PLANNING_STACK_BYTES: usize = 256 << 20;

/// DataFusion.
#[derive(Clone, Debug)]
pub struct Engine {
    runtime: Handle,
}

impl Engine {
    pub fn new(runtime: Handle) -> Self {
        Self { runtime }
    }

    fn session() -> Result<SessionContext> {
        let config = SessionConfig::new()
            .with_batch_size(BATCH_ROWS)
            .with_target_partitions(2)
            .with_information_schema(false)
            .with_collect_statistics(false);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(MEMORY_BYTES_MAX)))
            // Spilling would put plaintext on disk.
            .with_disk_manager_builder(
                datafusion::execution::disk_manager::DiskManagerBuilder::default()
                    .with_mode(datafusion::execution::disk_manager::DiskManagerMode::Disabled),
            )
            .build_arc()
            .map_err(|_| Failure::bug("the query engine could not start"))?;
        let state =
            SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features().build();
        Ok(SessionContext::new_with_state(state))
    }

    /// Registers the only tables that the query will find.
    fn register(context: &SessionContext, lake: &Lake, tables: Vec<QueryTable>, spool: &std::path::Path) -> Result<()> {
        for table in tables {
            let name = table.name.clone();
            let view = view(context, lake, table, spool)?;
            context
                .register_table(datafusion::common::TableReference::bare(name.clone()), view)
                .map_err(|_| Failure::bug(format!("table {name} could not be registered")))?;
        }
        Ok(())
    }
}

/// Refuses SQL that nests deeper, or multiplies more, than planning can follow. Every word but
/// those of a plain list may be one level.
fn bounded(sql: &str) -> Result<()> {
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, sql).tokenize().map_err(|_| Failure::input("the query is not SQL"))?;
    let nests = |token: &&Token| match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword && word.keyword != Keyword::NULL,
        Token::Whitespace(_) | Token::Comma | Token::Number(..) | Token::SingleQuotedString(_) => false,
        Token::LParen | Token::RParen | Token::Period | Token::SemiColon | Token::EOF => false,
        _ => true,
    };
    let levels = tokens.iter().filter(nests).count();
    if levels > LEVELS_MAX {
        return Err(Failure::input(format!("the query has {levels} operators and keywords; {LEVELS_MAX} are allowed"))
            .hint("use IN for a list of values, or derive a feature set in steps"));
    }
    let relations = with_deep_stack(|| {
        let mut relations = 0;
        for statement in Parser::parse_sql(&dialect, sql).unwrap_or_default() {
            let _: ControlFlow<()> = visit_relations(&statement, |_| {
                relations += 1;
                ControlFlow::Continue(())
            });
        }
        Ok(relations)
    })?;
    if relations > RELATIONS_MAX {
        return Err(Failure::input(format!("the query names {relations} tables; {RELATIONS_MAX} are allowed"))
            .hint("derive a feature set in steps"));
    }
    Ok(())
}

/// Planning recurses over the query; it gets a stack that [`LEVELS_MAX`] levels fit into.
fn with_deep_stack<T: Send>(plan: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("planner".into())
            .stack_size(PLANNING_STACK_BYTES)
            .spawn_scoped(scope, plan)
            .map_err(|_| Failure::unreachable("a thread could not be started"))?
            .join()
            .unwrap_or_else(|_| Err(Failure::bug("planning panicked")))
    })
}

/// The message of a planning error names columns and tables, never values.
fn refused(error: &datafusion::error::DataFusionError) -> Failure {
    let text = error.strip_backtrace();
    let first = text.lines().next().unwrap_or_default();
    Failure::input(format!("the query cannot be planned: {first}"))
        .hint("a column that policy hides does not exist for you; only SELECT is possible")
}

impl QueryEngine for Engine {
    fn tables(&self, sql: &str) -> Result<Vec<String>> {
        bounded(sql)?;
        with_deep_stack(|| {
            let context = Self::session()?;
            let state = context.state();
            let statement =
                state.sql_to_statement(sql, &datafusion::config::Dialect::Generic).map_err(|error| refused(&error))?;
            let references = state.resolve_table_references(&statement).map_err(|error| refused(&error))?;
            Ok(references.iter().map(|reference| reference.table().to_owned()).collect())
        })
    }

    fn run(&self, sql: &str, lake: &Lake, tables: Vec<QueryTable>, spool: PathBuf) -> Result<QueryResult> {
        let context = Self::session()?;
        // Reading a remote lake blocks, which must not happen inside the runtime.
        Self::register(&context, lake, tables, &spool)?;
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let deadline = Instant::now() + TIME_MAX;
        let late = || {
            Failure::unreachable("the query runs longer than 10 minutes")
                .hint("filter or aggregate earlier; derive a feature set from what takes long")
        };
        bounded(sql)?;
        let (frame, stream) = with_deep_stack(|| {
            self.runtime.block_on(async {
                let frame = context.sql_with_options(sql, read_only).await.map_err(|error| refused(&error))?;
                let stream = frame.clone().execute_stream().await.map_err(|error| refused(&error))?;
                Ok::<_, Failure>((frame, stream))
            })
        })?;
        let lineage = lineage::of(frame.logical_plan());
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let runtime = self.runtime.clone();
        let mut stream = stream;
        let batches = std::iter::from_fn(move || {
            // The context keeps the tables alive for as long as there are batches.
            let _ = &context;
            let next = runtime.block_on(async { timeout_at(deadline, stream.next()).await });
            let Ok(next) = next else { return Some(Err(late())) };
            next.map(|batch| {
                batch.map_err(|error| match error.find_root() {
                    datafusion::error::DataFusionError::ResourcesExhausted(_) => {
                        Failure::unreachable("the query needs more than 1 GiB of memory")
                            .hint("aggregate earlier or select fewer columns")
                    }
                    datafusion::error::DataFusionError::External(cause) if cause.is::<Failure>() => {
                        Failure::denied(cause.to_string())
                    }
                    // Its text may quote a value.
                    _ => Failure::input("the query failed while it ran")
                        .hint("a cast or a division that does not fit the data does this"),
                })
            })
        });
        Ok(QueryResult { schema, columns: lineage.columns, indirect: lineage.indirect, batches: Box::new(batches) })
    }
}

/// The only thing a query gets to see of a snapshot: filters, then masks, then the user's SQL.
fn view(
    context: &SessionContext,
    lake: &Lake,
    table: QueryTable,
    spool: &std::path::Path,
) -> Result<Arc<dyn TableProvider>> {
    let name = table.name.clone();
    let broken = |what: &str| Failure::input(format!("policy attaches {what} to {name} that is not valid SQL"));
    let raw = Arc::new(SnapshotTable::new(lake, &table, spool)?);
    let schema = raw.schema();
    let source = datafusion::datasource::provider_as_source(raw);
    let mut builder = LogicalPlanBuilder::scan(name.as_str(), source, None).map_err(|_| broken("a plan"))?;
    let qualified = DFSchema::try_from_qualified_schema(name.as_str(), &schema).map_err(|_| broken("a schema"))?;
    for filter in &table.row_filters {
        let filter = context.parse_sql_expr(filter, &qualified).map_err(|_| broken("a row filter"))?;
        builder = builder.filter(filter).map_err(|_| broken("a row filter"))?;
    }
    let mut columns: Vec<Expr> = Vec::new();
    for field in schema.fields() {
        if table.hidden_columns.contains(field.name()) {
            continue;
        }
        columns.push(match table.column_masks.get(field.name()) {
            Some(mask) => context.parse_sql_expr(mask, &qualified).map_err(|_| broken("a mask"))?.alias(field.name()),
            None => ident(field.name()),
        });
    }
    if columns.is_empty() {
        return Err(Failure::denied(format!("policy hides every column of {name}")));
    }
    let plan = builder.project(columns).and_then(LogicalPlanBuilder::build).map_err(|_| broken("a mask"))?;
    Ok(DataFrame::new(context.state(), plan).into_view())
}

#[cfg(test)]
mod tests;
