use lockgate_detect::{Engine, Entity};
use proptest::prelude::*;

use super::*;

/// What the lists alone find.
fn found(text: &str) -> Vec<(&'static str, &str)> {
    let mut findings = Vec::new();
    Finder::lists().find(text, Holds::Text, &mut findings);
    findings.iter().map(|f| (f.entity.as_str(), text.get(f.start..f.end).expect("a place in the text"))).collect()
}

#[test]
fn people_are_found_by_given_names_and_titles() {
    assert_eq!(found("Then Ingrid Larsson-Berg called."), [("PERSON", "Ingrid Larsson-Berg")]);
    assert_eq!(found("I spoke to Mr. Xylander about it"), [("PERSON", "Xylander")]);
    assert_eq!(found("Please ask Ingrid van der Berg today"), [("PERSON", "Ingrid van der Berg")]);
    assert_eq!(found("Will you mark the rose in May? Grace and hope are virtues."), []);
    assert_eq!(found("Restart the Redis server and the Docker host."), []);
}

#[test]
fn addresses_are_put_together() {
    for address in [
        "742 Evergreen Terrace, Apt 3",
        "Hauptstraße 12",
        "27 rue de la République",
        "Via Garibaldi 21",
        "12 West 34th Street",
        "P.O. Box 101",
        "PSC 4926, Box 7979",
        "Suite 574",
    ] {
        let text = format!("Send it to {address} please.");
        assert_eq!(found(&text), [("ADDRESS", address)]);
    }
    assert_eq!(found("the way to close the court in 12 days"), []);
}

#[test]
fn an_address_over_lines_is_found_by_line() {
    let text = "45 Beach Road\nApt. 12\nPalanga\nLithuania 12345";
    let lines: Vec<&str> = found(text).into_iter().map(|(_, value)| value).collect();
    assert_eq!(lines, ["45 Beach Road", "Apt. 12", "Palanga", "Lithuania"]);
}

#[test]
fn organizations_places_and_peoples_are_found() {
    assert_eq!(found("Invoice of Blue Heron Trading Ltd for May"), [("ORGANIZATION", "Blue Heron Trading Ltd")]);
    assert_eq!(found("the University of Oslo said"), [("ORGANIZATION", "University of Oslo")]);
    assert_eq!(found("we flew to New Zealand"), [("LOCATION", "New Zealand")]);
    assert_eq!(found("a Norwegian passport"), [("NRP", "Norwegian")]);
}

#[test]
fn companies_are_known_by_their_forms() {
    for name in [
        "Acme GmbH",
        "Müller GmbH & Co. KG",
        "Lehmann Bau OHG",
        "Construtora Andrade Ltda",
        "Bakkerij Jansen B.V",
        "Rossi Costruzioni S.r.l",
        "Inversiones Norte S.A",
    ] {
        assert_eq!(found(&format!("The bill is from {name}.")), [("ORGANIZATION", name)]);
    }
}

#[test]
fn a_column_of_names_is_found_cell_by_cell() {
    let finder = Finder::lists();
    let holds = finder.column("full_name", &["Maria Jensen", "Ali Khan"]);
    let mut findings = Vec::new();
    finder.find(" zz Xq ", holds, &mut findings);
    assert_eq!(findings.iter().map(|f| (f.entity, f.start, f.end)).collect::<Vec<_>>(), [(Entity::PERSON, 1, 6)]);
}

#[test]
fn the_first_tier_and_the_second_do_not_overlap() {
    let engine = Engine::new().with_names(Arc::new(Finder::lists()));
    let text = "Maria Jensen <maria@example.com>, 12 Elm Street, call 415-555-2671";
    let mut findings = Vec::new();
    engine.scan(text, &mut findings);
    let values: Vec<&str> = findings.iter().map(|f| text.get(f.start..f.end).expect("a place")).collect();
    assert_eq!(values, ["Maria Jensen", "maria@example.com", "12 Elm Street", "415-555-2671"]);
}

#[test]
fn a_missing_or_changed_network_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let failure = Finder::open(folder).expect_err("no network");
    assert!(failure.hint_text().is_some_and(|hint| hint.contains("lockgate names install")));
    std::fs::write(folder.join("model_q4.onnx"), b"something else").expect("a file");
    let failure = Finder::open(folder).expect_err("another network");
    assert_eq!(failure.fault(), lockgate_core::Fault::Integrity);
}

/// Of each entity five texts in which it is found by lists, and five in which it is not.
#[test]
fn each_entity_has_examples_for_and_against_it() {
    let cases: [(&str, [&str; 5], [&str; 5]); 5] = [
        (
            "PERSON",
            ["Ask Ingrid Larsson", "Mr. Xylander", "herr Ångström called", "With Maria", "by José Hernández-Ruiz"],
            ["Will you mark it in May", "the Redis server", "PEM and EOF", "In Berlin it rains", "Fn = Ingrid_x(1);"],
        ),
        (
            "ORGANIZATION",
            ["Blue Heron Ltd.", "University of Oslo", "from Microsoft", "she works at Vrobel", "Müller & Sons GmbH"],
            ["the company was good", "a bank of sand", "the group of people", "limited to two", "in 2nd place"],
        ),
        (
            "LOCATION",
            ["in New Zealand", "in Texas", "from Gothenburg", "Zürich, Switzerland", "to Bosnia and Herzegovina"],
            ["turkey with rice", "fine china", "a nice chair", "reading a book", "the bath was warm"],
        ),
        (
            "ADDRESS",
            ["12 Elm Street", "Via Roma 3", "Hauptstraße 12", "P.O. Box 7", "Suite 400"],
            ["close the court in 12 days", "Engineering 101", "Box 12", "the way to 5", "street food"],
        ),
        (
            "NRP",
            ["a Norwegian passport", "a Muslim", "as Democrat", "he is Brazilian", "the Kurdish people"],
            ["polish the table", "a democratic vote", "the turkey", "an indie film", "norway"],
        ),
    ];
    for (entity, good, bad) in cases {
        for text in good {
            assert!(found(text).iter().any(|(found, _)| *found == entity), "{entity} is not found in {text:?}");
        }
        for text in bad {
            assert!(!found(text).iter().any(|(found, _)| *found == entity), "{entity} is found in {text:?}");
        }
    }
}

#[test]
fn what_is_one_thing_is_not_another() {
    assert_eq!(found("American Airlines cancelled it"), [("ORGANIZATION", "American Airlines")]);
    assert_eq!(
        found("12 Elm Street, Google, Berlin, Germany"),
        [("ADDRESS", "12 Elm Street"), ("ORGANIZATION", "Google"), ("LOCATION", "Berlin"), ("LOCATION", "Germany")]
    );
    assert_eq!(found("Ingrid van\nder Berg")[0], ("PERSON", "Ingrid"));
    assert_eq!(found("Ingrid\u{a0}Larsson called"), [("PERSON", "Ingrid\u{a0}Larsson")]);
    for nothing in ["Box 12", "The Box 12", "Engineering 101", "Manufacturing 12", "an offering 20 percent"] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
    assert_eq!(found("_Ingrid Larsson_ (41)"), [("PERSON", "Ingrid Larsson")]);
    assert_eq!(found("| Ingrid | Oslo | 12 | x |"), [("PERSON", "Ingrid")]);
}

#[test]
fn categories_hold_no_names_but_plain_ones() {
    let finder = Finder::lists();
    let holds = finder.column("c7", &["Mexico"; 100]);
    assert_eq!(holds, Holds::Categories);
    let of = |text: &str| {
        let mut findings = Vec::new();
        finder.find(text, holds, &mut findings);
        findings.len()
    };
    assert_eq!([of("Mexico"), of("Norway"), of("Ingrid"), of("Ingrid Larsson")], [0, 0, 1, 1]);
    assert_eq!(of("please ask Ingrid Larsson about this"), 1);
}

/// Texts in which what means something stands close together.
fn texts() -> impl Strategy<Value = String> {
    const PARTS: [&str; 40] = [
        "Ingrid",
        "Larsson",
        "larsson",
        "MARIA",
        "van",
        "der",
        "de",
        "la",
        "Mr.",
        "Dr",
        "J.",
        "American",
        "Norwegian",
        "Airlines",
        "Inc",
        "Ltd.",
        "University",
        "of",
        "Google",
        "Bank",
        "Oslo",
        "New",
        "York",
        "Germany",
        "Street",
        "street",
        "rue",
        "Hauptstraße",
        "P.O. Box",
        "Suite",
        "12",
        "12b",
        "34th",
        "80331",
        ", ",
        "\n",
        "\u{a0}",
        "’s",
        "(",
        "::",
    ];
    prop::collection::vec((0..PARTS.len(), prop::bool::weighted(0.8)), 0..24).prop_map(|parts| {
        parts.into_iter().map(|(at, space)| format!("{}{}", PARTS[at], if space { " " } else { "" })).collect()
    })
}

proptest! {
    #[test]
    fn findings_stand_on_characters_in_order_and_apart(text in prop_oneof![texts(), ".{0,120}"]) {
        let mut findings = Vec::new();
        Finder::lists().find(&text, Holds::Text, &mut findings);
        let mut end = 0;
        for finding in findings {
            prop_assert!(finding.start >= end && finding.end > finding.start, "{text:?}");
            prop_assert!(text.get(finding.start..finding.end).is_some());
            end = finding.end;
        }
    }

    #[test]
    fn windows_of_any_text_give_it_back(text in "(?s).{0,2000}") {
        prop_assert_eq!(windows(&text).map(|(_, window)| window).collect::<String>(), text);
    }
}
