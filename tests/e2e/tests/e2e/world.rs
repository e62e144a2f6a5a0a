//! What every test needs: the program, a workspace in a temporary folder, the judges.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The program as Cargo built it beside this test.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("lockgate");
    assert!(program.exists(), "{} is missing; run `cargo build --workspace` first", program.display());
    program
}

/// A program of the judges' environment.
pub fn judge(name: &str) -> PathBuf {
    let path = root().join("target/judges/bin").join(name);
    assert!(path.exists(), "{} is missing; run `cargo xtask setup` first", path.display());
    path
}

/// What a command did.
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    fn from(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Demands success.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self
    }

    /// Demands this exit code and these words on stderr.
    pub fn fails(self, code: i32, words: &str) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        assert!(self.err.contains(words), "{words:?} is not in: {}", self.err);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

pub fn run(command: &mut Command) -> Done {
    Done::from(&command.output().unwrap())
}

/// A workspace that the test owns.
pub struct World {
    pub dir: tempfile::TempDir,
}

impl World {
    /// A copy of a folder below `examples`, without its state.
    pub fn example(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&root().join("examples").join(name), dir.path());
        Self { dir }
    }

    /// A workspace with one dataset, `people`, whose source is `data/people.csv`.
    pub fn people(csv: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = Self { dir };
        world.lockgate(&["init", ".", "--name", "test"]).ok();
        world.write("data/people.csv", csv.as_bytes());
        world
    }

    pub fn path(&self, place: &str) -> PathBuf {
        self.dir.path().join(place)
    }

    pub fn write(&self, place: &str, bytes: &[u8]) {
        let path = self.path(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn edit(&self, place: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(place)).unwrap();
        assert!(text.contains(from), "{from:?} is not in {place}");
        fs::write(self.path(place), text.replace(from, to)).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).current_dir(self.dir.path()).env("NO_COLOR", "1");
        command.env("LOCKGATE_NETWORKS", self.path("networks"));
        command
    }

    pub fn lockgate(&self, args: &[&str]) -> Done {
        run(&mut self.command(args))
    }

    /// Every file below the workspace.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push(entry.path());
                }
            }
        }
        files.sort();
        files
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if name == ".lockgate" || name == "lockgate.key" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// The real data where it is at hand, otherwise what the example makes.
pub struct Data {
    pub path: PathBuf,
    _made: Option<tempfile::TempDir>,
}

pub fn data(example: &str, shared: &str) -> Data {
    let real = root().join("../shared/data").join(shared);
    if real.exists() {
        return Data { path: real.canonicalize().unwrap(), _made: None };
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made.csv");
    let script = root().join("examples").join(example).join("make_data.py");
    run(Command::new("python3").arg(script).arg(&path)).ok();
    Data { path, _made: Some(dir) }
}

/// The fields of one column of a CSV file, read by Python so that our own reader is not the judge.
pub fn column(csv: &Path, name: &str) -> Vec<String> {
    let script = "import csv,json,sys; print(json.dumps([r[sys.argv[2]] for r in csv.DictReader(open(sys.argv[1], encoding='utf-8'))]))";
    let done = run(Command::new("python3").args(["-c", script]).arg(csv).arg(name)).ok();
    serde_json::from_str(&done.out).unwrap()
}
