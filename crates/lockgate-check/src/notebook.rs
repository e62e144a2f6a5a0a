//! Jupyter notebooks: their cells as one text of Python.
//!
//! Where the file is written line by line, as Jupyter does, each line of code stands on the
//! line that it has in the file, so that positions are those of the file.

use crate::yaml::{self, Data};

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
        for part in parts {
            let Some(code) = part.str() else { continue };
            while lines_before.next_if(|at| *at < part.start).is_some() {
                line_in_file += 1;
            }
            while line < line_in_file {
                out.push('\n');
                line += 1;
            }
            for code in code.split_inclusive('\n') {
                out.push_str(code.trim_end_matches('\n'));
                out.push('\n');
                line += 1;
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
