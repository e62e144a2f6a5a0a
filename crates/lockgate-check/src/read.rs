//! Reads a tree into facts, on as many threads as asked for.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use aws_lc_rs::{hmac, rand};
use hashbrown::{HashMap, HashSet};
use lockgate_core::{Failure, Result};

use crate::{
    collect::{Collector, Found, Member, Pod, Policy, Raw},
    facts::{self, Fact, Facts, FileFact, Problem, Step, Unresolved},
    infra,
    python::{Interpreter, STACK_BYTES, World},
    source::{Language, Place, Tree},
};

/// How a tree is read.
#[derive(Debug)]
pub struct Options {
    pub threads: usize,
    /// The key of fingerprints; without one, a new one for this run.
    pub key: Option<Vec<u8>>,
    /// Names of buckets that count wherever they are given to something, such as those that policy
    /// prohibits.
    pub watch: Vec<String>,
}

/// What was read, and what no report may show.
#[derive(Debug)]
pub struct Read {
    pub facts: Facts,
    /// Places whose text is a secret or a part of one, by file.
    pub masks: Masks,
}

/// What must not be shown of the files.
#[derive(Debug, Default)]
pub struct Masks {
    /// Each with the value that it is a part of.
    pub places: HashMap<u32, Vec<(u32, u32, std::sync::Arc<str>)>>,
    pub values: Vec<std::sync::Arc<str>>,
    /// Lines that a credential comes through: what numbers stand there may be a part of it.
    pub lines: HashSet<(u32, u32)>,
}

/// Most lines of one literal whose numbers are masked.
const LINES_MASKED_MAX: u32 = 200;

/// Reads the files that were asked for, and those that they import.
pub fn read(tree: &Tree, options: &Options) -> Result<Read> {
    let key = if let Some(key) = &options.key {
        hmac::Key::new(hmac::HMAC_SHA256, key)
    } else {
        let mut bytes = [0u8; 32];
        rand::fill(&mut bytes).map_err(|_| Failure::bug("the system gives no random numbers"))?;
        hmac::Key::new(hmac::HMAC_SHA256, &bytes)
    };
    let world = World::new(tree);
    let asked: Vec<u32> = (0..tree.files.len())
        .filter(|i| tree.asked.get(*i) == Some(&true))
        .filter_map(|i| u32::try_from(i).ok())
        .collect();
    let threads = options.threads.clamp(1, 16);
    let next = AtomicUsize::new(0);
    let called = Mutex::new(HashSet::new());
    let gate = Gate::default();
    let all = Mutex::new(Vec::new());
    let panicked = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                // The stack that the limits of the readers fit in; only what is used is real.
                thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || {
                    let arrival = Arrival(&gate);
                    let mut interpreter = Interpreter::new(&world, Collector::new(tree, &key, &options.watch));
                    let mut mine = HashSet::new();
                    loop {
                        // A few at a time, so that neighbours that share imports stay together.
                        let start = next.fetch_add(8, Ordering::Relaxed);
                        let Some(batch) = asked.get(start..).filter(|rest| !rest.is_empty()) else { break };
                        for file in batch.iter().take(8) {
                            // A reader that fails on one file says so and goes on with the next.
                            let done = catch_unwind(AssertUnwindSafe(|| {
                                if is_python(tree, *file) {
                                    mine.insert(*file);
                                    interpreter.file(*file);
                                } else {
                                    infra::read(&mut interpreter.collector, *file);
                                }
                            }));
                            if done.is_err() {
                                interpreter.failed(*file);
                            }
                        }
                    }
                    if let Ok(mut called) = called.lock() {
                        called.extend(interpreter.called().iter().copied());
                    }
                    drop(arrival);
                    gate.wait();
                    let called = called.lock().map(|called| called.clone()).unwrap_or_default();
                    let mut files: Vec<u32> = mine.into_iter().collect();
                    files.sort_unstable();
                    for file in files {
                        if catch_unwind(AssertUnwindSafe(|| interpreter.uncalled(file, &called))).is_err() {
                            interpreter.failed(file);
                        }
                    }
                    if let Ok(mut all) = all.lock() {
                        all.push(std::mem::take(&mut interpreter.collector.found));
                    }
                })
            })
            .collect();
        // A thread that does not start leaves its work to the others.
        let started: Vec<_> = workers.into_iter().flatten().collect();
        gate.expect(started.len());
        let none = started.is_empty();
        started.into_iter().fold(none, |failed, worker| worker.join().is_err() || failed)
    });
    if panicked {
        return Err(Failure::bug("a reader failed"));
    }
    let found = all.into_inner().unwrap_or_default();
    assemble(tree, &asked, found, options.key.is_some())
}

/// Which tasks come before which, by what they are given.
struct Before<'f>(HashMap<&'f str, Vec<&'f str>>);

impl<'f> Before<'f> {
    fn new(flows: &'f [(std::sync::Arc<str>, std::sync::Arc<str>)]) -> Self {
        // What is masked on the way is personal no more.
        let masks = ["mask", "anonym", "tokeni", "pseudonym", "redact", "hash", "aggregat"];
        // `unmask` and `detokenize` are words of their own.
        let is_mask = |name: &str| {
            let words = crate::credentials::words(name);
            words.iter().any(|word| masks.iter().any(|stem| word.starts_with(stem)))
        };
        let mut before: HashMap<&str, Vec<&str>> = HashMap::new();
        for (from, to) in flows {
            let name = from.rsplit(':').next().unwrap_or(from);
            let known = before.entry(to).or_default();
            if !is_mask(name) && !known.contains(&&**from) {
                known.push(from);
            }
        }
        Self(before)
    }

    fn tell<T>(&self, facts: &mut [Fact<T>]) {
        for fact in facts {
            let mut waiting: Vec<&str> = fact.task.as_deref().into_iter().collect();
            let mut seen = BTreeSet::new();
            while let Some(task) = waiting.pop() {
                for from in self.0.get(task).into_iter().flatten() {
                    if seen.insert(*from) {
                        waiting.push(from);
                    }
                }
            }
            fact.after = seen.into_iter().map(str::to_owned).collect();
        }
    }
}

/// Where threads wait until all of those that started are done with the first part.
#[derive(Default)]
struct Gate {
    /// How many are done, and how many there are once that is known.
    state: Mutex<(usize, Option<usize>)>,
    changed: Condvar,
}

impl Gate {
    fn change(&self, change: impl FnOnce(&mut (usize, Option<usize>))) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        self.changed.notify_all();
    }

    fn expect(&self, threads: usize) {
        self.change(|state| state.1 = Some(threads));
    }

    fn wait(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = |state: &mut (usize, Option<usize>)| state.1.is_none_or(|all| state.0 < all);
        drop(self.changed.wait_while(state, is_early));
    }
}

/// A thread on its way to the gate; it arrives however its way ends.
struct Arrival<'g>(&'g Gate);

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.0 += 1);
    }
}

fn is_python(tree: &Tree, file: u32) -> bool {
    tree.file(file).is_some_and(|f| matches!(f.language, Language::Python | Language::Notebook))
}

/// Namespaces that are declared or that something trains in, and whether network policies select
/// their pods: all of those of one that is declared, those that train of any other.
fn namespaces(tree: &Tree, policies: &[Policy], pods: &[Pod]) -> Vec<Raw<facts::Namespace>> {
    let mut out: Vec<Raw<facts::Namespace>> = Vec::new();
    let declarations: HashSet<&str> =
        pods.iter().filter(|p| p.member == Member::Declaration).map(|p| p.namespace.as_str()).collect();
    let declared = |namespace: &str| declarations.contains(namespace);
    let mut by_namespace: HashMap<&str, Vec<&Policy>> = HashMap::new();
    for policy in policies.iter().filter(|policy| policy.restricts) {
        by_namespace.entry(&policy.namespace).or_default().push(policy);
    }
    let named: HashSet<&str> = policies.iter().map(|policy| policy.namespace.as_str()).collect();
    let selected = |pod: &Pod| {
        let of = |namespace: &str| by_namespace.get(namespace).into_iter().flatten();
        // One without a namespace may be applied to any.
        let own = of(&pod.namespace);
        let mut own = own.chain(of("").filter(|_| !pod.namespace.is_empty()));
        match pod.member {
            Member::Declaration => own.next().is_some(),
            _ => own.any(|policy| policy.selector.iter().all(|label| pod.labels.contains(label))),
        }
    };
    let mut pods: Vec<&Pod> = pods.iter().filter(|pod| pod.member != Member::Pod || declared(&pod.namespace)).collect();
    pods.sort_by_key(|pod| (tree.file(pod.place.file).map(|f| f.path.clone()), pod.place.start));
    for pod in pods {
        let isolated = selected(pod);
        let training = pod.member == Member::Training;
        // Where neither it nor a policy for it is in the tree, it is made elsewhere.
        let known = declared(&pod.namespace)
            || matches!(pod.namespace.as_str(), "" | "default")
            || named.contains(pod.namespace.as_str());
        let name = if pod.namespace.is_empty() { "default".to_owned() } else { pod.namespace.clone() };
        match out.iter_mut().find(|raw| raw.what.name == name) {
            Some(raw) => {
                if !isolated && raw.what.isolated {
                    raw.place = pod.place;
                }
                raw.what.isolated &= isolated;
                raw.what.training |= training;
            }
            None => out.push(Raw {
                place: pod.place,
                way: Vec::new(),
                literals: Vec::new(),
                task: None,
                entered: None,
                unresolved: None,
                what: facts::Namespace { name, isolated, training, known },
            }),
        }
    }
    out
}

fn assemble(tree: &Tree, asked: &[u32], all: Vec<Found>, has_key: bool) -> Result<Read> {
    let mut facts = Facts { version: facts::VERSION.to_owned(), ..Facts::default() };
    let mut masks = Masks::default();
    let mut merged = Found::default();
    for found in all {
        merged.credentials.extend(found.credentials);
        merged.storage.extend(found.storage);
        merged.commands.extend(found.commands);
        merged.network.extend(found.network);
        merged.images.extend(found.images);
        merged.packages.extend(found.packages);
        merged.workloads.extend(found.workloads);
        merged.namespaces.extend(found.namespaces);
        merged.permissions.extend(found.permissions);
        merged.buckets.extend(found.buckets);
        merged.deserialization.extend(found.deserialization);
        merged.datasets.extend(found.datasets);
        merged.audit.extend(found.audit);
        merged.tasks.extend(found.tasks);
        merged.problems.extend(found.problems);
        merged.secrets.extend(found.secrets);
        merged.flows.extend(found.flows);
        merged.policies.extend(found.policies);
        merged.pods.extend(found.pods);
    }
    for raw in &merged.credentials {
        let places = raw.way.iter().map(|(place, _)| place).chain(&raw.literals).chain([&raw.place]);
        for place in places {
            let Some(file) = tree.file(place.file) else { continue };
            let (first, last) = (file.position(place.start).0, file.position(place.end).0);
            masks.lines.extend((first..=last.min(first + LINES_MASKED_MAX)).map(|line| (place.file, line)));
        }
    }
    merged.namespaces.extend(namespaces(tree, &merged.policies, &merged.pods));
    let mut seen: HashSet<std::sync::Arc<str>> = HashSet::new();
    for (value, places) in &merged.secrets {
        if value.chars().count() >= 3 && seen.insert(std::sync::Arc::clone(value)) {
            masks.values.push(std::sync::Arc::clone(value));
        }
        for place in places {
            masks.places.entry(place.file).or_default().push((place.start, place.end, std::sync::Arc::clone(value)));
        }
    }
    masks.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for file in asked {
        if let Some(file) = tree.file(*file) {
            facts.files.push(FileFact {
                path: file.path.to_string(),
                language: format!("{:?}", file.language).to_lowercase(),
                role: file.role,
            });
        }
    }
    facts.credentials = credentials(tree, merged.credentials, has_key);
    facts.storage = placed(tree, "storage", merged.storage, |s| format!("{}|{}", s.uri, s.sink));
    let before = Before::new(&merged.flows);
    before.tell(&mut facts.storage);
    // A bucket that is also known with its provider at the same place is that one.
    let known: HashSet<(String, u32, u32, String)> = facts
        .storage
        .iter()
        .filter(|s| s.what.provider != "any")
        .map(|s| (s.file.clone(), s.line, s.column, s.what.bucket.clone()))
        .collect();
    facts.storage.retain(|s| {
        s.what.provider != "any" || !known.contains(&(s.file.clone(), s.line, s.column, s.what.bucket.clone()))
    });
    facts.commands = placed(tree, "command", merged.commands, |c| format!("{}|{:?}", c.program, c.does));
    facts.network = placed(tree, "network", merged.network, |n| format!("{}|{}|{}", n.scheme, n.host, n.verification));
    before.tell(&mut facts.network);
    facts.images = placed(tree, "image", merged.images, |i| format!("{}:{}@{}", i.name, i.tag, i.digest));
    facts.packages = placed(tree, "package", merged.packages, |p| format!("{}{}", p.name, p.version));
    facts.workloads = placed(tree, "workload", merged.workloads, |w| format!("{}|{}|{}", w.kind, w.name, w.container));
    facts.namespaces = placed(tree, "namespace", merged.namespaces, |n| n.name.clone());
    facts.permissions = placed(tree, "permission", merged.permissions, |p| format!("{}|{:?}", p.name, p.broad));
    facts.buckets = placed(tree, "bucket", merged.buckets, |b| b.address.clone());
    facts.deserialization = placed(tree, "deserialization", merged.deserialization, |d| d.function.clone());
    facts.datasets = placed(tree, "dataset", merged.datasets, |d| d.name.clone());
    facts.audit = placed(tree, "audit", merged.audit, |a| format!("{}|{}", a.component, a.setting));
    facts.tasks = placed(tree, "task", merged.tasks, |t| format!("{}|{}", t.dag, t.name));
    // Most secrets are too long to stand in a name by chance; the shortest are left to excerpts.
    let secrets = masks.values.iter().filter(|v| v.chars().count() >= 5).map(|v| v.as_bytes());
    let secrets = aho_corasick::AhoCorasick::builder()
        .match_kind(aho_corasick::MatchKind::LeftmostLongest)
        .build(secrets)
        .map_err(|_| {
            Failure::input("there are more secrets than can be hidden from the report")
                .hint("check fewer files at a time")
        })?;
    facts::scrub(&mut facts.credentials, &secrets);
    facts::scrub(&mut facts.storage, &secrets);
    facts::scrub(&mut facts.commands, &secrets);
    facts::scrub(&mut facts.network, &secrets);
    facts::scrub(&mut facts.images, &secrets);
    facts::scrub(&mut facts.packages, &secrets);
    facts::scrub(&mut facts.workloads, &secrets);
    facts::scrub(&mut facts.namespaces, &secrets);
    facts::scrub(&mut facts.permissions, &secrets);
    facts::scrub(&mut facts.buckets, &secrets);
    facts::scrub(&mut facts.deserialization, &secrets);
    facts::scrub(&mut facts.datasets, &secrets);
    facts::scrub(&mut facts.audit, &secrets);
    facts::scrub(&mut facts.tasks, &secrets);
    for (file, offset, what) in merged.problems {
        let Some(file) = tree.file(file) else { continue };
        let (line, column) = file.position(offset);
        facts.problems.push(Problem { file: file.path.to_string(), line, column, what });
    }
    for (file, what) in &tree.left_out {
        facts.problems.push(Problem { file: file.clone(), line: 0, column: 0, what: (*what).to_owned() });
    }
    facts.problems.sort();
    // What a loop that is met often had is said once.
    let kind = |p: &Problem| p.what.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    facts.problems.dedup_by(|a, b| (&a.file, a.line, a.column) == (&b.file, b.line, b.column) && kind(a) == kind(b));
    Ok(Read { facts, masks })
}

/// One credential is one finding: of the ways that lead from the same literals, the one that
/// ends where it is used says most.
fn credentials(tree: &Tree, raws: Vec<Raw<facts::Credential>>, has_key: bool) -> Vec<Fact<facts::Credential>> {
    let mut best: HashMap<(Vec<Place>, String), Raw<facts::Credential>> = HashMap::new();
    for raw in raws {
        let mut origin = raw.literals.clone();
        origin.sort_unstable();
        if origin.is_empty() {
            origin.push(raw.place);
        }
        let key = (origin, raw.what.fingerprint.clone());
        let rank = |raw: &Raw<facts::Credential>| {
            (
                raw.what.strength,
                !raw.what.sink.is_empty(),
                raw.way.len(),
                std::cmp::Reverse((raw.place.file, raw.place.start)),
            )
        };
        match best.get(&key) {
            Some(known) if rank(known) >= rank(&raw) => {}
            _ => drop(best.insert(key, raw)),
        }
    }
    // A text that was read as a whole and in part is one credential, if the parts are equal.
    let raws: Vec<Raw<facts::Credential>> = best
        .into_iter()
        .map(|((origin, _), mut raw)| {
            // It is reported where it is written, when it is written in one place.
            if let [place] = origin.as_slice() {
                raw.place = *place;
            }
            raw.what.instead = crate::credentials::instead(&raw.what, tree.file(raw.place.file));
            raw
        })
        .collect();
    // With a key that stays, another value is another finding.
    let value = |c: &facts::Credential| if has_key { c.fingerprint.clone() } else { c.hint.clone() };
    placed(tree, "credential", raws, |c| format!("{}|{}", c.name, value(c)))
}

/// Gives facts their lines, ids and order, and drops what was found twice.
fn placed<T>(tree: &Tree, kind: &str, raws: Vec<Raw<T>>, content: impl Fn(&T) -> String) -> Vec<Fact<T>> {
    let mut raws: Vec<(String, Raw<T>)> = raws.into_iter().map(|raw| (content(&raw.what), raw)).collect();
    raws.sort_by(|(a, x), (b, y)| {
        let path = |raw: &Raw<T>| tree.file(raw.place.file).map(|f| f.path.clone());
        // The same thing with and without an answer: the answer stands.
        (path(x), x.place.start, x.place.end, a, x.unresolved.is_some(), x.entered.is_some(), x.way.len()).cmp(&(
            path(y),
            y.place.start,
            y.place.end,
            b,
            y.unresolved.is_some(),
            y.entered.is_some(),
            y.way.len(),
        ))
    });
    let mut reached: HashMap<(Place, String), BTreeSet<u32>> = HashMap::new();
    for (content, raw) in &raws {
        let files = reached.entry((raw.place, content.clone())).or_default();
        files.insert(raw.place.file);
        files.extend(raw.way.iter().map(|(place, _)| place.file));
        files.extend(raw.literals.iter().map(|place| place.file));
    }
    raws.dedup_by(|(b, y), (a, x)| x.place == y.place && a == b);
    let mut counts: HashMap<String, u32> = HashMap::new();
    raws.into_iter()
        .filter_map(|(content, raw)| {
            let file = tree.file(raw.place.file)?;
            let (line, column) = file.position(raw.place.start);
            let (end_line, end_column) = file.position(raw.place.end);
            let reached = reached.get(&(raw.place, content.clone()));
            let files =
                reached.into_iter().flatten().filter_map(|id| tree.file(*id)).map(|f| f.path.to_string()).collect();
            // Lines move; what it is, in which file, and the how-manieth of those does not.
            let name = format!("{kind}|{}|{content}", file.path);
            let nth = counts.entry(name.clone()).and_modify(|n| *n += 1).or_insert(0);
            let digest = lockgate_core::Digest::of(format!("{name}|{nth}").as_bytes()).to_string();
            let digest = digest.rsplit(':').next().unwrap_or(&digest);
            let id = format!("{kind}-{}", digest.get(..16).unwrap_or(digest));
            let way = raw
                .way
                .iter()
                .filter_map(|(place, how)| {
                    let file = tree.file(place.file)?;
                    let (line, column) = file.position(place.start);
                    Some(Step { file: file.path.to_string(), line, column, what: how.words() })
                })
                .collect();
            Some(Fact {
                id,
                file: file.path.to_string(),
                line,
                column,
                end_line,
                end_column,
                role: file.role,
                files,
                after: Vec::new(),
                task: raw.task.map(|t| t.to_string()),
                way,
                unresolved: raw.unresolved.map(|(why, resolve)| Unresolved { why, resolve }),
                what: raw.what,
            })
        })
        .collect()
}
