//! The end of an ingest: verdicts on the source as a whole, then manifest, events and commit.

use std::collections::BTreeMap;

use lockgate_catalog::{Catalog as _, Gate};
use lockgate_core::{Clock, Digest, Failure, Result};
use lockgate_lake::{Column, ContractRecord, Governance, Manifest, SnapshotRef, Staged};
use lockgate_protect::{FindingCount, Operator};
use lockgate_quality::{Contract, RuleOutcome};
use lockgate_source::{Authenticated, Content};
use serde_json::json;

use super::{FindingSummary, Gates, Outcome, Run, Totals, Verdict};
use crate::{
    Workspace,
    audit::{Event, keys_created},
    config::OnFail,
    reindex,
};

impl Run<'_> {
    /// The verdicts that concern the source as a whole.
    pub(super) fn judge(&mut self, gates: &mut Gates<'_>, totals: &Totals) -> Result<()> {
        let broken_rows = totals.quarantined - totals.refusals.values().sum::<u64>();
        let share = if totals.read == 0 { 0.0 } else { broken_rows as f64 * 100.0 / totals.read as f64 };
        let allowed = self.spec.quality.max_quarantined_percent;
        let contract =
            format!("{broken_rows} of {} rows broke the contract ({share:.2} %, allowed {allowed} %)", totals.read);
        let clean = gates.protector.demand_clean_public_columns();
        gates.quality = gates.measures.take().map(|measures| measures.finish(None)).transpose()?.unwrap_or_default();
        for rule in gates.quality.iter().filter(|rule| rule.warning && !rule.passed) {
            self.progress.note(&format!("warning: {}", broken_rule(rule)));
        }
        let broken: Vec<&RuleOutcome> = gates.quality.iter().filter(|rule| !rule.passed && !rule.warning).collect();
        let rules = if broken.is_empty() {
            format!("{} quality rules hold", gates.quality.len())
        } else {
            broken.iter().map(|rule| broken_rule(rule)).collect::<Vec<_>>().join("; ")
        };
        let classification =
            clean.as_ref().err().map_or_else(|| "no finding in a public column".to_owned(), ToString::to_string);
        let stop = |gate: &str, passed: bool, detail: String, evidence: serde_json::Value| Verdict {
            gate: gate.to_owned(),
            passed,
            on_fail: OnFail::Stop,
            detail,
            evidence,
        };
        let evidence = json!({"rows": totals.read, "violations": violations(totals)});
        self.verdicts.extend([
            stop("contract", share <= allowed && broken_rows < totals.read.max(1), contract.clone(), evidence),
            stop("quality", broken.is_empty(), rules.clone(), serde_json::Value::Null),
            stop("classification", clean.is_ok(), classification, serde_json::Value::Null),
        ]);
        self.service_levels()?;
        if totals.released > 0 {
            self.verdicts.push(Verdict {
                gate: "released".into(),
                passed: true,
                on_fail: OnFail::Warn,
                detail: format!(
                    "{} rows that gates would put aside were let through: released by {}",
                    totals.released,
                    self.released_by.join(", ")
                ),
                evidence: serde_json::Value::Null,
            });
        }
        if self.verdicts.iter().any(|verdict| !verdict.passed && verdict.on_fail == OnFail::Stop) {
            self.record_failure()?;
        }
        if totals.read == 0 {
            return Err(Failure::input("the source has no row; nothing was committed"));
        }
        if totals.committed == 0 {
            return Err(Failure::findings(format!("no row is left to commit: {}", worst(totals))));
        }
        if share > allowed {
            return Err(Failure::findings(format!("{contract}; most often: {}", worst(totals))).hint(
                "nothing was committed; mend the source or the contract, or raise quality.maxQuarantinedPercent",
            ));
        }
        if !broken.is_empty() {
            return Err(Failure::findings(format!("the contract's quality rules do not hold: {rules}"))
                .hint("nothing was committed; mend the source, or the rule"));
        }
        clean
    }

    /// What the contract promises of snapshots. New data mends what is too old and does not harm what
    /// is kept for too long, so nothing ends here.
    fn service_levels(&mut self) -> Result<()> {
        let overdue = overdue(self.workspace, self.contract)?;
        if let Some(what) = &overdue {
            self.progress.note(&format!("warning: {what}"));
        }
        self.verdicts.push(Verdict {
            gate: "service-levels".into(),
            passed: overdue.is_none(),
            on_fail: OnFail::Warn,
            detail: overdue.unwrap_or_else(|| "frequency and retention are kept".to_owned()),
            evidence: serde_json::Value::Null,
        });
        Ok(())
    }

    /// Writes the verdicts of a run that ends here into catalog and log.
    pub(super) fn record_failure(&mut self) -> Result<()> {
        self.put_gates()?;
        let events = self.gate_events();
        self.workspace.journal.append(events)
    }

    fn put_gates(&self) -> Result<()> {
        for verdict in &self.verdicts {
            self.workspace.catalog.put_gate(&Gate {
                run: self.run.to_string(),
                gate: format!("{}/{}", self.contract.dataset, verdict.gate),
                passed: verdict.passed,
                detail: verdict.detail.clone(),
                evidence: verdict.evidence.clone(),
            })?;
        }
        Ok(())
    }

    /// A leaf for each verdict: `gate.passed`, `gate.failed`, `gate.quarantined` or `gate.warned`.
    fn gate_events(&self) -> Vec<Event> {
        let event = |verdict: &Verdict| {
            let kind = match (verdict.passed, verdict.on_fail) {
                (true, _) => "gate.passed",
                (false, OnFail::Stop) => "gate.failed",
                (false, OnFail::Quarantine) => "gate.quarantined",
                (false, OnFail::Warn) => "gate.warned",
            };
            // A leaf has a limit; the catalog has the whole.
            let text: String = verdict.detail.chars().take(2_000).collect();
            Event::new(kind, &self.workspace.principal.id, self.contract.dataset.as_str(), Clock.now())
                .run(self.run)
                .detail(json!({"gate": verdict.gate, "detail": text, "onFail": verdict.on_fail}))
        };
        self.verdicts.iter().map(event).collect()
    }

    pub(super) fn commit(
        mut self,
        gates: Gates<'_>,
        totals: Totals,
        sources: Vec<(Content, Authenticated)>,
    ) -> Result<Outcome> {
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
            "ingestion": self.ingestion,
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
        self.put_gates()?;
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
            violations: totals
                .violations
                .into_iter()
                .map(|((column, rule), count)| (column, rule, count))
                .chain(totals.refusals.into_iter().map(|(gate, count)| ("*".to_owned(), gate, count)))
                .collect(),
            findings: findings
                .iter()
                .map(|f| FindingSummary {
                    column: f.column.clone(),
                    entity: f.entity.to_string(),
                    operator: f.operator.to_owned(),
                    count: f.count,
                })
                .collect(),
            quality: gates.quality,
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
        events.push(event("rows.checked", dataset).detail(json!({
            "contract": self.contract.digest, "rowsRead": totals.read, "rowsCommitted": totals.committed,
            "rowsQuarantined": totals.quarantined, "violations": violations(totals), "refusals": totals.refusals,
        })));
        events.extend(self.gate_events());
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

/// Whether snapshots come too seldom, or one is kept for too long.
pub(super) fn overdue(workspace: &Workspace, contract: &Contract) -> Result<Option<String>> {
    let (lake, dataset, now) = (&workspace.lake, &contract.dataset, Clock.now());
    let age = |version: u64| -> Result<f64> {
        let manifest = lake.manifest(&lake.at_version(dataset, version)?)?;
        Ok((now.millis() - manifest.created.millis()) as f64 / 86_400_000.0)
    };
    let versions = lake.versions(dataset)?;
    let mut broken = Vec::new();
    if let (Some(limit), Some(newest)) = (contract.frequency_days, versions.iter().max()) {
        let age = age(*newest)?;
        if age > limit {
            broken.push(format!("the newest snapshot is {age:.1} days old, one is promised every {limit:.1}"));
        }
    }
    let limit = f64::from(contract.retention_days);
    if let Some(oldest) = versions.iter().min() {
        let age = age(*oldest)?;
        if age > limit {
            broken.push(format!("{dataset}@{oldest} is {age:.1} days old, retention allows {limit}"));
        }
    }
    Ok((!broken.is_empty()).then(|| broken.join("; ")))
}

fn violations(totals: &Totals) -> Vec<serde_json::Value> {
    // A leaf has a limit: the most frequent, and of a long reason the beginning.
    let mut all: Vec<_> = totals.violations.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    all.truncate(60);
    all.sort();
    let short = |rule: &str| rule.chars().take(100).collect::<String>();
    all.iter()
        .map(|((column, rule), count)| json!({"column": short(column), "rule": short(rule), "count": count}))
        .collect()
}

fn worst(totals: &Totals) -> String {
    let gates = totals.refusals.iter().map(|(gate, count)| (("*".to_owned(), gate.clone()), *count));
    let all: BTreeMap<(String, String), u64> = totals.violations.clone().into_iter().chain(gates).collect();
    let mut all: Vec<_> = all.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let named: Vec<String> =
        all.iter().take(3).map(|((column, rule), count)| format!("{column}: {rule} ({count} times)")).collect();
    named.join(", ")
}

/// What a rule demands and what was counted; never a value.
fn broken_rule(rule: &RuleOutcome) -> String {
    let column = rule.column.as_ref().map(|column| format!(" of {column}")).unwrap_or_default();
    match rule.observed {
        Some(observed) => format!("{}{column} is {observed} and {}", rule.rule, rule.demand),
        None => format!("{}{column}: {}", rule.rule, rule.demand),
    }
}
