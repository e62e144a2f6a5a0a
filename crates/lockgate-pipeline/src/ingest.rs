//! Ingest: from an authenticated source through contract, quality and protection to a committed
//! snapshot, with a ledger of every transformation and a quarantine for what was refused.

mod distribution;
mod quarantine;

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{AsArray as _, RecordBatch},
    compute::{cast, filter},
    datatypes::{DataType, UInt64Type},
};
use lockgate_catalog::{Catalog as _, Gate};
use lockgate_core::{Clock, Digest, Failure, Name, Result, RunId};
use lockgate_detect::Engine;
use lockgate_keys::{KeyId, Pseudonymizer};
use lockgate_lake::{
    Column, ContractRecord, Governance, Layout, Manifest, SnapshotRef, SnapshotWriter, Staged, TableWriter,
};
use lockgate_policy::Resource;
use lockgate_protect::{Allowance, Events, FindingCount, Operator, Protector, Rules};
use lockgate_quality::{Checked, Checker, Contract, Subject};
use lockgate_source::{Authenticated, Content, Fetcher, Rows, authenticate, public_uri};
use serde::Serialize;
use serde_json::json;

use self::quarantine::Quarantine;
use crate::{
    Progress, Workspace,
    audit::{Event, keys_created},
    config::{Ingest, Pipeline},
    reindex,
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
    demand_permission(workspace, pipeline, &contract)?;
    progress.stage("authenticate", &public_uri(&spec.source.uri));
    let mut watch = Stopwatch::start();
    let sources = authenticate_all(workspace, pipeline, spec)?;
    watch.lap("authenticate");
    let fingerprint = fingerprint(spec, pipeline, &contract, &sources);
    if let Some(outcome) = unchanged(workspace, name, &fingerprint)? {
        return Ok(outcome);
    }
    Run { workspace, pipeline, spec, contract: &contract, run, progress, fingerprint, sources, watch }.execute()
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
) -> String {
    let digests: Vec<String> = sources.iter().map(|(_, s)| format!("{} {} {}", s.uri, s.digest, s.trust)).collect();
    let text = format!(
        "{:?}\n{:?}\n{:?}\n{}\n{}\n{:?}\n{}\n{digests:?}",
        spec.protection,
        spec.quality,
        spec.source.encoding,
        spec.buckets,
        contract.digest,
        pipeline.file.lawful_basis,
        pipeline.file.purpose
    );
    Digest::of(text.as_bytes()).to_string()
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
    fingerprint: String,
    sources: Vec<(Content, Authenticated)>,
    watch: Stopwatch,
}

/// Running totals.
#[derive(Default)]
struct Totals {
    read: u64,
    committed: u64,
    quarantined: u64,
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
}

impl Run<'_> {
    fn execute(mut self) -> Result<Outcome> {
        let engine = Engine::new();
        let names: Vec<String> = self.contract.columns.iter().map(|c| c.name.clone()).collect();
        let poisoned =
            distribution::outliers(&self.sources, self.spec, self.contract, &names, &self.workspace.spool())?;
        let mut gates: Option<Gates<'_>> = None;
        let mut checker: Option<Checker<'_>> = None;
        let mut totals = Totals::default();
        self.watch.lap("distribution");
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
                self.watch.lap("quarantine");
                self.accept(open, &checked, &batch.rows, &mut totals)?;
                self.progress.rows(totals.read);
            }
            rows.finish()?;
            checker = Some(fresh);
        }
        let gates = gates.ok_or_else(|| Failure::input("the source has no file"))?;
        self.judge(&gates, &totals)?;
        self.commit(gates, totals, sources)
    }

    fn open_gates<'g>(&self, engine: &'g Engine, schema: &arrow::datatypes::Schema) -> Result<Gates<'g>> {
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
        Ok(Gates { protector, writer, ledger, quarantine, subjects })
    }

    fn accept(&mut self, gates: &mut Gates<'_>, checked: &Checked, rows: &[u64], totals: &mut Totals) -> Result<()> {
        if checked.accepted.num_rows() == 0 {
            return Ok(());
        }
        let all = arrow::array::UInt64Array::from(rows.to_vec());
        let kept = filter(&all, &checked.mask).map_err(|_| Failure::bug("row numbers could not be filtered"))?;
        let kept = kept.as_primitive::<UInt64Type>().values();
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

    /// The verdicts that concern the source as a whole.
    fn judge(&mut self, gates: &Gates<'_>, totals: &Totals) -> Result<()> {
        let share = if totals.read == 0 { 0.0 } else { totals.quarantined as f64 * 100.0 / totals.read as f64 };
        let allowed = self.spec.quality.max_quarantined_percent;
        let contract = format!(
            "{} of {} rows broke the contract ({share:.2} %, allowed {allowed} %)",
            totals.quarantined, totals.read
        );
        let clean = gates.protector.demand_clean_public_columns();
        let verdicts = [
            ("contract", share <= allowed && totals.committed > 0, contract.clone()),
            (
                "classification",
                clean.is_ok(),
                clean.as_ref().err().map_or_else(|| "no finding in a public column".to_owned(), ToString::to_string),
            ),
        ];
        for (gate, passed, detail) in &verdicts {
            self.workspace.catalog.put_gate(&Gate {
                run: self.run.to_string(),
                gate: format!("{}/{gate}", self.contract.dataset),
                passed: *passed,
                detail: detail.clone(),
            })?;
        }
        if let Some((gate, _, detail)) = verdicts.iter().find(|(_, passed, _)| !passed) {
            let event =
                Event::new("gate.failed", &self.workspace.principal.id, self.contract.dataset.as_str(), Clock.now())
                    .run(self.run)
                    .detail(json!({"gate": gate, "detail": detail, "violations": violations(totals)}));
            self.workspace.journal.append(vec![event])?;
        }
        if totals.read == 0 {
            return Err(Failure::input("the source has no row; nothing was committed"));
        }
        if totals.committed == 0 {
            return Err(Failure::findings(format!("no row satisfies the contract: {}", worst(totals))));
        }
        if share > allowed {
            return Err(Failure::findings(format!("{contract}; most often: {}", worst(totals))).hint(
                "nothing was committed; mend the source or the contract, or raise quality.maxQuarantinedPercent",
            ));
        }
        clean
    }

    fn commit(mut self, gates: Gates<'_>, totals: Totals, sources: Vec<(Content, Authenticated)>) -> Result<Outcome> {
        self.progress.stage("commit", self.contract.dataset.as_str());
        let findings: Vec<FindingCount> = gates.protector.findings();
        let staged = gates.writer.finish()?;
        self.watch.lap("encrypt and write");
        let ledger = gates.ledger.finish()?;
        let ledger_digest = ledger.digest;
        let quarantined = gates.quarantine.finish(self.workspace, self.run, &self.governance())?;
        let mut manifest = self.manifest(staged, &totals, &sources)?;
        manifest.files.push(ledger);
        let recipe = json!({
            "fingerprint": self.fingerprint,
            "pipeline": self.pipeline.file.name,
            "pipelineDigest": self.pipeline.digest,
            "policyDigest": self.workspace.policy.digest(),
            "rowsRead": totals.read,
            "rowsQuarantined": totals.quarantined,
            "transformations": totals.transformations,
            "quarantine": quarantined,
        });
        manifest.recipe = recipe;
        let snapshot = self.workspace.lake.stage(&self.workspace.signer, &manifest)?;
        let events =
            self.events(&snapshot, &manifest, &totals, &findings, ledger_digest, quarantined.as_ref(), &sources);
        let mut snapshots = vec![snapshot.clone()];
        snapshots.extend(quarantined.clone());
        let Workspace { journal, lake, .. } = &mut *self.workspace;
        journal.commit(lake, &snapshots, events)?;
        for committed in &snapshots {
            let manifest = self.workspace.lake.manifest(committed)?;
            reindex::put_snapshot(&self.workspace.catalog, committed, &manifest)?;
        }
        self.watch.lap("commit");
        Ok(Outcome {
            snapshot,
            unchanged: false,
            rows_read: totals.read,
            rows_committed: totals.committed,
            rows_quarantined: totals.quarantined,
            transformations: totals.transformations,
            subjects: manifest.subjects.count,
            quarantine: quarantined,
            violations: totals.violations.into_iter().map(|((column, rule), count)| (column, rule, count)).collect(),
            findings: findings
                .iter()
                .map(|f| FindingSummary {
                    column: f.column.clone(),
                    entity: f.entity.to_string(),
                    operator: f.operator.to_owned(),
                    count: f.count,
                })
                .collect(),
            sources: sources.into_iter().map(|(_, record)| format!("{} ({})", record.uri, record.trust)).collect(),
            cpu_seconds: self.watch.seconds(),
        })
    }

    fn governance(&self) -> Governance {
        Governance {
            owner: self.contract.owner.clone(),
            purpose: self.contract.purpose.clone(),
            lawful_basis: self.pipeline.file.lawful_basis.as_str().into(),
            retention_days: self.contract.retention_days,
            classification: self.contract.classification(),
        }
    }

    fn manifest(&self, staged: Staged, totals: &Totals, sources: &[(Content, Authenticated)]) -> Result<Manifest> {
        let head = self.workspace.lake.head(&self.contract.dataset)?;
        if staged.rows != totals.committed || totals.committed + totals.quarantined != totals.read {
            return Err(Failure::bug("the row counts do not add up"));
        }
        let columns = self.contract.columns.iter().filter_map(|column| {
            let operator = self
                .spec
                .protection
                .columns
                .get(&column.name)
                .cloned()
                .unwrap_or_else(|| Operator::default_for(column.classification));
            if operator == Operator::Drop {
                return None;
            }
            let text = matches!(operator, Operator::Mask(_) | Operator::Hash | Operator::Tokenize);
            Some(Column {
                name: column.name.clone(),
                logical_type: if text { "string".into() } else { column.logical_type.as_str().into() },
                classification: column.classification,
                protection: operator.as_str().into(),
                derived_from: vec![format!("source:{}/{}", self.contract.dataset, column.name)],
            })
        });
        Ok(Manifest {
            dataset: self.contract.dataset.clone(),
            version: head.as_ref().map_or(1, |head| head.version + 1),
            parent: head.map(|head| head.manifest),
            created: Clock.now(),
            run: self.run.clone(),
            columns: columns.collect(),
            rows: staged.rows,
            files: staged.files,
            subjects: staged.subjects,
            governance: self.governance(),
            contract: Some(ContractRecord {
                version: self.contract.version.clone(),
                digest: self.contract.digest,
                text: self.contract.text.clone(),
            }),
            sources: sources.iter().filter_map(|(_, record)| serde_json::to_value(record).ok()).collect(),
            inputs: Vec::new(),
            recipe: serde_json::Value::Null,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "the events tell of everything that was decided")]
    fn events(
        &self,
        snapshot: &SnapshotRef,
        manifest: &Manifest,
        totals: &Totals,
        findings: &[FindingCount],
        ledger: Digest,
        quarantined: Option<&SnapshotRef>,
        sources: &[(Content, Authenticated)],
    ) -> Vec<Event> {
        let dataset = self.contract.dataset.as_str();
        let event =
            |kind: &str, about: &str| Event::new(kind, &self.workspace.principal.id, about, Clock.now()).run(self.run);
        let mut events: Vec<Event> = sources
            .iter()
            .map(|(_, record)| {
                event("source.authenticated", &record.uri)
                    .detail(json!({"digest": record.digest, "trust": record.trust, "sizeBytes": record.size_bytes}))
            })
            .collect();
        let keys: Vec<&str> = manifest.files.iter().map(|file| file.key.as_str()).collect();
        events.extend(keys_created(&event("key.created", dataset), &keys));
        events.push(event("gate.passed", dataset).detail(json!({
            "gate": "contract", "contract": self.contract.digest, "rowsRead": totals.read,
            "rowsCommitted": totals.committed, "rowsQuarantined": totals.quarantined, "violations": violations(totals),
        })));
        let found: Vec<_> = findings
            .iter()
            .map(|f| json!({"column": f.column, "entity": f.entity.as_str(), "operator": f.operator, "count": f.count}))
            .collect();
        let allowances: Vec<_> = self
            .spec
            .protection
            .allow
            .iter()
            .map(|a| json!({"column": a.column, "entity": a.entity, "reason": a.reason}))
            .collect();
        events.push(event("data.protected", dataset).detail(json!({
            "ledger": ledger, "transformations": totals.transformations, "findings": found, "allowances": allowances,
        })));
        if let Some(quarantined) = quarantined {
            events.push(
                event("snapshot.committed", &quarantined.to_string())
                    .detail(json!({"manifest": quarantined.manifest, "rows": totals.quarantined})),
            );
        }
        events.push(event("snapshot.committed", &snapshot.to_string()).detail(json!({
            "manifest": snapshot.manifest, "rows": manifest.rows, "subjects": manifest.subjects.count,
            "subjectRoot": manifest.subjects.root, "purpose": manifest.governance.purpose, "policy": self.workspace.policy.digest(),
        })));
        events
    }
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

fn violations(totals: &Totals) -> Vec<serde_json::Value> {
    totals
        .violations
        .iter()
        .map(|((column, rule), count)| json!({"column": column, "rule": rule, "count": count}))
        .collect()
}

fn worst(totals: &Totals) -> String {
    let mut all: Vec<_> = totals.violations.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let named: Vec<String> =
        all.iter().take(3).map(|((column, rule), count)| format!("{column}: {rule} ({count} times)")).collect();
    named.join(", ")
}
