//! The operating system's walls around a worker: limits, no new privileges, Landlock, seccomp.
//!
//! A wall that cannot be raised is reported, never skipped in silence.

use crate::engine::protocol::{Wall, WorkerConfig};

/// Raises all walls. Must run before any other thread exists: Landlock and seccomp hold for the calling thread and
/// those it starts.
pub fn raise(config: &WorkerConfig) -> Vec<Wall> {
    if !config.sandbox {
        return vec![wall("sandbox", Err("switched off".to_owned()))];
    }
    ignore_file_size_signal();
    let mut walls = vec![
        wall("address-space", limit_or_skip(libc::RLIMIT_AS, config.address_space_bytes)),
        wall("core-files", limit(libc::RLIMIT_CORE, 0)),
        wall("open-files", limit(libc::RLIMIT_NOFILE, config.open_files)),
        wall("file-size", limit(libc::RLIMIT_FSIZE, config.temp_bytes)),
    ];
    walls.extend(system::raise(config));
    walls
}

/// Closes what the parent may have left open, except standard error and `keep`.
pub fn close_descriptors(keep: i32) {
    debug_assert_eq!(keep, 0);
    #[cfg(target_os = "linux")]
    // SAFETY: at this point nothing in the process has opened a descriptor above 2.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32);
    }
}

/// Makes the kernel end this process with its parent.
pub fn die_with_parent(parent_pid: u32) -> Result<(), String> {
    #[cfg(target_os = "linux")]
    // SAFETY: plain flags. The parent's thread that started this process lives as long as the worker does.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
    }
    // The parent may have died before the line above.
    if std::os::unix::process::parent_id() == parent_pid { Ok(()) } else { Err("the parent is gone".to_owned()) }
}

fn wall(name: &str, raised: Result<String, String>) -> Wall {
    let stands = raised.is_ok();
    Wall { name: name.to_owned(), stands, detail: raised.unwrap_or_else(|why| why) }
}

/// Over the limit a write must fail with EFBIG, which DuckDB reports; the signal's default would end the process.
fn ignore_file_size_signal() {
    // SAFETY: ignoring a signal has no handler to be safe about.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[cfg(target_os = "linux")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_os = "linux"))]
type Resource = libc::c_int;

fn limit_or_skip(resource: Resource, value: u64) -> Result<String, String> {
    if value == 0 { Err("switched off".to_owned()) } else { limit(resource, value) }
}

fn limit(resource: Resource, value: u64) -> Result<String, String> {
    let mut current = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: out pointer to a local.
    if unsafe { libc::getrlimit(resource, &raw mut current) } != 0 {
        return Err(std::io::Error::last_os_error().to_string());
    }
    // Never above what the process was given.
    let value = value.min(current.rlim_max);
    let wanted = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: pointer to a local.
    if unsafe { libc::setrlimit(resource, &raw const wanted) } != 0 {
        return Err(std::io::Error::last_os_error().to_string());
    }
    Ok(value.to_string())
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Wall, WorkerConfig, wall};

    pub fn raise(_: &WorkerConfig) -> Vec<Wall> {
        ["no-new-privileges", "landlock", "seccomp"].map(|name| wall(name, Err("only on Linux".to_owned()))).into()
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::{collections::BTreeMap, path::Path};

    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
        RulesetCreatedAttr, RulesetStatus, Scope,
    };
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    };

    use super::{Wall, WorkerConfig, wall};

    pub fn raise(config: &WorkerConfig) -> Vec<Wall> {
        vec![
            wall("no-new-privileges", no_new_privileges()),
            wall("landlock", landlock(config)),
            wall("seccomp", seccomp()),
        ]
    }

    fn no_new_privileges() -> Result<String, String> {
        // SAFETY: plain flags.
        if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } == 0 {
            Ok("on".to_owned())
        } else {
            Err(std::io::Error::last_os_error().to_string())
        }
    }

    /// C++'s random device, and the control groups, which DuckDB reads at open whatever it is configured to, and dies
    /// of an exception in a destructor where it sees but cannot read them. True is a folder.
    const SYSTEM_READ: [(&str, bool); 4] = [
        ("/dev/urandom", false),
        ("/proc/self/cgroup", false),
        ("/proc/self/mountinfo", false),
        ("/sys/fs/cgroup", true),
    ];

    fn access_of(folder: bool) -> landlock::BitFlags<AccessFs> {
        if folder { AccessFs::ReadFile | AccessFs::ReadDir } else { AccessFs::ReadFile.into() }
    }

    fn landlock(config: &WorkerConfig) -> Result<String, String> {
        let abi = ABI::V7;
        let say = |e: landlock::RulesetError| e.to_string();
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))
            .and_then(|r| r.handle_access(AccessNet::from_all(abi)))
            .and_then(|r| r.scope(Scope::from_all(abi)))
            .and_then(Ruleset::create)
            .map_err(say)?;
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        for folder in &config.read_folders {
            rules = allow(rules, folder, read)?;
        }
        // Nothing else of the system: libraries are mapped already, time zones are built in.
        for (path, access) in SYSTEM_READ {
            if let Ok(fd) = PathFd::new(path) {
                rules = rules.add_rule(PathBeneath::new(fd, access_of(access))).map_err(say)?;
            }
        }
        let write = AccessFs::ReadFile
            | AccessFs::ReadDir
            | AccessFs::WriteFile
            | AccessFs::Truncate
            | AccessFs::MakeReg
            | AccessFs::MakeDir
            | AccessFs::RemoveFile
            | AccessFs::RemoveDir;
        rules = allow(rules, &config.temp_folder, write)?;
        let status = rules.restrict_self().map_err(say)?;
        match status.ruleset {
            RulesetStatus::NotEnforced => Err("the kernel has no Landlock".to_owned()),
            RulesetStatus::PartiallyEnforced => Ok("in part: an older kernel".to_owned()),
            RulesetStatus::FullyEnforced => Ok("on".to_owned()),
        }
    }

    fn allow(
        rules: landlock::RulesetCreated,
        folder: &Path,
        access: landlock::BitFlags<AccessFs>,
    ) -> Result<landlock::RulesetCreated, String> {
        let fd = PathFd::new(folder).map_err(|e| e.to_string())?;
        rules.add_rule(PathBeneath::new(fd, access)).map_err(|e| e.to_string())
    }

    /// Calls that DuckDB never needs. The listening socket exists already; `accept4` on it stays allowed.
    const DENIED: &[libc::c_long] = &[
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_kill,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
        libc::SYS_kexec_load,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_open_by_handle_at,
        libc::SYS_name_to_handle_at,
        libc::SYS_memfd_create,
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_swapoff,
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_sethostname,
        libc::SYS_setdomainname,
        libc::SYS_acct,
        libc::SYS_quotactl,
        libc::SYS_syslog,
        libc::SYS_fchmod,
        libc::SYS_fchmodat,
        libc::SYS_fchown,
        libc::SYS_fchownat,
    ];
    #[cfg(target_arch = "x86_64")]
    const DENIED_HERE: &[libc::c_long] = &[
        libc::SYS_fork,
        libc::SYS_vfork,
        libc::SYS_chmod,
        libc::SYS_chown,
        libc::SYS_lchown,
        libc::SYS_iopl,
        libc::SYS_ioperm,
        libc::SYS_modify_ldt,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    const DENIED_HERE: &[libc::c_long] = &[];

    fn seccomp() -> Result<String, String> {
        let mut denied: BTreeMap<i64, Vec<SeccompRule>> =
            DENIED.iter().chain(DENIED_HERE).map(|call| (*call, Vec::new())).collect();
        denied.insert(libc::SYS_clone, vec![not_a_thread().map_err(|e| e.to_string())?]);
        install(denied, libc::EPERM)?;
        // Its flags are behind a pointer, which a filter cannot read; libc then uses clone, whose flags it can.
        install(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?;
        Ok("on".to_owned())
    }

    fn not_a_thread() -> Result<SeccompRule, seccompiler::BackendError> {
        let flag = libc::CLONE_THREAD as u64;
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), 0)?;
        SeccompRule::new(vec![condition])
    }

    fn install(denied: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> Result<(), String> {
        let errno = u32::try_from(errno).map_err(|e| e.to_string())?;
        let arch = std::env::consts::ARCH.try_into().map_err(|e: seccompiler::BackendError| e.to_string())?;
        let filter = SeccompFilter::new(denied, SeccompAction::Allow, SeccompAction::Errno(errno), arch)
            .map_err(|e| e.to_string())?;
        let program: BpfProgram = filter.try_into().map_err(|e: seccompiler::BackendError| e.to_string())?;
        seccompiler::apply_filter_all_threads(&program).map_err(|e| e.to_string())
    }
}
