//! Who a client of the gateway is: tokens, and authorities of others. What it may do is in `serve`.

use std::{fs, process::Command, time::Duration};

use serde_json::json;

use crate::{
    serve::{INFER, Served, good},
    world::{judge, root, run},
};

#[test]
fn a_token_says_who_a_workload_acts_for() {
    let world = tempfile::tempdir().unwrap();
    let script = root().join("tests/e2e/data/tokens.py");
    let mut served = Served::prepare(
        "{rateLimit: {requestsPerSecond: 1000, burst: 1000}, jwt: {jwks: jwks.json, issuer: 'https://issuer.example', audience: lockgate}}",
    );
    let mut make = Command::new(judge("python"));
    make.arg(script).arg(world.path()).arg(served.world.path("shop/client.crt"));
    let made = run(&mut make).ok().json();
    served.world.write("jwks.json", made["jwks"].to_string().as_bytes());
    served.up();
    let tokens = made["tokens"].as_object().unwrap();
    assert!(tokens.len() >= 17, "{tokens:?}");
    let short = format!("Bearer {}", made["short"].as_str().unwrap());
    let short = json!([{"path": INFER, "body": good(), "headers": {"authorization": short}}]);
    assert_eq!(served.statuses(short.clone()), [200]);
    for (name, token) in tokens {
        let header = format!("Bearer {}", token.as_str().unwrap());
        let request = json!([{"path": INFER, "body": good(), "headers": {"authorization": header}, "repeat": 2}]);
        let expected = if name.starts_with("good") {
            200
        } else if name.starts_with("denied") {
            404
        } else {
            401
        };
        assert_eq!(served.statuses(request), [expected, expected], "{name}");
    }
    assert_eq!(served.statuses(json!([{"path": INFER, "body": good()}])), [401]);
    // A cached token is not good beyond its end, nor on another client's connection.
    let ends = std::time::UNIX_EPOCH + Duration::from_secs(made["shortEnds"].as_u64().unwrap() + 1);
    std::thread::sleep(ends.duration_since(std::time::SystemTime::now()).unwrap_or_default());
    assert_eq!(served.statuses(short), [401]);
    let bound = format!("Bearer {}", tokens["good-bound"].as_str().unwrap());
    assert_eq!(
        served.statuses(
            json!([{"client": "analyst", "path": INFER, "body": good(), "headers": {"authorization": bound}}])
        ),
        [401]
    );
    served.stop();
    let events = served.events();
    let inference = events.iter().find(|event| event["kind"] == "inference").unwrap();
    assert_eq!((inference["actor"].as_str(), inference["detail"]["client"].as_str()), (Some("ana"), Some("shop")));
}

#[test]
fn a_token_may_carry_its_roles_and_faulty_keys_are_refused() {
    let made_in = tempfile::tempdir().unwrap();
    let mut served = Served::prepare(
        "{jwt: {jwks: jwks.json, issuer: 'https://issuer.example', audience: lockgate, rolesClaim: groups}}",
    );
    let mut make = Command::new(judge("python"));
    make.arg(root().join("tests/e2e/data/tokens.py")).arg(made_in.path()).arg(served.world.path("shop/client.crt"));
    let made = run(&mut make).ok().json();
    for (words, jwks) in made["faulty"].as_object().unwrap() {
        served.world.write("jwks.json", jwks.to_string().as_bytes());
        served.world.lockgate(&["serve", "--listen", "127.0.0.1:0"]).fails(3, words);
    }
    fs::remove_file(served.world.path("jwks.json")).unwrap();
    run(Command::new("mkfifo").arg(served.world.path("jwks.json"))).ok();
    served.world.lockgate(&["serve", "--listen", "127.0.0.1:0"]).fails(3, "not a regular file");
    fs::remove_file(served.world.path("jwks.json")).unwrap();
    served.world.write("jwks.json", made["jwks"].to_string().as_bytes());
    served.up();
    for (name, token) in made["claimed"].as_object().unwrap() {
        let header = format!("Bearer {}", token.as_str().unwrap());
        let request = json!([{"path": INFER, "body": good(), "headers": {"authorization": header}}]);
        assert_eq!(served.statuses(request), [if name.starts_with("good") { 200 } else { 404 }], "{name}");
    }
}

#[test]
fn an_outside_authority_names_clients_by_their_whole_id() {
    let mut served = Served::prepare(
        "{tls: {certificate: outside/client.crt, key: outside/client.key, clientAuthority: outside/authority.crt, trustDomain: corp.example}}",
    );
    served.world.edit(
        "lockgate.yaml",
        "  - id: ana\n",
        "  - id: spiffe://corp.example/team/shop\n    roles: [service]\n  - id: ana\n",
    );
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        run(command.args(args.split(' ')).current_dir(served.world.path(""))).ok();
    };
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Corp -keyout ca.key -out ca.crt",
    );
    let local = fs::read_to_string(served.world.path("lockgate.yaml")).unwrap();
    let local = local.lines().find_map(|line| line.strip_prefix("name: ")).unwrap().to_owned();
    let clients = [
        ("outside", "DNS:localhost".to_owned()),
        ("team", "URI:spiffe://corp.example/team/shop".to_owned()),
        ("short", "URI:spiffe://corp.example/shop".to_owned()),
        ("posing", format!("URI:spiffe://{local}.lockgate.local/shop")),
        ("twice", "URI:spiffe://corp.example/team/shop,URI:spiffe://corp.example/shop".to_owned()),
    ];
    for (name, san) in &clients {
        fs::create_dir(served.world.path(name)).unwrap();
        served
            .world
            .write("san.cnf", format!("subjectAltName={san}\nextendedKeyUsage=serverAuth,clientAuth\n").as_bytes());
        openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout {name}/client.key -out x.csr"
        ));
        openssl(&format!(
            "x509 -req -in x.csr -CA ca.crt -CAkey ca.key -days 2 -extfile san.cnf -out {name}/client.crt"
        ));
        fs::copy(served.world.path("ca.crt"), served.world.path(name).join("authority.crt")).unwrap();
    }
    // The private key of a server is its owner's alone.
    let key = served.world.path("outside/client.key");
    run(Command::new("chmod").arg("644").arg(&key)).ok();
    served.world.lockgate(&["serve", "--listen", "127.0.0.1:0"]).fails(3, "others may read");
    run(Command::new("chmod").arg("600").arg(&key)).ok();
    served.up();
    fs::rename(served.world.path("shop"), served.world.path("inside")).unwrap();
    fs::rename(served.world.path("team"), served.world.path("shop")).unwrap();
    // The whole id is the principal: no path of another domain, nor a part of this one, is "shop".
    let refused =
        |served: &Served, client: &str| served.statuses(json!([{"client": client, "path": INFER, "body": good()}]))[0];
    let all: Vec<u64> =
        ["shop", "short", "posing", "twice", "inside"].iter().map(|client| refused(&served, client)).collect();
    assert_eq!(all[..2], [200, 404]);
    assert!(all[2..].iter().all(|status| [0, 401, 403].contains(status)), "{all:?}");
    served.stop();
    let events = served.events();
    let inference = events.iter().find(|event| event["kind"] == "inference").unwrap();
    assert_eq!(inference["actor"], "spiffe://corp.example/team/shop");
}
