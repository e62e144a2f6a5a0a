//! `accuracy`: what is found of labelled text, beside Presidio with spaCy's small model. A span
//! counts when its entity is right, a place being as good as an address, and it overlaps the labelled one by half or more (intersection
//! over union); a character leaks when no span of any entity covers it.

use std::{collections::BTreeMap, fs, path::Path, process::Command, sync::Arc};

use anyhow::{Context as _, Result};
use lockgate_detect::{Context, Engine};
use lockgate_names::Finder;
use serde::Deserialize;

use crate::{detect, process};

#[derive(Deserialize)]
struct Line {
    text: String,
    spans: Vec<Span>,
}

#[derive(Clone, Deserialize)]
struct Span {
    #[serde(rename = "type")]
    entity: String,
    start: usize,
    end: usize,
    #[serde(default)]
    score: f32,
}

#[derive(Default, Clone, Copy)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
    characters: u32,
    leaked: u32,
}

const PRESIDIO: &str = r"
for line in open(sys.argv[1], encoding='utf-8'):
    text = json.loads(line)['text']
    found = analyzer.analyze(text, language='en')
    print(json.dumps({'text': text, 'spans': [{'type': f.entity_type, 'start': f.start, 'end': f.end, 'score': f.score} for f in found]}))
";

pub fn bench(gold: &Path) -> Result<()> {
    let gold = gold.canonicalize().with_context(|| gold.display().to_string())?;
    let lines = read(&fs::read_to_string(&gold)?)?;
    let engine = match detect::network()? {
        Some(network) => Engine::new().with_names(Arc::new(network)),
        None => Engine::new().with_names(Arc::new(Finder::lists())),
    };
    engine.prepare(Context::default(), &lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>());
    let mut findings = Vec::new();
    let ours: Vec<Vec<Span>> = lines
        .iter()
        .map(|line| {
            findings.clear();
            engine.scan(&line.text, &mut findings);
            let place = |end: usize| line.text[..end].chars().count();
            findings
                .iter()
                .map(|f| Span {
                    entity: f.entity.to_string(),
                    start: place(f.start),
                    end: place(f.end),
                    score: f.score,
                })
                .collect()
        })
        .collect();
    let script = format!("import json\n{}{PRESIDIO}", detect::PRESIDIO_ANALYZER);
    let python = detect::peers()?;
    let (out, _) = process::run(Command::new(python).args(["-c", &script]).arg(&gold).arg("ner"))?;
    let theirs: Vec<Vec<Span>> = read(&out)?.into_iter().map(|line| resolve(line.spans)).collect();
    let (ours, theirs) = (score(&lines, &ours), score(&lines, &theirs));
    println!("{} texts\n", lines.len());
    println!("| entity | labelled | precision | recall | F1 | leaks | Presidio: precision | recall | F1 | leaks |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let both = ours.keys().filter(|entity| ["PERSON", "LOCATION", "ADDRESS"].contains(&entity.as_str()));
    let sum = |scores: &BTreeMap<String, Score>| {
        both.clone().filter_map(|e| scores.get(e)).fold(Score::default(), |a, b| a.with(*b))
    };
    let total = (sum(&ours), sum(&theirs));
    for (entity, mine) in &ours {
        let other = theirs.get(entity).copied().unwrap_or_default();
        println!("| {entity} | {} | {} | {} |", mine.right + mine.missed, mine.cells(), other.cells());
    }
    let (mine, other) = total;
    if both.count() > 1 {
        println!("| PERSON, LOCATION, ADDRESS | {} | {} | {} |", mine.right + mine.missed, mine.cells(), other.cells());
    }
    Ok(())
}

fn read(text: &str) -> Result<Vec<Line>> {
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Of spans that overlap, the surer and then the longer stays, as in a redacted text.
fn resolve(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by(|a, b| b.score.total_cmp(&a.score).then((b.end - b.start).cmp(&(a.end - a.start))));
    let mut kept: Vec<Span> = Vec::new();
    for span in spans {
        if kept.iter().all(|k| span.end <= k.start || span.start >= k.end) {
            kept.push(span);
        }
    }
    kept
}

fn score(lines: &[Line], found: &[Vec<Span>]) -> BTreeMap<String, Score> {
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for line in lines {
        for span in &line.spans {
            scores.entry(span.entity.clone()).or_default();
        }
    }
    // What one set calls a place the other may call an address.
    let same =
        |a: &str, b: &str| a == b || ["LOCATION", "ADDRESS"].contains(&a) && ["LOCATION", "ADDRESS"].contains(&b);
    for (line, found) in lines.iter().zip(found) {
        let mut used = vec![false; found.len()];
        for span in &line.spans {
            let Some(score) = scores.get_mut(&span.entity) else { continue };
            let hit = found
                .iter()
                .enumerate()
                .find(|(at, f)| !used[*at] && same(&f.entity, &span.entity) && overlaps(f, span));
            match hit {
                Some((at, _)) => {
                    used[at] = true;
                    score.right += 1;
                }
                None => score.missed += 1,
            }
            let covered = |at: usize| found.iter().any(|f| (f.start..f.end).contains(&at));
            score.characters += (span.end - span.start) as u32;
            score.leaked += (span.start..span.end).filter(|at| !covered(*at)).count() as u32;
        }
        for (f, used) in found.iter().zip(used) {
            if let Some(score) = scores.get_mut(&f.entity).filter(|_| !used) {
                score.wrong += 1;
            }
        }
    }
    scores
}

fn overlaps(a: &Span, b: &Span) -> bool {
    let common = a.end.min(b.end).saturating_sub(a.start.max(b.start));
    let all = a.end.max(b.end) - a.start.min(b.start);
    2 * common >= all
}

impl Score {
    fn with(self, other: Self) -> Self {
        Self {
            right: self.right + other.right,
            wrong: self.wrong + other.wrong,
            missed: self.missed + other.missed,
            characters: self.characters + other.characters,
            leaked: self.leaked + other.leaked,
        }
    }

    fn cells(self) -> String {
        let ratio = |part: u32, all: u32| if all == 0 { 0.0 } else { f64::from(part) / f64::from(all) };
        let precision = ratio(self.right, self.right + self.wrong);
        let recall = ratio(self.right, self.right + self.missed);
        let f1 = if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        let leaks = 100.0 * ratio(self.leaked, self.characters);
        format!("{precision:.3} | {recall:.3} | {f1:.3} | {leaks:.1} %")
    }
}
