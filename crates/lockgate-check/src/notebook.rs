//! Jupyter notebooks: their cells as one text of Python.
//!
//! Where the file is written line by line, as Jupyter does, each line of code stands on the
//! line that it has in the file, so that positions are those of the file.

use crate::{
    credentials,
    yaml::{self, Data, Node},
};

/// Longest text of an output that is looked at; longer ones are pictures and tables.
const OUTPUT_BYTES_MAX: usize = 64 << 10;

/// How a cell of another language is handed on: what stands for its first line, `%%bash`.
fn magic(cell: &str) -> Option<&'static str> {
    let first = cell.lines().next()?.trim().strip_prefix("%%")?;
    Some(match first.split_whitespace().next()? {
        "bash" | "sh" | "script" | "system" | "!" => "get_ipython().system(r'''",
        "sql" | "bigquery" | "spark_sql" | "sparksql" => "spark.sql(r'''",
        // Python all the same.
        "time" | "timeit" | "capture" | "prun" | "local" | "python" | "python3" => "",
        _ => "str(r'''",
    })
}

/// Texts of an output or of a cell without code in which something looks like a credential.
fn spoken(node: &Node) -> Vec<&Node> {
    let mut found = Vec::new();
    node.walk(&mut Vec::new(), &mut |_, inner| {
        let text = inner.str().filter(|text| text.len() <= OUTPUT_BYTES_MAX);
        if text.is_some_and(|text| text.len() >= 16 && !credentials::forms(text).is_empty()) {
            found.push(inner);
        }
    });
    found
}

/// The code of a notebook, and what looks like a credential in its outputs.
pub fn code(text: &str) -> Result<String, String> {
    let documents = yaml::parse(text).map_err(|e| format!("it is not JSON: {}", e.what))?;
    let cells = documents.first().and_then(|d| d.get("cells")).ok_or("it has no cells")?;
    let mut lines_before = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i).peekable();
    let mut line_in_file = 0;
    let mut out = String::new();
    let mut line = 0;
    for cell in cells.items() {
        let is_code = cell.get("cell_type").and_then(|t| t.str()) == Some("code");
        let said = if is_code { cell.get("outputs") } else { cell.get("source") };
        for text in said.map(spoken).unwrap_or_default() {
            while lines_before.next_if(|at| *at < text.start).is_some() {
                line_in_file += 1;
            }
            while line < line_in_file {
                out.push('\n');
                line += 1;
            }
            let plain = text.str().unwrap_or_default().replace("'''", "\"\"\"").replace('\n', " ");
            out.push_str(&format!("get_ipython().shown(r'''{plain} ''')\n"));
            line += 1;
        }
        if !is_code {
            continue;
        }
        let Some(source) = cell.get("source") else { continue };
        let parts = match &source.data {
            Data::List(items) => items.to_vec(),
            _ => vec![source.clone()],
        };
        let whole: String = parts.iter().filter_map(|part| part.str()).collect();
        let language = magic(&whole);
        let count = parts.len();
        for (i, part) in parts.iter().enumerate() {
            let Some(code) = part.str() else { continue };
            while lines_before.next_if(|at| *at < part.start).is_some() {
                line_in_file += 1;
            }
            while line < line_in_file {
                out.push('\n');
                line += 1;
            }
            for (j, code) in code.split_inclusive('\n').enumerate() {
                let code = code.trim_end_matches('\n');
                match language {
                    Some(opening) if i == 0 && j == 0 => out.push_str(opening),
                    Some(_) => out.push_str(&code.replace("'''", "\"\"\"")),
                    None => out.push_str(code),
                }
                out.push('\n');
                line += 1;
            }
            if language.is_some_and(|opening| !opening.is_empty()) && i + 1 == count {
                // Behind the last line, so that no line moves.
                out.truncate(out.trim_end_matches('\n').len());
                out.push_str(" ''')\n");
            }
        }
        // A cell's last expression ends with the cell.
        if !out.ends_with('\n') {
            out.push('\n');
            line += 1;
        }
    }
    Ok(out)
}
