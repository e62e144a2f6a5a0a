//! `lockgate verify`: the chain as a tree.

use lockgate_core::{Failure, Result};
use lockgate_pipeline::verify::{self, Node};

use crate::{
    cli::{Format, Global},
    environment, output,
};

pub fn verify(global: &Global) -> Result<()> {
    let root = super::find_root(global, None)?;
    let setup = environment::setup()?;
    let tree = verify::verify(&root, &setup.environment)?;
    if global.format == Format::Table {
        print(&tree, "", "");
    } else {
        output::json(global, &tree)?;
    }
    let broken = tree.broken();
    match broken.first() {
        None => {
            output::say(global, &format!("{} artifacts, all whole", tree.count()));
            Ok(())
        }
        Some((name, why)) => Err(Failure::integrity(format!("{name}: {why} ({} broken in all)", broken.len()))
            .hint("restore what is named from a copy; `lockgate verify --format json` lists everything")),
    }
}

fn print(node: &Node, first: &str, rest: &str) {
    let mark = output::verdict(node.broken.is_none(), if node.broken.is_none() { "✓" } else { "✗" });
    let detail = node.broken.as_deref().unwrap_or(&node.detail);
    output::line(format!("{first}{mark} {}  {detail}", node.name).trim_end());
    for (index, child) in node.children.iter().enumerate() {
        let last = index + 1 == node.children.len();
        print(
            child,
            &format!("{rest}{}", if last { "└─ " } else { "├─ " }),
            &format!("{rest}{}", if last { "   " } else { "│  " }),
        );
    }
}
