use proptest::prelude::*;

use super::*;

fn found(text: &str) -> Vec<(&'static str, &str)> {
    let mut findings = Vec::new();
    ENGINE.with(|engine| engine.scan(text, &mut findings));
    findings.iter().map(|f| (f.entity.as_str(), text.get(f.start..f.end).unwrap())).collect()
}

thread_local! {
    static ENGINE: Engine = Engine::new();
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    assert_eq!(found(text), expected, "{text}");
}

/// Each line of `examples.tsv`: a recognizer, `+` or `-`, and a text in which it finds the part
/// between `«` and `»`, or nothing.
#[test]
fn every_recognizer_has_examples_and_keeps_them() {
    let mut counts = std::collections::BTreeMap::<&str, (usize, usize)>::new();
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(include_str!("examples.tsv").lines()) {
        let mut fields = line.splitn(3, '\t');
        let (Some(name), Some(sign), Some(text)) = (fields.next(), fields.next(), fields.next()) else {
            panic!("line {number}: three fields, parted by tabs")
        };
        let row = recognizer::rows().find(|row| row.name == name).unwrap_or_else(|| panic!("line {number}: {name}"));
        let plain = text.replace(['«', '»'], "").replace("\\n", "\n");
        let mut findings = Vec::new();
        ENGINE.with(|engine| engine.scan(&plain, &mut findings));
        let own: Vec<&str> =
            findings.iter().filter(|f| f.entity.as_str() == row.entity).map(|f| &plain[f.start..f.end]).collect();
        let count = counts.entry(name).or_default();
        let holds = if sign == "+" {
            count.0 += 1;
            let wanted = text.split('«').nth(1).unwrap().split('»').next().unwrap().replace("\\n", "\n");
            own.contains(&wanted.as_str())
        } else {
            count.1 += 1;
            own.is_empty()
        };
        if !holds {
            wrong.push(format!("line {number}: {line}\n    found {:?}", found(&plain)));
        }
    }
    for row in recognizer::rows().filter(|row| !row.entity.is_empty()) {
        let (good, bad) = counts.get(row.name).copied().unwrap_or_default();
        if good < 5 || bad < 5 {
            wrong.push(format!("{} has {good} examples for and {bad} against it; five of each are needed", row.name));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_confirmed_stays_before_what_is_not() {
    check(
        "card 4111 1111 1111 1111, mail a.b@mail.example",
        &[("CREDIT_CARD", "4111 1111 1111 1111"), ("EMAIL_ADDRESS", "a.b@mail.example")],
    );
    check("call 4111111111111111", &[("CREDIT_CARD", "4111111111111111")]);
    check("IBAN DE89 3704 0044 0532 0130 00 of ana", &[("IBAN_CODE", "DE89 3704 0044 0532 0130 00")]);
    check("see https://a.example/4111111111111111 now", &[("URL", "https://a.example/4111111111111111")]);
    check("postgres://app:s3cr3tpw@db.internal/x", &[("CREDENTIALS", "postgres://app:s3cr3tpw@db.internal/x")]);
}

#[test]
fn what_is_hidden_is_found_where_it_stands() {
    check("ana (at) mail [dot] example", &[("EMAIL_ADDRESS", "ana (at) mail [dot] example")]);
    check("４１１１-１１１１-１１１１-１１１１!", &[("CREDIT_CARD", "４１１１-１１１１-１１１１-１１１１")]);
    check("é 078-0\u{200b}5-1129", &[("US_SSN", "078-0\u{200b}5-1129")]);
    check("\u{430}na@mail.example", &[("EMAIL_ADDRESS", "\u{430}na@mail.example")]);
    check("卡号4111111111111111。", &[("CREDIT_CARD", "4111111111111111")]);
}

#[test]
fn what_is_nobodys_is_not_found() {
    for text in [
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "id 123e4567-e89b-12d3-a456-426614174000, 6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "0.4111111111111111 12.345678901234 -0.000123456789 1.23e-10",
        "version 1.2.3.4 of v10.20.30.40, build 20240131.1",
        "sku AB-12345-XY, part 1234-5678, order 100200300",
        "1700000000 1700000000123 1700000000123456",
        "for (int i = 0; i < 1000000; i++) { x[i] = 0xdeadbeef; }",
        "SHA256:uNiVztksCsDhcc0u9e8BrjXn2ssyOxmb8QUGYZX1hbk",
        "state_gov 77516 Bachelors 13 2174 0 40",
        "2019-2020, pages 100-200, 50/50, 3:2, 10 x 20 x 30",
        "total 1 234 567 in 12 months, 99.95 EUR, 1,234,567.89",
        "password = os.environ['DB_PASSWORD'] token: ${TOKEN}",
        "lat 12.5 lon 13.5; std::vector<int>; a::b::c; ::1",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn a_columns_name_tells_what_its_values_are() {
    ENGINE.with(|engine| {
        let entities = |column: &str, text: &str| {
            let mut findings = Vec::new();
            engine.scan_in(text, engine.context(column), &mut findings);
            findings.iter().map(|f| f.entity.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(entities("customer_ssn", "078051129"), ["US_SSN"]);
        assert_eq!(entities("homePhone", "6502530000"), ["PHONE_NUMBER"]);
        assert_eq!(entities("Postleitzahl", "10115"), ["DE_PLZ"]);
        assert!(entities("amount", "078051129").is_empty());
    });
}

#[test]
fn a_finding_explains_itself() {
    ENGINE.with(|engine| {
        let text = "his ssn is 078051129";
        let mut findings = Vec::new();
        engine.scan(text, &mut findings);
        let explained = engine.explain(text, &findings[0]).unwrap();
        assert_eq!((explained.recognizer, explained.confirmed), ("us-ssn-bare", true));
        let (word, boost) = explained.context.unwrap();
        assert_eq!(word, "ssn");
        assert!((explained.base + boost - explained.score).abs() < 1e-6);
    });
}

#[test]
fn countries_and_entities_can_be_chosen() {
    let mut findings = Vec::new();
    let text = "SSN 536-90-4399, NIF 12345678Z, a@mail.example";
    let options = Options { countries: vec!["es".into()], ..Options::default() };
    Engine::with(&options).unwrap().scan(text, &mut findings);
    assert_eq!(findings.iter().map(|f| f.entity.as_str()).collect::<Vec<_>>(), ["ES_NIF", "EMAIL_ADDRESS"]);
    findings.clear();
    let options = Options { entities: vec![Entity::parse("US_SSN").unwrap()], ..Options::default() };
    Engine::with(&options).unwrap().scan(text, &mut findings);
    assert_eq!(findings.iter().map(|f| f.entity.as_str()).collect::<Vec<_>>(), ["US_SSN"]);
}

/// What is not linear takes hours here, and the runner ends it.
#[test]
fn no_input_is_quadratic() {
    let urls = format!("{}{} ", "a://".repeat(256), ")".repeat(1024));
    let units = [
        "1 ",
        "1-",
        "a@",
        "://",
        "+1",
        "(0",
        "1.2",
        "password=",
        "eyJ",
        "4111 ",
        "a1:",
        "＠",
        "(at)",
        "(",
        "[(",
        "&#",
        "11.22.33.44 ",
        "www.",
        &urls,
    ];
    for unit in units {
        let text = unit.repeat(1_000_000 / unit.len());
        let mut findings = Vec::new();
        ENGINE.with(|engine| engine.scan(&text, &mut findings));
        let mut end = 0;
        for finding in findings {
            assert!(finding.start >= end && finding.end <= text.len());
            end = finding.end;
        }
    }
}

#[test]
fn neighbours_do_not_hide_each_other() {
    check("536-90-4398/219-09-9998", &[("US_SSN", "536-90-4398"), ("US_SSN", "219-09-9998")]);
    check("ref 12/536-90-4399", &[("US_SSN", "536-90-4399")]);
    check("10.218.6.131-10.218.6.140", &[("IP_ADDRESS", "10.218.6.131"), ("IP_ADDRESS", "10.218.6.140")]);
    check(
        "+1 650 253 0000 4111 1111 1111 1111",
        &[("PHONE_NUMBER", "+1 650 253 0000"), ("CREDIT_CARD", "4111 1111 1111 1111")],
    );
    check("card 4111111111111111.0, ssn 536904399.0", &[("CREDIT_CARD", "4111111111111111"), ("US_SSN", "536904399")]);
    check("net 2001:db8:85a3::/48", &[("IP_ADDRESS", "2001:db8:85a3::")]);
    let token = "ghp_Zz4yPcC0uVAiHMPQiVqWoZ1ugNgWTm2nyVsz";
    let found = found(&format!("https://api.example/x?token={token}&y=1"))
        .iter()
        .map(|(entity, value)| (*entity, value.len()))
        .collect::<Vec<_>>();
    assert_eq!(found, [("GITHUB_TOKEN", 40)]);
}

fn redacted(text: &str) -> String {
    let clean = ENGINE.with(|engine| engine.clean(text, Context::default(), &mut Vec::new()));
    clean.unwrap_or_else(|| text.to_owned())
}

/// Text in which values, separators and other scripts stand close together.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("4111 1111 1111 1111".to_owned()),
        Just("a.b@mail.example".to_owned()),
        Just("536-90-4399".to_owned()),
        Just("+49 30 123456".to_owned()),
        Just("DE89370400440532013000".to_owned()),
        Just("https://a.example/?q=1".to_owned()),
        Just("phone".to_owned()),
        Just("２０２４-01-02".to_owned()),
        "[ -~]{0,12}",
        "\\PC{0,8}",
        "[0-9 .:/+()-]{0,24}",
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.join(" "))
}

proptest! {
    #[test]
    fn findings_stand_on_characters_in_order_and_apart(text in texts()) {
        let mut findings = Vec::new();
        ENGINE.with(|engine| engine.scan(&text, &mut findings));
        let mut end = 0;
        for finding in findings {
            prop_assert!(finding.start >= end && finding.end > finding.start && finding.end <= text.len());
            prop_assert!(text.is_char_boundary(finding.start) && text.is_char_boundary(finding.end));
            prop_assert!((0.0..=2.0).contains(&finding.score));
            end = finding.end;
        }
    }

    #[test]
    fn what_was_found_is_gone_after_redaction(text in texts()) {
        let once = redacted(&text);
        for (_, value) in found(&text) {
            // The value may stand elsewhere too, where it is found as well.
            prop_assert!(!found(&once).iter().any(|(_, left)| *left == value), "{value} in {once}");
        }
        prop_assert_eq!(redacted(&once), once);
    }
}

proptest! {
    #[test]
    fn no_check_panics_on_any_text(text in ".{0,48}", digits in "[0-9A-Z .:/@-]{0,40}") {
        ask_every_check(&text);
        ask_every_check(&digits);
    }
}
