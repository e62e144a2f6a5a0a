use super::*;

fn principal(role: &str) -> Principal {
    Principal { id: format!("test/{role}"), roles: vec![role.to_owned()] }
}

fn request<'a>(principal: &'a Principal, action: &'a str, purpose: &'a str) -> Request<'a> {
    Request {
        principal,
        action,
        resource: Resource {
            kind: "dataset".into(),
            name: "people".into(),
            classification: Some(Classification::Restricted),
            purpose: Some("credit".into()),
            columns: [
                ("age".to_owned(), Classification::Internal),
                ("email".to_owned(), Classification::Confidential),
                ("ssn".to_owned(), Classification::Restricted),
            ]
            .into(),
            protection: [("ssn".to_owned(), "hash".to_owned())].into(),
        },
        purpose,
        client: None,
    }
}

fn default_policy() -> Policy {
    Policy::compile(&[("default.rego".into(), DEFAULT_POLICY.into())]).unwrap()
}

#[test]
fn the_default_policy_denies_by_default_and_attaches_obligations() {
    let policy = default_policy();
    for (role, action, purpose, allow) in [
        ("data-engineer", "read", "credit", true),
        ("data-engineer", "read", "marketing", false),
        ("data-engineer", "deploy", "credit", false),
        ("ml-engineer", "train", "credit", true),
        ("analyst", "read", "credit", true),
        ("analyst", "train", "credit", false),
        ("nobody", "read", "credit", false),
        ("service", "infer", "credit", false),
    ] {
        let principal = principal(role);
        let decision = policy.decide(&request(&principal, action, purpose));
        assert_eq!(decision.allow, allow, "{role} {action} {purpose}: {decision:?}");
    }
    let analyst = principal("analyst");
    let obligations = policy.decide(&request(&analyst, "read", "credit")).obligations;
    assert_eq!(obligations.hidden_columns, ["ssn"]);
    assert_eq!(obligations.column_masks["email"], "'***'");
    assert!(!obligations.column_masks.contains_key("age"));
}

#[test]
fn whatever_goes_wrong_is_a_no() {
    let who = principal("data-engineer");
    let ask = |body: &str| {
        let text = format!("package lockgate\nimport rego.v1\n{body}\n");
        Policy::compile(&[("p.rego".into(), text)]).map(|p| p.decide(&request(&who, "read", "credit")))
    };
    for body in [
        "decision := {\"allow\": \"yes\"}",
        "decision := true",
        "decision := {\"allow\": true, \"obligation\": {}}",
        "decision := {\"allow\": true} if input.nothing == 1",
        "decision := {\"allow\": http.send({\"url\": \"http://127.0.0.1\", \"method\": \"get\"}).status_code == 200}",
        "decision := {\"allow\": strings.count(\"x\", \"\") > 0}",
        "decision := {\"allow\": true} if count([1 | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); i == j]) > 0",
    ] {
        assert!(!ask(body).is_ok_and(|d| d.allow), "{body}");
    }
    assert!(ask("decision := {\"allow\": true}").unwrap().allow);
    assert!(ask("this is not rego").is_err());
}
