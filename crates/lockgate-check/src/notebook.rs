//! Jupyter notebooks: their cells as one text of Python.
//!
//! Where the file is written line by line, as Jupyter does, each line of code stands on the
//! line that it has in the file, so that positions are those of the file.

use crate::yaml::{self, Data};

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

/// The code of a notebook.
pub fn code(text: &str) -> Result<String, String> {
    let documents = yaml::parse(text).map_err(|e| format!("it is not JSON: {}", e.what))?;
    let cells = documents.first().and_then(|d| d.get("cells")).ok_or("it has no cells")?;
    let mut lines_before = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i).peekable();
    let mut line_in_file = 0;
    let mut out = String::new();
    let mut line = 0;
    for cell in cells.items() {
        if cell.get("cell_type").and_then(|t| t.str()) != Some("code") {
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
