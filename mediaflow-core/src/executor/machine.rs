/// Bytes of memory that this process may use: those of the machine, or of its control group if that has fewer. Nothing where
/// that is not known.
///
/// <https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files>
#[cfg(target_os = "linux")]
#[allow(clippy::useless_conversion, reason = "the number has 32 bits on some machines")]
pub(crate) fn memory() -> Option<u64> {
    use std::fs::read_to_string;
    use std::path::Path;

    let info = rustix::system::sysinfo();
    let machine = u64::try_from(info.totalram).ok()?.saturating_mul(info.mem_unit.into());
    let root = Path::new("/sys/fs/cgroup");
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    // Of this group, and of those that it is in: the root has no limit, or, seen from a container, its own.
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let limits = Path::new(own).ancestors().filter_map(|group| {
        let limit = read_to_string(root.join(group).join("memory.max")).ok()?;
        limit.trim().parse::<u64>().ok()
    });
    Some(limits.fold(machine, u64::min))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn memory() -> Option<u64> {
    None
}
