//! Compiles the hostile calls of ffi-tests, which target `capi` makes by its input.

fn main() {
    let source = "../ffi-tests/hostile.c";
    for path in [source, "../ffi-tests/world.h", "../ffi-tests/check.h", "../include/demask.h"] {
        println!("cargo::rerun-if-changed={path}");
    }
    cc::Build::new()
        .file(source)
        .define("HOSTILE_INPUT", None)
        .include("../include")
        .include("../ffi-tests")
        .std("c99")
        .warnings_into_errors(true)
        // Ends of programs, which a target has not.
        .flag("-Wno-unused-function")
        .compile("hostile");
}
