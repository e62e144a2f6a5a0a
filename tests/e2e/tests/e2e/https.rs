//! Sources over `https://`: TLS 1.3, a pinned authority, a client certificate.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use crate::world::{World, judge, root};

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(world: &World, version: &str) -> (Server, String) {
    let mut child = Command::new(judge("python"))
        .arg(root().join("tests/e2e/data/tls_server.py"))
        .arg(world.path("data"))
        .arg(version)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut port = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
    (Server(child), format!("https://127.0.0.1:{}/people.csv", port.trim()))
}

#[test]
fn only_the_pinned_authority_and_tls_1_3_will_do() {
    let world = World::people("id,email,city\nP1,ana@example.com,Oslo\n");
    let (_server, url) = serve(&world, "1.3");
    let tls = |ca: &str| format!("tls: {{ca: {ca}, clientIdentity: client.pem}}\n      trust: unauthenticated");
    world.edit("pipeline.yaml", "trust: unauthenticated", &tls("ca.pem"));
    let run = |url: &str| world.lockgate(&["run", "pipeline.yaml", "--source", &format!("people={url}")]);
    let done = run(&format!("{url}?token=not-for-the-record")).ok();
    assert!(done.out.contains(&url) && !done.out.contains("not-for-the-record"), "{}", done.out);
    let log = world.lockgate(&["audit", "export"]).ok().out;
    assert!(log.contains("people.csv") && !log.contains("not-for-the-record"));

    run(&url.replace("people.csv", "none.csv")).fails(6, "answered 404");
    run(&url.replace("https://127.0.0.1", "https://localhost")).fails(6, "cannot be fetched");
    let (_old, old_url) = serve(&world, "1.2");
    run(&old_url).fails(6, "cannot be fetched");
    let (_server, url) = serve(&world, "1.3");
    world.edit("pipeline.yaml", "ca: ca.pem", "ca: other-ca.pem");
    run(&url).fails(6, "cannot be fetched");
    world.edit("pipeline.yaml", "ca: other-ca.pem, clientIdentity: client.pem", "ca: ca.pem");
    run(&url).fails(6, "cannot be fetched");
}
