use super::*;

const CONTRACT: &str = r"
apiVersion: v3.1.0
kind: DataContract
id: people
version: 1.0.0
status: active
description: {purpose: testing}
team: {members: [{username: ana, role: owner}]}
slaProperties: [{property: retention, value: 2, unit: y}]
schema:
  - name: people
    customProperties: [{property: dataSubject, value: id}]
    properties:
      - {name: id, logicalType: string, primaryKey: true, classification: restricted, logicalTypeOptions: {pattern: '^P[0-9]+$'}}
      - {name: age, logicalType: integer, required: true, classification: internal, logicalTypeOptions: {minimum: 0, maximum: 120}}
      - name: tier
        logicalType: string
        classification: internal
        logicalTypeOptions: {maxLength: 4}
        quality: [{metric: invalidValues, arguments: {validValues: [gold, tin]}, mustBe: 0}]
      - {name: joined, logicalType: date, classification: internal}
";

fn check(rows: &[[Option<&str>; 4]], expect: &[(usize, &str, &str)]) -> Checked {
    let contract = Contract::parse(CONTRACT, "c.yaml").unwrap();
    let header: Vec<String> = ["id", "age", "tier", "joined"].map(str::to_owned).to_vec();
    let mut checker = Checker::new(&contract, &header, std::env::temp_dir()).unwrap();
    let columns = (0..4).map(|i| {
        let values: StringArray = rows.iter().map(|row| row[i]).collect();
        (header[i].clone(), Arc::new(values) as ArrayRef)
    });
    let checked = checker.check(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    let got: Vec<_> =
        checked.violations.iter().map(|v| (v.row, contract.columns[v.column.unwrap()].name.as_str(), v.rule)).collect();
    assert_eq!(got, expect);
    checked
}

#[test]
fn every_rule_refuses_what_breaks_it_and_nothing_else() {
    let ok = |id| [Some(id), Some("30"), Some("gold"), Some("2026-01-01")];
    let checked = check(
        &[
            ok("P1"),
            [Some("P2"), None, None, None],
            [Some("P3"), Some("old"), Some("tin"), Some("yesterday")],
            [Some("P4"), Some("-1"), Some("silver"), None],
            ok("P1"),
            [Some("Q5"), Some("121"), None, None],
            ok("P6"),
        ],
        &[
            (1, "age", "required"),
            (2, "age", "logicalType"),
            (2, "joined", "logicalType"),
            (3, "age", "minimum"),
            (3, "tier", "maxLength"),
            (3, "tier", "invalidValues"),
            (4, "id", "primaryKey"),
            (5, "id", "pattern"),
            (5, "age", "maximum"),
        ],
    );
    assert_eq!(checked.accepted.num_rows(), 2);
    assert_eq!(checked.accepted.num_rows() + 5, checked.mask.len());
}

#[test]
fn a_contract_without_governance_is_orphaned() {
    for (cut, what) in [
        ("team: {members: [{username: ana, role: owner}]}\n", "owner"),
        ("slaProperties: [{property: retention, value: 2, unit: y}]\n", "retention"),
        ("description: {purpose: testing}\n", "purpose"),
        ("    customProperties: [{property: dataSubject, value: id}]\n", "data subject"),
        (", classification: restricted", "classification"),
    ] {
        let failure = Contract::parse(&CONTRACT.replace(cut, ""), "c.yaml").unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("orphaned") && text.contains(what), "{text}");
    }
}

#[test]
fn a_column_nobody_classified_does_not_flow() {
    let contract = Contract::parse(CONTRACT, "c.yaml").unwrap();
    let header = ["id", "age", "teir"].map(str::to_owned);
    let failure = Checker::new(&contract, &header, std::env::temp_dir()).unwrap_err();
    assert!(failure.hint_text().unwrap().contains("\"tier\""));
}

#[test]
fn a_value_must_be_valid_by_every_rule_that_names_values() {
    let more = "quality: [{metric: invalidValues, arguments: {validValues: [tin, iron]}, mustBe: 0}, ";
    let contract = Contract::parse(&CONTRACT.replace("quality: [", more), "c.yaml").unwrap();
    assert_eq!(contract.columns[2].rules.valid_values.as_deref(), Some(&["tin".to_owned()][..]));
    let todo = Contract::parse(&CONTRACT.replace("value: id}", "value: TODO}"), "c.yaml").unwrap_err().to_string();
    assert!(todo.contains("orphaned"), "{todo}");
}
