//! Other processes: running them and asking the kernel what they used.
#![allow(unsafe_code, reason = "wait4 and sysconf have no safe wrapper here")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// What a finished process used.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// User and system time.
    pub cpu_secs: f64,
    pub peak_rss_mib: f64,
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Result<(String, Used)> {
    let out = tempfile::NamedTempFile::new()?;
    let child = command.stdout(Stdio::from(out.reopen()?)).spawn().with_context(|| format!("{command:?}"))?;
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    let pid = child.id() as libc::pid_t;
    if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } != pid || status != 0 {
        bail!("{command:?} failed");
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let used = Used {
        cpu_secs: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        peak_rss_mib: usage.ru_maxrss as f64 / 1024.0,
    };
    Ok((fs::read_to_string(out.path())?, used))
}

/// CPU seconds that this thread has used until now.
pub fn thread_cpu_secs() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // The clock of the calling thread exists always.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU seconds that all threads of this process have used until now.
pub fn process_cpu_secs() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // The clock of the calling process exists always.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU seconds that the process and its descendants have used until now.
pub fn cpu_secs(pid: u32) -> Result<f64> {
    let mut total = own_cpu_secs(pid)?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if stat(child).is_ok_and(|fields| fields.get(1).is_some_and(|parent| *parent == pid.to_string())) {
            total += cpu_secs(child)?;
        }
    }
    Ok(total)
}

fn own_cpu_secs(pid: u32) -> Result<f64> {
    let fields = stat(pid)?;
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64)
}

/// The fields of `/proc/PID/stat` after the name, which may hold spaces.
fn stat(pid: u32) -> Result<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = text.rsplit_once(") ").context("stat has a name")?;
    Ok(rest.split(' ').map(str::to_owned).collect())
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// The program, built as this one was.
pub fn lockgate() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("lockgate");
    if !program.exists() {
        bail!("{} is missing; `cargo xtask bench` builds it", program.display());
    }
    Ok(program)
}

/// A copy of the income example with its data at hand, in a folder of its own.
pub fn income_workspace() -> Result<(tempfile::TempDir, PathBuf)> {
    let dir = tempfile::tempdir()?;
    let example = root().join("examples/income");
    for place in ["lockgate.yaml", "pipeline.yaml", "contracts/applicants.yaml", "policies/default.rego"] {
        let to = dir.path().join(place);
        fs::create_dir_all(to.parent().context("a file has a folder")?)?;
        fs::copy(example.join(place), to)?;
    }
    let data = applicants(dir.path())?;
    Ok((dir, data))
}

/// The census data where it is at hand, or else people made up in `folder`.
pub fn applicants(folder: &Path) -> Result<PathBuf> {
    let real = root().join("../shared/data/adult/applicants.csv");
    if real.exists() {
        return Ok(real.canonicalize()?);
    }
    let made = folder.join("applicants.csv");
    run(Command::new("python3").arg(root().join("examples/income/make_data.py")).arg(&made))?;
    Ok(made)
}

/// A child that ends with this value.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // A master process ends its workers when it is asked, not when it is killed.
        let pid = self.0.id() as libc::pid_t;
        unsafe { libc::kill(pid, libc::SIGTERM) };
        let _ = self.0.wait();
    }
}
