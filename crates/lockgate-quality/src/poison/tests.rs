use std::sync::Arc;

use arrow::{
    array::{Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use lockgate_core::SplitMix64;

use super::*;

#[derive(Clone)]
struct Row {
    size: i64,
    weight: i64,
    kind: String,
    colour: String,
    note: String,
    label: String,
}

const WORDS: [&str; 12] =
    ["round", "heavy", "old", "bright", "worn", "small", "nice", "plain", "rare", "fresh", "dull", "sharp"];

/// Things whose weight follows from size and kind, and whose label follows from the weight.
fn things(count: usize, seed: u64) -> Vec<Row> {
    let mut random = SplitMix64::new(seed);
    (0..count)
        .map(|_| {
            let size = 10 + (random.below(40) + random.below(40)) as i64;
            let kind = random.below(3);
            let weight = size * (kind as i64 + 2) + random.below(20) as i64;
            let dear = weight + (random.below(30) as i64) > 160;
            let word = |random: &mut SplitMix64| WORDS[random.below(WORDS.len() as u64) as usize];
            Row {
                size,
                weight,
                kind: ["iron", "stone", "wood"][kind as usize].into(),
                colour: ["red", "blue", "green", "grey"][random.below(4) as usize].into(),
                note: format!("{} {} {}", word(&mut random), word(&mut random), word(&mut random)),
                label: if dear { "dear" } else { "cheap" }.into(),
            }
        })
        .collect()
}

fn batch(rows: &[Row]) -> RecordBatch {
    let texts = |pick: fn(&Row) -> &str| Arc::new(StringArray::from_iter_values(rows.iter().map(pick)));
    let schema = Schema::new(vec![
        Field::new("size", DataType::Int64, true),
        Field::new("weight", DataType::Int64, true),
        Field::new("kind", DataType::Utf8, true),
        Field::new("colour", DataType::Utf8, true),
        Field::new("note", DataType::Utf8, true),
        Field::new("label", DataType::Utf8, true),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.size))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.weight))),
            texts(|row| &row.kind),
            texts(|row| &row.colour),
            texts(|row| &row.note),
            texts(|row| &row.label),
        ],
    )
    .unwrap()
}

fn baseline(threads: usize) -> Arc<Baseline> {
    let options = Options { label: Some("label".into()), threads, ..Options::default() };
    Arc::new(Baseline::fit(&batch(&things(8_000, 1)), options).unwrap())
}

fn screened(baseline: &Arc<Baseline>, sources: &[Vec<Row>]) -> Screening {
    let mut screen = Screen::new(Arc::clone(baseline));
    for (index, rows) in sources.iter().enumerate() {
        screen.source(&format!("s{index}"));
        let numbers: Vec<u64> = (0..rows.len() as u64).collect();
        screen.update(&batch(rows), &numbers).unwrap();
    }
    screen.finish()
}

/// How many of the rows are guilty.
fn guilty(screening: &Screening, rows: impl Iterator<Item = usize>) -> usize {
    rows.filter(|row| screening.guilty(0, *row as u64).is_some()).count()
}

#[test]
fn clean_batches_pass() {
    let baseline = baseline(1);
    let alarms = (0..30).filter(|seed| screened(&baseline, &[things(1_000, 100 + seed)]).poisoned).count();
    assert!(alarms <= 2, "{alarms} of 30 at 1 %");
}

/// An attack on 50 of 2,000 rows, the method that must see it, and how many rows must be found.
#[track_caller]
fn check(baseline: &Arc<Baseline>, method: Method, found_min: usize, attack: impl Fn(usize, &mut Row)) {
    let mut rows = things(2_000, 7);
    let victims: Vec<usize> = (0..2_000).step_by(40).collect();
    for (index, row) in victims.iter().enumerate() {
        attack(index, &mut rows[*row]);
    }
    let screening = screened(baseline, &[rows]);
    let own = screening.methods.iter().find(|own| own.method == method).unwrap();
    assert!(own.alarm, "{method:?}: {}", own.p_value);
    let found = guilty(&screening, victims.iter().copied());
    let reasons: Vec<_> = screening.segments.iter().map(|own| (own.method, &own.reason, own.rows)).collect();
    assert!(found >= found_min, "{method:?}: {found} of 50 found: {reasons:?}");
    let wrong = guilty(&screening, (0..2_000).filter(|row| row % 40 != 0));
    assert!(wrong <= 40, "{method:?}: {wrong} clean rows convicted");
}

#[test]
fn each_attack_is_seen_by_its_method() {
    let baseline = baseline(2);
    for method in [Method::ZScore, Method::Mad, Method::Range] {
        check(&baseline, method, 50, |_, row| row.weight = 5_000);
    }
    check(&baseline, Method::Mahalanobis, 40, |_, row| (row.size, row.weight) = (85, 60));
    check(&baseline, Method::RarePairs, 40, |_, row| (row.size, row.weight) = (14, 290));
    check(&baseline, Method::IsolationForest, 50, |_, row| (row.size, row.weight) = (900, 9_000));
    check(&baseline, Method::RareValues, 50, |_, row| row.colour = "octarine".into());
    check(&baseline, Method::Duplicates, 50, |_, row| *row = things(1, 99).remove(0));
    check(&baseline, Method::NearDuplicates, 30, |index, row| {
        *row = things(1, 99).remove(0);
        row.note = format!("{} {}", WORDS[index % 12], WORDS[(index / 4) % 12]);
        row.size += 1;
    });
    let flip = |row: &mut Row| row.label = if row.label == "dear" { "cheap" } else { "dear" }.into();
    check(&baseline, Method::ConfidentLabels, 15, |_, row| flip(row));
    check(&baseline, Method::Neighbours, 15, |_, row| flip(row));
    check(&baseline, Method::Triggers, 50, |_, row| {
        row.note.push_str(" zephyr");
        row.label = "dear".into();
    });
    check(&baseline, Method::LabelShift, 0, |_, row| {
        if row.colour == "red" {
            row.label = "dear".into();
        }
        row.colour = "red".into();
        row.label = "dear".into();
    });
}

#[test]
fn a_source_that_departs_is_the_guilty_part() {
    let baseline = baseline(1);
    let mut sources: Vec<Vec<Row>> = (0..5).map(|seed| things(400, 50 + seed)).collect();
    for row in &mut sources[3] {
        row.label = if row.label == "dear" { "cheap" } else { "dear" }.into();
    }
    let screening = screened(&baseline, &sources);
    assert_eq!(screening.guilty_rows, 400);
    for source in 0..5 {
        assert_eq!(screening.guilty(source, 17).is_some(), source == 3);
        assert_eq!(screening.sources[source as usize].weight < 0.9, source == 3);
    }
    assert_eq!(screening.guilty_rows_of(3), 400);
    assert_eq!(screening.strip(3, 4), [100; 4]);
}

#[test]
fn clean_data_of_any_size_passes() {
    // Beside small and large baselines, in one block and in several.
    for (golden, count) in [(1_000, 500), (1_000, 4_000), (3_000, 9_000)] {
        let options = Options { label: Some("label".into()), threads: 2, ..Options::default() };
        let baseline = Arc::new(Baseline::fit(&batch(&things(golden, 3)), options).unwrap());
        let alarms: Vec<Screening> =
            (0..2).map(|seed| screened(&baseline, &[things(count, 200 + seed)])).filter(|own| own.poisoned).collect();
        let methods: Vec<_> = alarms.iter().flat_map(|own| &own.methods).filter(|own| own.alarm).collect();
        assert!(alarms.len() <= 1, "{golden} and {count}: {methods:?}");
    }
}

#[test]
fn a_long_source_is_not_guilty_of_its_neighbours_end() {
    // The first row of the second source stands in a block with the end of the first, and is guilty.
    let baseline = baseline(2);
    let (mut first, mut second) = (things(65_535, 31), things(3_000, 32));
    for row in first.iter_mut().take(400).chain(second.iter_mut().take(1)) {
        row.colour = "octarine".into();
    }
    let screening = screened(&baseline, &[first, second]);
    assert!(screening.guilty(0, 5).is_some() && screening.guilty(1, 0).is_some());
    assert!(screening.guilty(1, 1_500).is_none());
}

#[test]
fn what_is_no_number_and_what_is_no_label_is_guilty() {
    let baseline = baseline(1);
    let mut rows = things(1_000, 41);
    for row in rows.iter_mut().take(30) {
        row.label = "cheap ".into();
    }
    let screening = screened(&baseline, &[rows.clone()]);
    assert_eq!(guilty(&screening, 0..30), 30, "{:?}", screening.segments);
    // One word among numbers makes a column of texts of it.
    let clean = batch(&things(1_000, 42));
    let sizes: Vec<String> = things(1_000, 42).iter().map(|row| row.size.to_string()).collect();
    let texts = StringArray::from_iter_values(
        sizes.iter().enumerate().map(|(row, size)| if row == 7 { "forty" } else { size.as_str() }),
    );
    let mut columns = clean.columns().to_vec();
    columns[0] = Arc::new(texts);
    let mut fields: Vec<Field> = clean.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields[0] = Field::new("size", DataType::Utf8, true);
    let odd = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let mut screen = Screen::new(baseline);
    screen.update(&odd, &(0..1_000).collect::<Vec<_>>()).unwrap();
    let screening = screen.finish();
    assert!(screening.guilty(0, 7).is_some(), "{:?}", screening.segments);
    assert!(screening.guilty_rows < 20, "{}", screening.guilty_rows);
}

#[test]
fn rows_are_named_by_the_numbers_that_they_came_with() {
    let baseline = baseline(1);
    let mut rows = things(1_500, 8);
    for row in rows.iter_mut().skip(100).step_by(50) {
        row.weight = -4_000;
    }
    let mut screen = Screen::new(baseline);
    let numbers: Vec<u64> = (0..1_500u64).map(|row| row * 3).collect();
    screen.update(&batch(&rows[..700]), &numbers[..700]).unwrap();
    screen.update(&batch(&rows[700..]), &numbers[700..]).unwrap();
    let screening = screen.finish();
    assert!(screening.guilty(0, 300).is_some() && screening.guilty(0, 301).is_none());
    assert!(screening.segments[0].reason.contains("weight"), "{}", screening.segments[0].reason);
}

#[test]
fn threads_and_repetition_change_nothing() {
    let mut rows = things(1_200, 9);
    for row in rows.iter_mut().take(30) {
        row.colour = "octarine".into();
    }
    let text = |threads| serde_json::to_string(&screened(&baseline(threads), &[rows.clone()])).unwrap();
    assert_eq!(text(1), text(1));
    assert_eq!(text(1), text(3));
}

#[test]
fn odd_tables_are_judged_or_refused() {
    let fit = |rows: &[Row], options: Options| Baseline::fit(&batch(rows), options);
    let label = |name: &str| Options { label: Some(name.into()), ..Options::default() };
    assert!(fit(&things(100, 1), Options::default()).is_err());
    assert!(fit(&things(800, 1), label("price")).is_err());
    let mut same = things(800, 1);
    same.iter_mut().for_each(|row| row.label = "one".into());
    assert!(fit(&same, label("label")).is_err());
    assert!(fit(&things(800, 1), Options { alpha: 2.0, ..Options::default() }).is_err());
    // Constant columns, and nothing to look at without a label.
    let mut flat = things(800, 1);
    flat.iter_mut().for_each(|row| (row.size, row.weight) = (1, 1));
    let baseline = Arc::new(fit(&flat, Options::default()).unwrap());
    assert!(!screened(&baseline, &[flat.clone()]).poisoned);
    flat[5].size = 9;
    assert!(!screened(&baseline, &[Vec::new()]).poisoned);
    let mut screen = Screen::new(baseline);
    assert!(screen.update(&batch(&flat), &[1]).is_err());
}
