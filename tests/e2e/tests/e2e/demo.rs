//! The README's first command.

use crate::world::{World, program, run};

#[test]
fn the_demo_shows_every_gate_at_work() {
    let world = World::people("id,email,city\n");
    let mut command = std::process::Command::new(program());
    command.args(["demo", "--dir", "shown", "--exit"]).current_dir(world.dir.path()).env("NO_COLOR", "1");
    let done = run(&mut command).ok();
    for words in [
        "refused, exit 5: the signature of source",
        "distribution of approved: distance",
        "age: minimum",
        "EMAIL_ADDRESS in note: redact",
        "isolated by namespaces, landlock, seccomp",
        "refused, exit 3: the query cannot be planned",
        "36 artifacts, all whole",
        "60 requests in a row … ",
        "the same … 403 Forbidden",
        "the same … 404 Not Found",
        "parquet was changed",
    ] {
        assert!(done.out.contains(words) || done.err.contains(words), "{words:?} is not in {}\n{}", done.out, done.err);
    }
    assert_eq!(world.lockgate(&["--workspace", "shown", "verify"]).code, 0);
    run(std::process::Command::new(program()).args(["demo", "--dir", "shown", "--exit"]).current_dir(world.dir.path()))
        .fails(2, "is a workspace already");
}
