//! What the numbers were measured on.

use std::fs::read_to_string;

/// CPU, caches, kernel and page sizes, one line each; what the system does not tell is left out.
pub(crate) fn describe() -> Vec<(&'static str, String)> {
    let mut lines = vec![("CPU", cpu())];
    let caches = caches();
    if !caches.is_empty() {
        lines.push(("caches", caches.join(", ")));
    }
    if let Some(kernel) = trimmed("/proc/sys/kernel/osrelease") {
        lines.push(("kernel", format!("{} {kernel}", std::env::consts::OS)));
    }
    if let Some(mode) = trimmed("/sys/kernel/mm/transparent_hugepage/enabled") {
        lines.push(("huge pages", mode));
    }
    if let Some(load) = trimmed("/proc/loadavg") {
        lines.push(("load", load));
    }
    lines
}

/// The time that cores have been busy until now, in ticks: in all, and for this process.
pub(crate) struct Busy {
    all: u64,
    own: u64,
}

impl Busy {
    pub(crate) fn now() -> Option<Self> {
        let number = |field: &str| field.parse::<u64>().ok();
        let all = read_to_string("/proc/stat").ok()?;
        // user, nice, system, idle, iowait, irq, softirq, steal
        let all: Vec<u64> =
            all.lines().next()?.split_whitespace().skip(1).filter_map(number).collect();
        let all = all.iter().take(8).sum::<u64>() - all.get(3)? - all.get(4)?;
        let own = read_to_string("/proc/self/stat").ok()?;
        // The name may hold spaces, but ends with the last parenthesis.
        let own: Vec<&str> = own.rsplit_once(')')?.1.split_whitespace().collect();
        let own = number(own.get(11)?)? + number(own.get(12)?)?;
        Some(Self { all, own })
    }

    /// How much of the busy time since then was not this process's, from 0 to 1.
    pub(crate) fn others_since(before: Option<Self>) -> Option<f64> {
        let (now, before) = (Self::now()?, before?);
        let (all, own) = (now.all - before.all, now.own - before.own);
        (all > 0).then(|| 1.0 - (own as f64 / all as f64).min(1.0))
    }
}

fn cpu() -> String {
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_string())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = field("model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let stepping: Vec<String> = ["cpu family", "model\t"]
        .iter()
        .filter_map(|name| Some(format!("{} {}", name.trim(), field(name)?)))
        .collect();
    let clock = field("cpu MHz").map_or(String::new(), |mhz| format!(", {mhz} MHz"));
    format!("{model} ({}), {cores} cores{clock}", stepping.join(", "))
}

/// Each cache of the first core.
fn caches() -> Vec<String> {
    (0..8)
        .filter_map(|index| {
            let file = |name: &str| {
                trimmed(&format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{name}"))
            };
            let (level, kind) = (file("level")?, file("type")?);
            let kind = match kind.as_str() {
                "Instruction" => return None,
                "Data" => "d",
                _ => "",
            };
            let shared = file("shared_cpu_list")?;
            Some(format!("L{level}{kind} {} (cores {shared})", file("size")?))
        })
        .collect()
}

fn trimmed(path: &str) -> Option<String> {
    Some(read_to_string(path).ok()?.trim().to_string())
}
