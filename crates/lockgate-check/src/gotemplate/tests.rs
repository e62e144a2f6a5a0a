//! What templates render to, where it comes from, and that each rendering ends.

use super::*;
use crate::value::literal;

fn rendered(template: &str, values: &[(&str, &str)]) -> String {
    let values =
        values.iter().map(|(k, v)| (Val::str(*k), Val::text(Text::Known((*v).into()), literal(Place::new(9, 0, 1)))));
    let release = Val::dict(Vec::new(), true);
    let root = Val::dict(
        vec![(Val::str("Values"), Val::dict(values.collect(), false)), (Val::str("Release"), release)],
        false,
    );
    let template = parse(template).expect("a template");
    let named = template.defined.iter().map(|(name, nodes)| (name.clone(), (1, Rc::clone(nodes)))).collect();
    let context = Context { root, named: &named, file: &|_| None, unknown: Side::First };
    render(&template, 0, &context).expect("it renders").text
}

#[test]
fn texts_are_made_as_helm_makes_them() {
    let values = [("bucket", "lake"), ("empty", "")];
    for (template, expected) in [
        (r#"a: {{ printf "s3://%s/%d" .Values.bucket 3 }}"#, "a: s3://lake/3"),
        ("a:\n  {{- if .Values.none }}\n  b: 1\n  {{- else }}\n  c: 2\n  {{- end }}\n", "a:\n  c: 2\n"),
        (r#"{{ .Values.empty | default "x" | quote }}"#, r#""x""#),
        (r"{{ $b := .Values.bucket }}{{ with .Values }}{{ $b }}-{{ .bucket | upper }}{{ end }}", "lake-LAKE"),
        (r#"{{ range $i, $x := list "a" "b" }}{{ $i }}{{ $x }}{{ end }}"#, "0a1b"),
        (r#"{{ define "x" }}s3://{{ .Values.bucket }}{{ end }}{{ include "x" . | nindent 2 }}"#, "\n  s3://lake"),
        (r#"{{ .Values.bucket | replace "a" "i" | trunc 3 }}{{/* no */}}"#, "lik"),
        (r#"{{ tpl "{{ .Values.bucket }}" . }}{{ ternary "y" "n" (eq 1 1) }}"#, "lakey"),
        (r"{{ range untilStep 0 1 1 }}{{ end }}{{ if and .Values.bucket (not .Values.none) }}t{{ end }}", "t"),
        ("{{ .Release.Name }}-x", "\u{FFFC}-x"),
        (r#"{{ dict "a" (list 1 "b: c") | toYaml }}"#, "\"a\":\n- 1\n- \"b: c\""),
    ] {
        assert_eq!(rendered(template, &values), expected, "{template}");
    }
}

#[test]
fn what_is_printed_knows_its_place() {
    let template = parse("a: {{ .Values.b }} and more").expect("a template");
    let value = Val::text(Text::Known("long text".into()), literal(Place::new(7, 3, 4)));
    let root = Val::dict(vec![(Val::str("Values"), Val::dict(vec![(Val::str("b"), value)], false))], false);
    let context = Context { root, named: &HashMap::new(), file: &|_| None, unknown: Side::First };
    let out = render(&template, 0, &context).expect("it renders");
    assert_eq!(out.text, "a: long text and more");
    assert_eq!(out.source_of(13), 19);
    let printed = out.within(3..12).find_map(|piece| piece.printed.clone()).expect("an action printed it");
    assert_eq!(crate::value::literals(&printed), [Place::new(7, 3, 4)]);
}

#[test]
fn what_does_not_end_stops() {
    for template in [
        r#"{{ define "x" }}{{ include "x" . }}{{ end }}{{ include "x" . }}"#,
        r#"{{ define "x" }}{{ include "x" . }}{{ include "x" . }}{{ end }}{{ include "x" . }}"#,
        "{{ range until 200 }}{{ range until 200 }}{{ range until 200 }}x{{ end }}{{ end }}{{ end }}",
        r#"{{ range until 255 }}{{ "x" | repeat 200000 }}{{ end }}"#,
    ] {
        let template = parse(template).expect("a template");
        let named = template.defined.iter().map(|(name, nodes)| (name.clone(), (1, Rc::clone(nodes)))).collect();
        let context = Context { root: Val::none(), named: &named, file: &|_| None, unknown: Side::First };
        assert!(render(&template, 0, &context).is_err());
    }
    assert!(parse(&"{{ if 1 }}".repeat(100)).is_err());
    assert!(parse(&format!("{{{{ {}", "(".repeat(100_000))).is_err());
}
