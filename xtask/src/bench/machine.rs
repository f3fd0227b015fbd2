//! The machine that is measured on.

use std::fs;
use std::process::Command;

use super::Cores;

/// The first core for servers, the last for clients; one for both where there is no other.
pub(crate) fn cores() -> Cores {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    Cores { client: count - 1, server: 0 }
}

/// What a reader has to know of the machine, one line each.
pub(crate) fn describe(cores: Cores) -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| {
        line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim())
    });
    let memory = read("/proc/meminfo");
    let memory =
        memory.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let date = Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output();
    let date = date
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default();
    let pinning = match crate::tools::has("taskset") {
        true => format!(
            "clients on core {}, servers on core {}, or on that of the client where a row says so",
            cores.client, cores.server
        ),
        false => "nothing is pinned: taskset is not there".to_owned(),
    };
    vec![
        format!("measured {date}"),
        format!(
            "{}, {} cores, {:.0} GB",
            model.unwrap_or("unknown CPU"),
            cores.client + 1,
            memory / 1_048_576.0
        ),
        format!("Linux {}; load before: {}", kernel.trim(), load.join(" ")),
        pinning,
    ]
}
