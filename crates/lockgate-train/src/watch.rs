//! Watching what a trainer tries: seccomp tells a supervisor outside of the isolation about each
//! refused call and each file that is opened (`seccomp_unotify(2)`).
//!
//! Invariants: the supervisor decides nothing about files, Landlock does, so that a race about a
//! path can change what is noted but not what is allowed. A note holds names of calls and paths
//! that exist outside of what was granted, never a path that a trainer made up, and their number
//! is bounded: which of them it chooses is all that a trainer can say by them.
#![expect(unsafe_code, reason = "notifications of seccomp are read with ioctl(2)")]

use std::{
    collections::BTreeSet,
    fs,
    io::{IoSlice, IoSliceMut, Read as _, Seek as _, SeekFrom},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
    process::{Pid, PidfdFlags, pidfd_open},
};
use serde::{Deserialize, Serialize};

use crate::isolate::Grants;

/// Something that a trainer tried beyond what it was granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attempt {
    /// The system call, or `open` for all that open files.
    pub call: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<PathBuf>,
}

const ATTEMPTS_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 4_096;

/// Calls that open files; they go on, and Landlock judges them.
pub(crate) const OPENING: &[i64] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    libc::SYS_openat,
    libc::SYS_openat2,
];

/// Hands the listener of a filter to the supervisor.
pub(crate) fn hand_over(to: &UnixStream, listener: &OwnedFd) -> rustix::io::Result<()> {
    let fds = [listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    sendmsg(to, &[IoSlice::new(b"l")], &mut control, SendFlags::empty()).map(|_| ())
}

/// Watches `child` until it has ended. Returns what it tried. It does not reap the child.
pub(crate) fn watch(child: i32, from: &UnixStream, grants: &Grants) -> Vec<Attempt> {
    let Some(listener) = take(from) else { return Vec::new() };
    // Before Linux 6.11 the listener hangs up only when the child is reaped, so its end is asked
    // for, too.
    let Some(ended) = Pid::from_raw(child).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return Vec::new();
    };
    let granted: Vec<PathBuf> =
        grants.readable.iter().chain(&grants.writable).filter_map(|path| path.canonicalize().ok()).collect();
    let mut attempts = BTreeSet::new();
    // A supervisor that goes away would leave the trainer waiting; the kernel then fails its calls.
    loop {
        let mut fds = [PollFd::new(&listener, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        match poll(&mut fds, None::<&Timespec>) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => break,
            Ok(_) => {}
        }
        let ready = fds.first().map_or(PollFlags::empty(), PollFd::revents);
        if ready.contains(PollFlags::IN) {
            if let Some(attempt) = answer_one(listener.as_fd(), &granted)
                && attempts.len() < ATTEMPTS_MAX
            {
                attempts.insert(attempt);
            }
        } else if !ready.is_empty() || fds.last().is_some_and(|fd| !fd.revents().is_empty()) {
            // Nobody is left under the filter: with the first process of a PID namespace all end.
            break;
        }
    }
    attempts.into_iter().collect()
}

/// The listener; `None` when the child ended, or goes on, without a filter.
fn take(from: &UnixStream) -> Option<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0u8; 1];
    recvmsg(from, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC).ok()?;
    control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    })
}

fn answer_one(listener: BorrowedFd<'_>, granted: &[PathBuf]) -> Option<Attempt> {
    // SAFETY: the kernel demands a notification of zeros and fills it.
    let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: `asked` outlives the call and is what this request takes.
    let received = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) } == 0;
    // The caller may be gone already.
    if !received {
        return None;
    }
    let call = i64::from(asked.data.nr);
    let opens = OPENING.contains(&call);
    let attempt = if opens {
        opened(&asked)
            .filter(|path| !granted.iter().any(|g| path.starts_with(g)))
            .map(|path| Attempt { call: "open".into(), path: Some(path) })
    } else {
        Some(Attempt { call: name(call), path: None })
    };
    let answer = libc::seccomp_notif_resp {
        id: asked.id,
        val: 0,
        error: if opens { 0 } else { -libc::EPERM },
        flags: if opens { libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 } else { 0 },
    };
    // SAFETY: `answer` outlives the call and is what this request takes.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) };
    attempt
}

/// The file that a call is about, when it exists.
fn opened(asked: &libc::seccomp_notif) -> Option<PathBuf> {
    let process = PathBuf::from(format!("/proc/{}", asked.pid));
    let at_folder = [libc::SYS_openat, libc::SYS_openat2].contains(&i64::from(asked.data.nr));
    let [first, second, ..] = asked.data.args;
    let text = text(&process, if at_folder { second } else { first })?;
    let given = Path::new(&text);
    let path = if given.is_absolute() {
        // What is `self` for the trainer is another process here.
        given.strip_prefix("/proc/self").map_or_else(|_| given.to_owned(), |rest| process.join(rest))
    } else if at_folder && first as i32 != libc::AT_FDCWD {
        process.join("fd").join((first as i32).to_string()).join(given)
    } else {
        process.join("cwd").join(given)
    };
    let found = path.canonicalize().ok()?;
    Some(found.strip_prefix(&process).map_or_else(|_| found.clone(), |rest| Path::new("/proc/self").join(rest)))
}

/// The text at an address of another process.
fn text(process: &Path, address: u64) -> Option<String> {
    let mut memory = fs::File::open(process.join("mem")).ok()?;
    memory.seek(SeekFrom::Start(address)).ok()?;
    let mut bytes = Vec::new();
    let mut chunk = [0u8; 256];
    // A read may end at the edge of a page.
    while bytes.len() < PATH_BYTES_MAX {
        let read = memory.read(&mut chunk).ok()?;
        let part = chunk.get(..read)?;
        if let Some(end) = part.iter().position(|byte| *byte == 0) {
            bytes.extend_from_slice(part.get(..end)?);
            return String::from_utf8(bytes).ok();
        }
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(part);
    }
    None
}

fn name(call: i64) -> String {
    match call {
        libc::SYS_socket | libc::SYS_socketpair => "socket".into(),
        libc::SYS_connect => "connect".into(),
        libc::SYS_bind | libc::SYS_listen | libc::SYS_accept | libc::SYS_accept4 => "listen".into(),
        libc::SYS_ptrace | libc::SYS_process_vm_readv | libc::SYS_process_vm_writev => "ptrace".into(),
        libc::SYS_mount | libc::SYS_umount2 | libc::SYS_move_mount | libc::SYS_open_tree | libc::SYS_fsopen => {
            "mount".into()
        }
        libc::SYS_unshare | libc::SYS_setns => "namespace".into(),
        other => format!("call {other}"),
    }
}
