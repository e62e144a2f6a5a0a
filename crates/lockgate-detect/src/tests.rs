use super::*;

fn check(text: &str, expect: &[(&str, &str)]) {
    let mut findings = Vec::new();
    Engine::new().scan(text, &mut findings);
    let got: Vec<(&str, &str)> = findings.iter().map(|f| (f.entity.as_str(), &text[f.start..f.end])).collect();
    assert_eq!(got, expect, "in {text:?}");
}

#[test]
fn finds_each_entity_and_where_it_ends() {
    check("mail ana.b+x@mail.example.co.uk.", &[("EMAIL_ADDRESS", "ana.b+x@mail.example.co.uk")]);
    check("see https://x.example/a?b=1.", &[("URL", "https://x.example/a?b=1")]);
    check("Refund goes to GB82 WEST 1234 5698 7654 32.", &[("IBAN_CODE", "GB82 WEST 1234 5698 7654 32")]);
    check("DE89370400440532013000", &[("IBAN_CODE", "DE89370400440532013000")]);
    check("Card 4111 1111 1111 1111 declined", &[("CREDIT_CARD", "4111 1111 1111 1111")]);
    check("ssn 568-36-9548!", &[("US_SSN", "568-36-9548")]);
    check("from 13.178.65.34, fine", &[("IP_ADDRESS", "13.178.65.34")]);
    check("at 2001:db8::8a2e:370:7334 now", &[("IP_ADDRESS", "2001:db8::8a2e:370:7334")]);
    check("on 2026-01-21 and 3/4/2025", &[("DATE_TIME", "2026-01-21"), ("DATE_TIME", "3/4/2025")]);
    check("born March 3, 1980", &[("DATE_TIME", "March 3, 1980")]);
    for phone in [
        "+34712 67 73 54",
        "+44(0)1164960284",
        "(555) 123-4567",
        "001-555-123-4567x123",
        "555.123.4567",
        "0711 123 45 67",
    ] {
        check(&format!("Call {phone} soon"), &[("PHONE_NUMBER", phone)]);
    }
}

#[test]
fn leaves_what_only_looks_like_it() {
    for text in [
        "",
        "State-gov",
        "version 1.2.3",
        "v1.2.3.4",
        "4111 1111 1111 1112",
        "GB82 WEST 1234 5698 7654 33",
        "666-12-3456",
        "77516",
        "12:30",
        "3.14159",
        "order 123456789",
        "a@b",
        "::",
        "99/99/2025",
    ] {
        check(text, &[]);
    }
}

#[test]
fn offsets_fall_on_characters_of_any_text() {
    check(
        "žluťoučký 👩‍🚀 ana@example.com — 你好 13.178.65.34。",
        &[("EMAIL_ADDRESS", "ana@example.com"), ("IP_ADDRESS", "13.178.65.34")],
    );
}

proptest::proptest! {
    #[test]
    fn never_panics_and_never_overlaps(text in "[0-9a-zé@:/. +()-]{0,80}") {
        let mut findings = Vec::new();
        Engine::new().scan(&text, &mut findings);
        let mut last = 0;
        for finding in findings {
            assert!(finding.start >= last && finding.end > finding.start);
            assert!(text.get(finding.start..finding.end).is_some());
            last = finding.end;
        }
    }
}
