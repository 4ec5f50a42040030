//! Sets the SONAME of the shared library; with feature `header`, regenerates the C header.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if matches!(os.as_str(), "linux" | "freebsd" | "netbsd" | "openbsd") {
        let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
        // Before 1.0 the ABI may change in a minor version, so the minor version is in the name.
        let version = if major == "0" { format!("0.{minor}") } else { major.to_owned() };
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdemask.so.{version}");
    }
    #[cfg(feature = "header")]
    header();
}

/// The files of src/capi that declare something, in the order of the header.
#[cfg(feature = "header")]
const DECLARING: [&str; 25] = [
    "version",
    "status",
    "level",
    "context",
    "rule",
    "noise",
    "grid",
    "selection",
    "change",
    "policy",
    "presets",
    "canvas",
    "logits",
    "plan",
    "step",
    "constraints",
    "draw",
    "key",
    "statistics",
    "rows",
    "race",
    "shard",
    "schedule",
    "sizes",
    "profile",
];

#[cfg(feature = "header")]
fn header() {
    println!("cargo::rerun-if-changed=src/capi");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    println!("cargo::rerun-if-changed=include/demask.h");
    let config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is valid");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in DECLARING {
        builder = builder.with_src(format!("src/capi/{file}.rs"));
    }
    builder.generate().expect("src/capi can be parsed").write_to_file("include/demask.h");
}
