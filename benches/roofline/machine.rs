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
