//! How much memory the machine has for a run.

use crate::plan::memory::Capacity;
use std::path::Path;
use std::process::Command;

/// What this machine has to give now: its first CUDA device beside the host, or the host alone.
pub(super) fn here() -> Capacity {
    match cuda(0) {
        Some(device) => Capacity::Apart { device: Some(device), host: host() },
        None => Capacity::Shared(host()),
    }
}

/// What a device and the host have to give now; parts that cannot be read are not known, and nothing is refused for them.
#[cfg(feature = "torch")]
pub(super) fn capacity(device: tch::Device) -> Capacity {
    match device {
        tch::Device::Cuda(index) => Capacity::Apart { device: cuda(index), host: host() },
        _ => Capacity::Shared(host()),
    }
}

/// Free memory of the host: what Linux could give without swapping, and less where the control group allows less.
fn host() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let available = available(&read("/proc/meminfo")?)?;
    let group = |name: &str| read(&format!("/sys/fs/cgroup/memory.{name}"));
    let number = |text: Option<String>| text?.trim().parse().ok();
    let files = group("stat").and_then(|stat| idle_files(&stat));
    let group = group_left(number(group("max")), number(group("current")), files);
    Some(group.map_or(available, |left| left.min(available)))
}

/// `MemAvailable` of /proc/meminfo, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemAvailable:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

/// What a control group's limit leaves; `None` without a limit. Cached files that nobody uses give way, so they are not taken.
fn group_left(limit: Option<u64>, taken: Option<u64>, files: Option<u64>) -> Option<u64> {
    Some(limit?.saturating_sub(taken.unwrap_or(0).saturating_sub(files.unwrap_or(0))))
}

/// `inactive_file` of a control group's memory.stat, in bytes.
fn idle_files(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("inactive_file "))?.trim().parse().ok()
}

/// Free memory of a CUDA device, as NVIDIA's tool says it: libtorch's binding has no call for it.
fn cuda(index: usize) -> Option<u64> {
    // CUDA_VISIBLE_DEVICES renumbers devices for libtorch, not for the tool.
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    let id =
        visible.as_ref().and_then(|ids| ids.split(',').nth(index)).map_or_else(|| index.to_string(), str::to_owned);
    let ask = ["--query-gpu=memory.free", "--format=csv,noheader,nounits", "--id"];
    let tool = Path::new("nvidia-smi");
    let out = Command::new(tool).args(ask).arg(id.trim()).output().ok().filter(|out| out.status.success())?;
    mebibytes(&String::from_utf8_lossy(&out.stdout))
}

fn mebibytes(text: &str) -> Option<u64> {
    Some(text.lines().next()?.trim().parse::<u64>().ok()? << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_is_read_and_what_it_does_not_say_is_not_known() {
        assert_eq!(available("MemTotal:  16 kB\nMemAvailable:    4096 kB\n"), Some(4 << 20));
        assert_eq!(available("MemTotal:  16 kB\n"), None);
        assert_eq!(mebibytes("81079\n"), Some(81_079 << 20));
        assert_eq!(mebibytes("[N/A]\n"), None);
        assert_eq!(group_left(Some(10), Some(4), None), Some(6));
        assert_eq!(group_left(Some(10), Some(4), idle_files("anon 9\ninactive_file 3\n")), Some(9));
        assert_eq!(group_left(Some(3), Some(4), None), Some(0));
        assert_eq!(group_left(None, Some(4), None), None);
    }
}
