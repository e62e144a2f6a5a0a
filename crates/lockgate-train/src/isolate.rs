//! The layers of isolation: namespaces, Landlock, seccomp and resource limits. They are applied
//! by the worker to itself before it reads one row.
#![expect(unsafe_code, reason = "namespaces, fork and limits are system calls that Rust cannot vouch for")]

use std::{
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use lockgate_core::{Failure, Result};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde::{Deserialize, Serialize};

use crate::watch;

/// A layer that the machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    Namespaces,
    Landlock,
    Seccomp,
}

/// What a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub memory_mib: u64,
    pub cpu_secs: u64,
}

/// What a run may touch.
#[derive(Clone, Debug)]
pub(crate) struct Grants {
    pub(crate) readable: Vec<PathBuf>,
    pub(crate) writable: Vec<PathBuf>,
    pub(crate) execute: bool,
}

fn missing(layer: Layer, why: impl std::fmt::Display, accepted: &[Layer]) -> Result<()> {
    if accepted.contains(&layer) {
        return Ok(());
    }
    let word = match layer {
        Layer::Namespaces => "namespaces",
        Layer::Landlock => "landlock",
        Layer::Seccomp => "seccomp",
    };
    Err(Failure::unreachable(format!("this machine cannot isolate training with {word}: {why}"))
        .hint(format!("name it under training.isolation.acceptMissing: [{word}] to train without that layer")))
}

/// New user, mount, network, IPC and PID namespaces, with a private memory file system at
/// `scratch`. The caller goes on as the first process of the PID namespace, with a way to its
/// parent, which watches it, says what it tried, and ends with it. Must run while the process has
/// one thread.
pub(crate) fn namespaces(scratch: &Path, grants: &Grants, accepted: &[Layer]) -> Result<Option<UnixStream>> {
    // SAFETY: plain system calls without pointers into Rust data, before any thread exists.
    let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWUTS;
    // SAFETY: as above.
    if unsafe { libc::unshare(flags) } != 0 {
        missing(Layer::Namespaces, std::io::Error::last_os_error(), accepted)?;
        return Ok(None);
    }
    let write =
        |file: &str, text: String| std::fs::write(file, text).map_err(|e| Failure::unreachable(format!("{file}: {e}")));
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .and_then(|()| {
            mount("tmpfs", scratch, "tmpfs", MountFlags::NODEV | MountFlags::NOSUID, None::<&std::ffi::CStr>)
        })
        .map_err(|e| Failure::unreachable(format!("a private file system cannot be mounted: {e}")))?;
    let (inside, outside) =
        UnixStream::pair().map_err(|e| Failure::unreachable(format!("the trainer cannot be watched: {e}")))?;
    // The first child is process 1 of the new PID namespace.
    // SAFETY: there is one thread, so the child may go on as if nothing had happened.
    match unsafe { libc::fork() } {
        -1 => Err(Failure::unreachable(format!("the trainer cannot be started: {}", std::io::Error::last_os_error()))),
        0 => {
            drop(outside);
            Ok(Some(inside))
        }
        child => {
            drop(inside);
            let attempts = watch::watch(child, &outside, grants);
            let mut status = 0;
            // SAFETY: `status` outlives the call.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            crate::worker::tell(&crate::worker::Answer::Attempts(attempts));
            let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
            std::process::exit(code);
        }
    }
}

/// Resource limits; they are always there.
pub(crate) fn limits(limits: Limits) -> Result<()> {
    let set = |resource, value: u64| {
        let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
        // SAFETY: `limit` outlives the call.
        let done = unsafe { libc::setrlimit(resource, &raw const limit) } == 0;
        done.then_some(()).ok_or_else(|| {
            Failure::unreachable(format!("a resource limit cannot be set: {}", std::io::Error::last_os_error()))
        })
    };
    set(libc::RLIMIT_AS, limits.memory_mib << 20)?;
    set(libc::RLIMIT_CPU, limits.cpu_secs)?;
    set(libc::RLIMIT_FSIZE, 1 << 30)?;
    set(libc::RLIMIT_CORE, 0)?;
    set(libc::RLIMIT_NOFILE, 256)
}

/// Landlock: nothing of the file system but what is granted, no TCP, no signal to the outside.
pub(crate) fn landlock(grants: &Grants, accepted: &[Layer]) -> Result<bool> {
    let outcome = restrict(grants);
    match outcome {
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Ok(true),
        Ok(RulesetStatus::NotEnforced) => {
            missing(Layer::Landlock, "the kernel does not have it", accepted).map(|()| false)
        }
        Err(error) => missing(Layer::Landlock, error, accepted).map(|()| false),
    }
}

fn restrict(grants: &Grants) -> Result<RulesetStatus, Box<dyn std::error::Error>> {
    let abi = ABI::V6;
    let mut read = AccessFs::ReadFile | AccessFs::ReadDir;
    if grants.execute {
        read |= AccessFs::Execute;
    }
    let all = AccessFs::from_all(abi);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?;
    for (paths, access) in [(&grants.readable, read), (&grants.writable, all)] {
        for path in paths {
            let is_folder = path.is_dir();
            let access = if is_folder { access } else { access & AccessFs::from_file(abi) };
            ruleset = ruleset.add_rule(PathBeneath::new(PathFd::new(path)?, access))?;
        }
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

/// Seccomp: what no trainer needs answers "not permitted"; with a `watcher`, it hears of that and
/// of every file that is opened.
pub(crate) fn seccomp(watcher: Option<&UnixStream>, accepted: &[Layer]) -> Result<bool> {
    let refused = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_kcmp,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_move_mount,
        libc::SYS_open_tree,
        libc::SYS_fsopen,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_acct,
        libc::SYS_syslog,
        libc::SYS_quotactl,
        libc::SYS_open_by_handle_at,
        libc::SYS_name_to_handle_at,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_sethostname,
    ];
    let opening = watcher.map(|_| watch::OPENING).unwrap_or_default();
    let action = if watcher.is_some() { TOLD } else { SeccompAction::Errno(libc::EPERM as u32) };
    let filter = std::env::consts::ARCH
        .try_into()
        .and_then(|arch| {
            let calls = refused.iter().chain(opening);
            let rules = calls.map(|call| (*call, vec![])).collect();
            SeccompFilter::new(rules, SeccompAction::Allow, action, arch)
        })
        .and_then(BpfProgram::try_from);
    let applied = filter.map_err(|e| e.to_string()).and_then(|program| match watcher {
        None => seccompiler::apply_filter(&program).map_err(|e| e.to_string()),
        Some(watcher) => apply_told(program, watcher).map_err(|e| e.to_string()),
    });
    match applied {
        Ok(()) => Ok(true),
        Err(error) => missing(Layer::Seccomp, error, accepted).map(|()| false),
    }
}

/// Stands for "tell the supervisor", which seccompiler cannot say; [`apply_told`] puts it right.
const TOLD: SeccompAction = SeccompAction::Trace(1);

/// Applies a filter whose matches go to a supervisor.
fn apply_told(mut program: BpfProgram, watcher: &UnixStream) -> std::io::Result<()> {
    for instruction in &mut program {
        if u32::from(instruction.code) == libc::BPF_RET | libc::BPF_K && instruction.k == (libc::SECCOMP_RET_TRACE | 1)
        {
            instruction.k = libc::SECCOMP_RET_USER_NOTIF;
        }
    }
    let length = u16::try_from(program.len()).map_err(std::io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr().cast() };
    // SAFETY: a plain system call without pointers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: `program` and its instructions outlive the call; sock_filter has the same layout in
    // both libraries, that of the kernel.
    let listener = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    if listener < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    let listener = unsafe { OwnedFd::from_raw_fd(listener as i32) };
    Ok(watch::hand_over(watcher, &listener)?)
}
