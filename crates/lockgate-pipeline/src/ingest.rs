//! Ingest: from an authenticated source through contract, quality and protection to a committed
//! snapshot, with a ledger of every transformation and a quarantine for what was refused.

mod commit;
mod distribution;
mod gates;
mod quarantine;
mod release;

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{AsArray as _, RecordBatch},
    compute::{cast, filter},
    datatypes::{DataType, SchemaRef, UInt64Type},
};
use lockgate_core::{Clock, Digest, Failure, Fault, Name, Result, RunId, yaml};
use lockgate_detect::{Engine, Options};
use lockgate_keys::{KeyId, Pseudonymizer};
use lockgate_lake::{Layout, SnapshotRef, SnapshotWriter, TableWriter};
use lockgate_policy::Resource;
use lockgate_protect::{Allowance, Events, Protector, Rules};
use lockgate_quality::{
    Checked, Checker, Contract, Keys, Measures, Metric, ReferenceKeys, RuleOutcome, Subject, expect::Suite,
};
use lockgate_source::{Authenticated, Content, Fetcher, RowBatch, Rows, authenticate, public_uri};
use serde::Serialize;
use serde_json::json;

pub use self::release::{Released, release};
use self::{
    gates::{Guilty, Reading, Refusal, Verdict},
    quarantine::Quarantine,
    release::Releases,
};
use crate::{
    Progress, Workspace,
    audit::Event,
    config::{Expectations, Ingest, Pipeline},
    contract::references,
    names, recognizers,
    stopwatch::Stopwatch,
};

/// What came of one source.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub snapshot: SnapshotRef,
    /// The same input gave this snapshot before; nothing was done.
    pub unchanged: bool,
    pub rows_read: u64,
    pub rows_committed: u64,
    pub rows_quarantined: u64,
    pub transformations: u64,
    pub subjects: u64,
    pub quarantine: Option<SnapshotRef>,
    /// Violations by column and rule.
    pub violations: Vec<(String, String, u64)>,
    pub findings: Vec<FindingSummary>,
    /// Verdicts on the contract's quality rules.
    pub quality: Vec<RuleOutcome>,
    pub sources: Vec<String>,
    /// CPU time by stage; empty when nothing was done.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cpu_seconds: BTreeMap<String, f64>,
}

/// An entity that was found in a column.
#[derive(Clone, Debug, Serialize)]
pub struct FindingSummary {
    pub column: String,
    pub entity: String,
    pub operator: String,
    pub count: u64,
}

/// Ingests the source `name` of `pipeline`.
pub fn ingest(
    workspace: &mut Workspace,
    pipeline: &Pipeline,
    name: &Name,
    run: &RunId,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let spec =
        pipeline.file.sources.get(name).ok_or_else(|| Failure::usage(format!("the pipeline has no source {name}")))?;
    let contract = Contract::read(&pipeline.base.join(&spec.contract))?;
    if contract.dataset != *name {
        return Err(Failure::input(format!("source {name} has the contract of {}", contract.dataset))
            .hint("the source, the contract's schema and the dataset share one name"));
    }
    if let Some(rule) = contract.quality.iter().find(|rule| matches!(rule.metric, Metric::Sql(_))) {
        return Err(Failure::input(format!("quality rule {:?} is SQL, which ingestion does not run", rule.name)).hint(
            "`lockgate contract test` runs it; write it as a metric or an expectation to have it enforced here",
        ));
    }
    let basis = pipeline.file.lawful_basis.as_str();
    if let Some(own) = contract.lawful_basis.as_deref().filter(|own| *own != basis) {
        return Err(Failure::input(format!("the contract holds {name} on {own:?}, the pipeline uses it on {basis:?}"))
            .hint("both name the same lawful basis, as Article 6(1) of the GDPR has them"));
    }
    demand_permission(workspace, pipeline, &contract)?;
    progress.stage("authenticate", &public_uri(&spec.source.uri));
    let mut watch = Stopwatch::start();
    let sources = authenticate_all(workspace, pipeline, spec)?;
    watch.lap("authenticate");
    let suites = suites(spec, pipeline)?;
    let others = referenced(workspace, pipeline, &contract)?;
    let ingestion = fingerprint(spec, pipeline, &contract, &sources, &others)?;
    let releases = release::of(workspace, name, &ingestion)?;
    let fingerprint = match releases.count {
        0 => ingestion.clone(),
        count => Digest::of(format!("{ingestion} {count}").as_bytes()).to_string(),
    };
    if let Some(outcome) = unchanged(workspace, name, &fingerprint)? {
        if let Some(what) = commit::overdue(workspace, &contract)? {
            progress.note(&format!("warning: {what}"));
        }
        return Ok(outcome);
    }
    let keys = reference_keys(workspace, spec, &contract, &sources, &others)?;
    let verdicts = Vec::new();
    let contract = &contract;
    Run {
        workspace,
        pipeline,
        spec,
        contract,
        run,
        progress,
        ingestion,
        fingerprint,
        sources,
        suites,
        keys,
        released_by: releases.by.clone(),
        releases,
        verdicts,
        watch,
    }
    .execute()
}

/// Another source of the pipeline, to which a relationship leads.
struct Other<'p> {
    spec: &'p Ingest,
    contract: Contract,
    sources: Vec<(Content, Authenticated)>,
}

impl Other<'_> {
    fn fingerprint(&self) -> String {
        let digests: Vec<String> = self.sources.iter().map(|(_, record)| record.digest.to_string()).collect();
        format!("{} {} {:?} {digests:?}", self.contract.dataset, self.contract.digest, self.spec.source.encoding)
    }
}

/// The other sources that the contract's relationships lead to, authenticated.
fn referenced<'p>(workspace: &mut Workspace, pipeline: &'p Pipeline, contract: &Contract) -> Result<Vec<Other<'p>>> {
    let mut all: Vec<Other<'p>> = Vec::new();
    for reference in references(contract) {
        let own = contract.dataset.as_str();
        if reference.dataset == own || all.iter().any(|other| other.contract.dataset.as_str() == reference.dataset) {
            continue;
        }
        let place = |failure: Failure| failure.at(format!("the relationship to {}", reference.dataset));
        let name: Name = reference.dataset.parse().map_err(place)?;
        let spec = pipeline.file.sources.get(&name).ok_or_else(|| {
            place(Failure::input("it cannot be checked: the pipeline has no source of that name"))
                .hint("add the source to this pipeline, or take the relationship out of the contract")
        })?;
        let contract = Contract::read(&pipeline.base.join(&spec.contract))?;
        demand_permission(workspace, pipeline, &contract)?;
        let sources = authenticate_all(workspace, pipeline, spec)?;
        all.push(Other { spec, contract, sources });
    }
    Ok(all)
}

/// The keys that the contract's relationships lead to: in this source itself, or in another one of
/// the pipeline, as its own contract lets its rows in.
fn reference_keys(
    workspace: &Workspace,
    spec: &Ingest,
    contract: &Contract,
    sources: &[(Content, Authenticated)],
    others: &[Other<'_>],
) -> Result<ReferenceKeys> {
    let mut all = ReferenceKeys::new();
    for reference in references(contract) {
        let key = (reference.dataset.clone(), reference.to.clone());
        if all.contains_key(&key) {
            continue;
        }
        let other = others.iter().find(|other| other.contract.dataset.as_str() == reference.dataset);
        let (spec, contract, sources) =
            other.map_or((spec, contract, sources), |other| (other.spec, &other.contract, other.sources.as_slice()));
        let mut keys = Keys::default();
        each_accepted(workspace, spec, contract, sources, |batch| keys.add(batch, &reference.to))
            .map_err(|failure| failure.at(format!("the relationship to {}", reference.dataset)))?;
        all.insert(key, Arc::new(keys));
    }
    Ok(all)
}

/// Calls `each` with the rows of every batch that the contract lets in.
fn each_accepted(
    workspace: &Workspace,
    spec: &Ingest,
    contract: &Contract,
    sources: &[(Content, Authenticated)],
    mut each: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    let names: Vec<String> = contract.columns.iter().map(|c| c.name.clone()).collect();
    for (content, record) in sources {
        let mut rows = Rows::open(content, record, &spec.source, &names)?;
        let mut checker =
            Checker::new(contract, rows.header(), workspace.spool()).map_err(|failure| failure.at(&record.uri))?;
        while let Some(batch) = rows.next_batch()? {
            each(&checker.check(&batch.batch)?.accepted)?;
        }
        rows.finish()?;
    }
    Ok(())
}

/// The suites of expectations that the pipeline names.
fn suites(spec: &Ingest, pipeline: &Pipeline) -> Result<Vec<(Suite, Expectations)>> {
    let read = |asked: &Expectations| {
        let suite = Suite::read(&pipeline.base.join(&asked.suite))?;
        if suite.needs_sql() {
            return Err(Failure::input(format!(
                "{}: an expectation is SQL, which ingestion does not run",
                asked.suite.display()
            ))
            .hint("`lockgate expect` runs it; keep it in a suite of its own"));
        }
        Ok((suite, asked.clone()))
    };
    let all: Vec<(Suite, Expectations)> = spec.quality.expectations.iter().map(read).collect::<Result<_>>()?;
    for (index, (suite, asked)) in all.iter().enumerate() {
        if all.iter().take(index).any(|(other, _)| other.name == suite.name) {
            return Err(Failure::input(format!(
                "{}: another suite is called {:?}, too",
                asked.suite.display(),
                suite.name
            ))
            .hint("verdicts are kept by the suite's name: give each its own"));
        }
    }
    Ok(all)
}

fn demand_permission(workspace: &mut Workspace, pipeline: &Pipeline, contract: &Contract) -> Result<()> {
    let resource = Resource {
        kind: "dataset".into(),
        name: contract.dataset.to_string(),
        classification: Some(contract.classification()),
        purpose: Some(contract.purpose.clone()),
        columns: contract.columns.iter().map(|c| (c.name.clone(), c.classification)).collect(),
        ..Resource::default()
    };
    workspace.demand("ingest", resource, &pipeline.file.purpose).map(|_| ())
}

fn fetcher(workspace: &Workspace, pipeline: &Pipeline) -> Fetcher {
    Fetcher {
        base: pipeline.base.clone(),
        spool: workspace.spool(),
        s3: workspace.environment.s3.clone(),
        runtime: workspace.environment.runtime.clone(),
    }
}

/// Every file of the source, authenticated before one row of any of them is read.
fn authenticate_all(
    workspace: &mut Workspace,
    pipeline: &Pipeline,
    spec: &Ingest,
) -> Result<Vec<(Content, Authenticated)>> {
    let fetcher = fetcher(workspace, pipeline);
    let mut sources = Vec::new();
    for uri in fetcher.resolve(&spec.source)? {
        let content = fetcher.open(&uri, spec.source.tls.as_ref())?;
        match authenticate(&content, &uri, &spec.source, &workspace.config.publishers, &fetcher) {
            Ok(mut record) => {
                // Absolute paths would tie the record to this machine.
                if !uri.contains("://")
                    && let Ok(relative) = std::path::Path::new(&uri).strip_prefix(&pipeline.base)
                {
                    record.uri = relative.to_string_lossy().into_owned();
                }
                sources.push((content, record));
            }
            Err(failure) => {
                let event =
                    Event::new("source.refused", &workspace.principal.id, &public_uri(&spec.source.uri), Clock.now())
                        .detail(json!({"reason": failure.to_string()}));
                workspace.journal.append(vec![event])?;
                return Err(failure);
            }
        }
    }
    Ok(sources)
}

/// Equal fingerprints mean that ingesting again would give the same rows.
fn fingerprint(
    spec: &Ingest,
    pipeline: &Pipeline,
    contract: &Contract,
    sources: &[(Content, Authenticated)],
    others: &[Other<'_>],
) -> Result<String> {
    let others: Vec<String> = others.iter().map(Other::fingerprint).collect();
    let mut suites = String::new();
    for asked in &spec.quality.expectations {
        suites += &Digest::of(yaml::read_text(&pipeline.base.join(&asked.suite))?.as_bytes()).to_string();
    }
    let recognizers = match &spec.protection.recognizers {
        Some(path) => Digest::of(yaml::read_text(&pipeline.base.join(path))?.as_bytes()).to_string(),
        None => String::new(),
    };
    let digests: Vec<String> = sources.iter().map(|(_, s)| format!("{} {} {}", s.uri, s.digest, s.trust)).collect();
    let text = format!(
        "{:?}\n{:?}\n{:?}\n{}\n{}\n{:?}\n{}\n{digests:?}{recognizers}{suites}{others:?}",
        spec.protection,
        spec.quality,
        spec.source.encoding,
        spec.buckets,
        contract.digest,
        pipeline.file.lawful_basis,
        pipeline.file.purpose
    );
    Ok(Digest::of(text.as_bytes()).to_string())
}

fn unchanged(workspace: &Workspace, name: &Name, fingerprint: &str) -> Result<Option<Outcome>> {
    let Some(snapshot) = workspace.lake.head(name)? else {
        return Ok(None);
    };
    let manifest = workspace.lake.manifest(&snapshot)?;
    let recipe = &manifest.recipe;
    if recipe.get("fingerprint").and_then(|f| f.as_str()) != Some(fingerprint) {
        return Ok(None);
    }
    let number = |key: &str| recipe.get(key).and_then(serde_json::Value::as_u64).unwrap_or_default();
    Ok(Some(Outcome {
        unchanged: true,
        rows_read: number("rowsRead"),
        rows_committed: manifest.rows,
        rows_quarantined: number("rowsQuarantined"),
        transformations: number("transformations"),
        subjects: manifest.subjects.count,
        quarantine: recipe.get("quarantine").and_then(|q| serde_json::from_value(q.clone()).ok()),
        violations: Vec::new(),
        findings: Vec::new(),
        quality: Vec::new(),
        sources: Vec::new(),
        cpu_seconds: BTreeMap::new(),
        snapshot,
    }))
}

struct Run<'a> {
    workspace: &'a mut Workspace,
    pipeline: &'a Pipeline,
    spec: &'a Ingest,
    contract: &'a Contract,
    run: &'a RunId,
    progress: &'a dyn Progress,
    /// What it is made of and how; with the releases it is the fingerprint.
    ingestion: String,
    fingerprint: String,
    sources: Vec<(Content, Authenticated)>,
    suites: Vec<(Suite, Expectations)>,
    /// Of the datasets that relationships lead to.
    keys: ReferenceKeys,
    releases: Releases,
    released_by: Vec<String>,
    /// What the gates decided until now.
    verdicts: Vec<Verdict>,
    watch: Stopwatch,
}

/// Running totals.
#[derive(Default)]
struct Totals {
    read: u64,
    committed: u64,
    quarantined: u64,
    /// Of those, what quality gates put aside, by gate.
    refusals: BTreeMap<String, u64>,
    /// Rows that gates would have put aside and a person has released.
    released: u64,
    transformations: u64,
    violations: BTreeMap<(String, String), u64>,
}

/// What the rows flow through.
struct Gates<'g> {
    protector: Protector<'g>,
    writer: SnapshotWriter,
    ledger: TableWriter,
    quarantine: Quarantine,
    subjects: Pseudonymizer,
    measures: Option<Measures<'g>>,
    /// Verdicts on the quality rules, once all rows were seen.
    quality: Vec<RuleOutcome>,
}

impl<'a> Run<'a> {
    fn execute(mut self) -> Result<Outcome> {
        let own = self.spec.protection.recognizers.as_ref().map(|path| self.pipeline.base.join(path));
        let engine = recognizers::engine(own.as_deref(), Options::default())?;
        let engine = names::add(engine, self.spec.protection.names, &self.workspace.environment.networks)?;
        let names: Vec<String> = self.contract.columns.iter().map(|c| c.name.clone()).collect();
        let poisoned =
            distribution::outliers(&self.sources, self.spec, self.contract, &names, &self.workspace.spool())?;
        let mut gates: Option<Gates<'_>> = None;
        let mut checker: Option<Checker<'_>> = None;
        let mut totals = Totals::default();
        self.watch.lap("distribution");
        let mut guilty = self.judge_all(&engine, &names, &poisoned)?;
        self.watch.lap("quality gates");
        self.progress.stage("check and protect", self.contract.dataset.as_str());
        let sources = std::mem::take(&mut self.sources);
        for (index, (content, record)) in sources.iter().enumerate() {
            let mut rows = Rows::open(content, record, &self.spec.source, &names)?;
            let first_row = totals.read;
            let mut fresh = match checker.take() {
                // One checker for all files, so that keys stay unique across them.
                Some(checker) if checker.header() == rows.header() => checker,
                Some(_) => {
                    return Err(Failure::input(format!("{} has another header than the files before it", record.uri)));
                }
                None => {
                    Checker::new(self.contract, rows.header(), self.workspace.spool()).map_err(|f| f.at(&record.uri))?
                }
            };
            if gates.is_none() {
                for column in fresh.absent() {
                    self.progress.note(&format!("{} has no column {column:?}; it is null in every row", record.uri));
                }
                gates = Some(self.open_gates(&engine, fresh.schema())?);
            }
            let Some(open) = gates.as_mut() else {
                return Err(Failure::bug("the gates did not open"));
            };
            while let Some(mut batch) = rows.next_batch()? {
                self.watch.lap("read");
                totals.read += (batch.rows.len() + batch.malformed.len()) as u64;
                for row in &mut batch.rows {
                    *row += first_row;
                }
                for malformed in &batch.malformed {
                    open.quarantine.malformed(first_row + malformed.row, &malformed.fields, &mut totals)?;
                }
                if let Some(rule) = poisoned.get(&index) {
                    open.quarantine.whole_batch(&batch.batch, &batch.rows, rule, &mut totals)?;
                    continue;
                }
                let checked = fresh.check(&batch.batch)?;
                self.watch.lap("contract");
                open.quarantine.violations(&batch.batch, &batch.rows, &checked, self.contract, &mut totals)?;
                let checked = set_aside(open, &mut guilty, index, &batch, first_row, checked, &mut totals)?;
                self.watch.lap("quarantine");
                self.accept(open, &checked, &batch.rows, &mut totals)?;
                names::check(&engine)?;
                self.progress.rows(totals.read);
            }
            rows.finish()?;
            checker = Some(fresh);
        }
        let mut gates = gates.ok_or_else(|| Failure::input("the source has no file"))?;
        self.judge(&mut gates, &totals)?;
        self.commit(gates, totals, sources)
    }

    /// The gates that see all rows before one is committed.
    fn judge_all(&mut self, engine: &Engine, names: &[String], refused: &BTreeMap<usize, String>) -> Result<Guilty> {
        if !Guilty::is_asked(self.spec) {
            return Ok(Guilty::default());
        }
        self.progress.stage("judge", self.contract.dataset.as_str());
        let golden = self.spec.quality.baseline.as_ref().map(|golden| self.pipeline.base.join(&golden.file));
        let content = golden.as_deref().map(Content::file).transpose()?;
        let spool = self.workspace.spool();
        let reading = Reading {
            sources: &self.sources,
            refused,
            golden: content.as_ref(),
            spec: self.spec,
            contract: self.contract,
            names,
            spool: &spool,
            engine,
            suites: &self.suites,
        };
        let found = Guilty::find(&reading, std::mem::take(&mut self.releases));
        if let Err(failure) = &found
            && failure.fault() == Fault::Integrity
        {
            // Somebody may have exchanged what the rows are held against.
            let dataset = self.contract.dataset.as_str();
            let event = Event::new("baseline.refused", &self.workspace.principal.id, dataset, Clock.now())
                .run(self.run)
                .detail(json!({"reason": failure.to_string()}));
            self.workspace.journal.append(vec![event])?;
        }
        let guilty = found?;
        for verdict in guilty.verdicts.iter().filter(|verdict| !verdict.passed) {
            self.progress.note(&format!("{} ({}): {}", verdict.gate, verdict.on_fail.as_str(), verdict.detail));
        }
        self.verdicts.extend(guilty.verdicts.iter().cloned());
        if let Some(verdict) = guilty.stops() {
            let failure = Failure::findings(format!("gate {:?} failed: {}", verdict.gate, verdict.detail))
                .hint(format!("nothing was committed; `lockgate explain {}` shows what was seen", self.run));
            self.record_failure()?;
            return Err(failure);
        }
        Ok(guilty)
    }

    fn open_gates<'g>(&self, engine: &'g Engine, schema: &SchemaRef) -> Result<Gates<'g>>
    where
        'a: 'g,
    {
        let workspace = &*self.workspace;
        let dataset = &self.contract.dataset;
        let protection_key = protection_key(dataset);
        workspace.keys.create(&protection_key)?;
        let rules = Rules {
            columns: self.spec.protection.columns.clone(),
            allowances: self
                .spec
                .protection
                .allow
                .iter()
                .map(|a| Allowance { column: a.column.clone(), entity: a.entity.clone(), reason: a.reason.clone() })
                .collect(),
        };
        let protector =
            Protector::new(engine, self.contract, &rules, workspace.keys.as_ref(), &protection_key, schema)?;
        let generation = workspace.lake.versions(dataset)?.len() as u64 + 1;
        let columns = self
            .contract
            .columns
            .iter()
            .filter(|column| protector.schema().index_of(&column.name).is_ok())
            .map(|column| (column.name.clone(), column.classification))
            .collect();
        let layout = Layout {
            dataset: dataset.clone(),
            columns,
            schema: protector.schema().clone(),
            buckets: self.spec.buckets,
            generation,
        };
        let spool = workspace.spool();
        let writer = SnapshotWriter::new(&workspace.lake, Arc::clone(&workspace.keys), layout, &spool)?;
        let ledger = TableWriter::new(
            &workspace.lake,
            &workspace.keys,
            dataset,
            &format!("ledger.g{generation}"),
            Events::schema(),
            &spool,
        )?;
        let subjects =
            Pseudonymizer::new(&workspace.keys.derive(&subject_key(dataset, workspace)?, "lockgate/v1/subject")?);
        let quarantine =
            Quarantine::new(workspace, dataset, self.spec.buckets, subject_name(self.contract), subjects.clone())?;
        let measures = Some(Measures::new(self.contract, schema, spool).with_keys(&self.keys));
        Ok(Gates { protector, writer, ledger, quarantine, subjects, measures, quality: Vec::new() })
    }

    fn accept(&mut self, gates: &mut Gates<'_>, checked: &Checked, rows: &[u64], totals: &mut Totals) -> Result<()> {
        if checked.accepted.num_rows() == 0 {
            return Ok(());
        }
        let all = arrow::array::UInt64Array::from(rows.to_vec());
        let kept = filter(&all, &checked.mask).map_err(|_| Failure::bug("row numbers could not be filtered"))?;
        let kept = kept.as_primitive::<UInt64Type>().values();
        if let Some(measures) = &mut gates.measures {
            measures.update(&checked.accepted)?;
        }
        let subjects = commitments(&checked.accepted, self.contract, &gates.subjects)?;
        self.watch.lap("subjects");
        let protected = gates.protector.protect(&checked.accepted, kept)?;
        self.watch.lap("detect and protect");
        totals.transformations += protected.events.transformations();
        if !protected.events.is_empty() {
            gates.ledger.write(&protected.events.to_batch(Clock.now())?)?;
        }
        self.watch.lap("ledger");
        gates.writer.write(&protected.batch, &subjects)?;
        self.watch.lap("encrypt and write");
        totals.committed += protected.batch.num_rows() as u64;
        Ok(())
    }
}

/// Puts the rows aside that the gates found guilty, and returns what is left of the batch.
fn set_aside(
    open: &mut Gates<'_>,
    guilty: &mut Guilty,
    file: usize,
    batch: &RowBatch,
    first_row: u64,
    mut checked: Checked,
    totals: &mut Totals,
) -> Result<Checked> {
    let accepted: Vec<usize> = (0..batch.rows.len()).filter(|at| checked.mask.value(*at)).collect();
    let numbers: Vec<u64> =
        accepted.iter().filter_map(|at| batch.rows.get(*at)).map(|number| number - first_row).collect();
    let (refused, released) = guilty.refused(file, &checked.accepted, &numbers, first_row)?;
    totals.released += released;
    if refused.is_empty() {
        return Ok(checked);
    }
    let places: Vec<(usize, Refusal)> =
        refused.iter().filter_map(|(at, why)| Some((*accepted.get(*at)?, why.clone()))).collect();
    open.quarantine.refusals(&batch.batch, &batch.rows, &places, totals)?;
    checked.accepted = gates::without(&checked.accepted, &refused)?;
    let out: std::collections::BTreeSet<usize> = places.into_iter().map(|(at, _)| at).collect();
    checked.mask = (0..batch.rows.len()).map(|at| Some(checked.mask.value(at) && !out.contains(&at))).collect();
    Ok(checked)
}

/// The key that tokens and hashes of a dataset are made with.
pub fn protection_key(dataset: &Name) -> KeyId {
    KeyId::purpose(format!("protect.{dataset}"))
}

/// The key behind the subject commitments of a dataset.
fn subject_key(dataset: &Name, workspace: &Workspace) -> Result<KeyId> {
    let id = KeyId::purpose(format!("subject.{dataset}"));
    workspace.keys.create(&id)?;
    Ok(id)
}

fn subject_name(contract: &Contract) -> Option<String> {
    match contract.subject {
        Subject::Column(index) => contract.columns.get(index).map(|column| column.name.clone()),
        Subject::None => None,
    }
}

fn commitments(batch: &RecordBatch, contract: &Contract, subjects: &Pseudonymizer) -> Result<Vec<Option<[u8; 16]>>> {
    let Subject::Column(index) = contract.subject else {
        return Ok(vec![None; batch.num_rows()]);
    };
    let texts =
        cast(batch.column(index), &DataType::Utf8).map_err(|_| Failure::bug("the subject column is not text"))?;
    Ok(texts.as_string::<i32>().iter().map(|text| text.map(|text| subjects.pseudonym(text.as_bytes()))).collect())
}
