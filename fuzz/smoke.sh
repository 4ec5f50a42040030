#!/usr/bin/env bash
# Builds all fuzz targets with AddressSanitizer, and runs each on its corpus and on so many inputs more
# that are made from it, the same ones every time. For what that is, see README.md.
#
# usage: fuzz/smoke.sh [RUNS]    so many inputs a target in place of those below
set -euo pipefail
cd "$(dirname "$0")"

triple=$(rustc -vV | sed -n 's/^host: //p')
out=$PWD/../target/fuzz
# What cargo-fuzz does, without it; the stable compiler can do it, if it is told to be another one. But
# only the entries of functions are counted, and there is little optimisation: so it compiles
# sooner.
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=1"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
RUSTFLAGS="$flags --cfg fuzzing -Zsanitizer=address -Cdebug-assertions -Dwarnings" \
    RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    CARGO_PROFILE_RELEASE_DEBUG=0 \
    cargo build --quiet --locked --release --target "$triple" --target-dir "$out"

# Inputs of a few seconds.
declare -A runs=([capi]=20000 [row]=4000 [policy]=6000 [schedule]=40000)
fail=0
export RUST_BACKTRACE=0
for target in capi row policy schedule; do
    new=$out/new-$target
    rm -rf "$new" "$out/found-$target"*
    mkdir -p "$new"
    if "$out/$triple/release/$target" "$new" "corpus/$target" -seed=1 -runs="${1:-${runs[$target]}}" \
        -max_len=1024 -timeout=60 -artifact_prefix="$out/found-$target-" \
        -print_final_stats=1 >"$out/$target.log" 2>&1; then
        sed -n "s/^Done \([0-9]*\) runs in \([0-9]*\) second.*/ok: $target: \1 inputs of seed 1 in \2 s/p" \
            "$out/$target.log"
    else
        tail -n 60 "$out/$target.log"
        echo "FAILED: $target; the input is $out/found-$target-*"
        fail=1
    fi
done
exit $fail
