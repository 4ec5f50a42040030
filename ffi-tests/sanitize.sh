#!/usr/bin/env bash
# Builds library and programs with AddressSanitizer, which watches Rust and C together, leaks
# included, and runs them. Wrong calls show that it would see a read past a row inside Rust at each
# level, a write past an array, and a leak. Prints as check.sh does.
set -u
cd "$(dirname "$0")"
. ./check.bash

triple=$(rustc -vV | sed -n 's/^host: //p')
out=$target/sanitize
mkdir -p "$out"
# The stable compiler can do it, but only if it is told to be another one. With little optimisation,
# which takes a third of the time to compile, and runs fast enough.
CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
    RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address "$CARGO" rustc --quiet --lib \
    --crate-type staticlib --target "$triple" --target-dir "$out" || exit 1
library=$out/$triple/debug/libdemask.a
system=$(sed -n 's/^ *cc .*libdemask\.a \(.*\)$/\1/p' README.md)
pair=${compilers[0]} cc=${pair%:*} cxx=${pair#*:}
flags="-O1 -g -ffp-contract=off -fsanitize=address,undefined -fno-sanitize-recover=all -I../include"
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1

echo "== sanitized programs"
run_into() { "${@:2}" >"$1"; }
for source in first_hitting.c draws.c sizes.c shards.c errors.c calls.c hostile.c readme.c \
    engine_*.c face.cc generation.cc; do
    name=${source%.*} arguments=
    if [ $name = errors ]; then arguments=--any-memory; fi # the sanitizer itself needs it
    case $source in
        *.cc) compiler="$cxx -std=c++17" ;;
        *) compiler="$cc -std=c99" ;;
    esac
    check "$name builds" $compiler $flags $source "$library" $system -o "$out/$name"
    check "$name" run_into "$out/$name.txt" "$out/$name" $arguments
done
for name in first_hitting draws sizes shards; do
    if [ -e "$target/ffi-tests/$name-static.txt" ]; then
        check "$name prints the same as without" \
            cmp "$target/ffi-tests/$name-static.txt" "$out/$name.txt"
    else
        skip "$name without the sanitizer" "check.sh was not run"
    fi
done

echo "== the sanitizer is there"
check "past_row builds" $cc -std=c99 $flags past_row.c "$library" $system -o "$out/past_row"
has_init() { nm "$1" | grep -q '__asan_init'; }
check "in the programs" has_init "$out/past_row"
# Code of Rust that is watched calls this; code of C here is not in the library.
watched() { nm "$library" 2>/dev/null | grep -q 'U __asan_report_load'; }
check "in the library" watched

# reports CASE LEVEL TEXT...: the program ends in a report that holds all of these texts.
reports() {
    local report text
    report=$("$out/past_row" "$1" "$2" 2>&1) && return 1
    for text in "${@:3}"; do grep -q -- "$text" <<<"$report" || { echo "$report"; return 1; }; done
}
levels=(auto baseline avx2 avx512)
for level in 1 2 3; do
    "$out/past_row" none $level
    status=$? level_name=${levels[level]}
    if [ $status = 3 ]; then
        echo "not here: level $level_name, which this CPU lacks"
        continue
    fi
    check "a right call passes, $level_name" test $status = 0
    check "a read past a row is reported, $level_name" reports read $level \
        "heap-buffer-overflow" "^READ of size" "#0 .* in .*demask.*$level_name" \
        "is located 0 bytes .* 4008-byte region"
done
check "a write past an array is reported" reports write 1 "heap-buffer-overflow" "^WRITE of size 4"
check "a leak is reported" reports leak 1 "detected memory leaks" "demask_create"

checks_end
