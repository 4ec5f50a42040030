#!/usr/bin/env bash
# Builds the release library and checks it from C and C++. Prints a line for each check, and
# "N passed, M failed" at the end. CC, CXX and CARGO may name other tools; with CI=true no check
# may be skipped.
set -u
cd "$(dirname "$0")"
: "${CC:=cc}" "${CXX:=c++}" "${CARGO:=cargo}"
passed=0 failed=0 skipped=0

# check NAME COMMAND...: the command must succeed; its output is shown if it does not.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok       $name"
        passed=$((passed + 1))
    else
        echo "FAILED   $name"
        printf '%s\n' "$output" | tail -n 40 | sed 's/^/         /'
        failed=$((failed + 1))
    fi
}

# Makes a check's absence visible, and in CI an error.
skip() {
    if [ "${CI:-}" = true ]; then
        echo "FAILED   $1: $2"
        failed=$((failed + 1))
    else
        echo "skipped  $1: $2"
        skipped=$((skipped + 1))
    fi
}

target=$("$CARGO" metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/') || exit 1
version=$("$CARGO" pkgid | sed 's/.*[#@]//')
soname=libdemask.so.$(echo "$version" | sed 's/^\(0\.[0-9]*\).*/\1/; t; s/\..*//')
"$CARGO" build --release --quiet || exit 1
out=$target/ffi-tests
rm -rf "$out"
mkdir -p "$out/lib"
# As an installation would: the shared library under its SONAME, and a link for the linker.
cp "$target/release/libdemask.so" "$out/lib/$soname"
ln -s "$soname" "$out/lib/libdemask.so"

warnings="-Wall -Wextra -Werror -Wpedantic"
# Without contraction, since the tables of a test must have the same bits in C and in Rust.
flags="-std=c99 -O2 -ffp-contract=off -pthread -I../include"
static="$target/release/libdemask.a $(sed -n 's/^ *cc .*libdemask\.a \(.*\)$/\1/p' README.md)"
shared="-L$out/lib -ldemask -lm -Wl,-rpath,$out/lib"

# program NAME SOURCES...: builds NAME-static and NAME-shared.
program() {
    local name=$1
    shift
    check "$name builds, static" $CC $flags $warnings "$@" $static -o "$out/$name-static"
    check "$name builds, shared" $CC $flags $warnings "$@" $shared -o "$out/$name-shared"
}

echo "== header"
for std in c99 c11 c17 c2x; do
    check "header in $std" $CC -std=$std $warnings -Wpadded -Wstrict-prototypes \
        -fsyntax-only -I../include two_units_b.c
done
for std in c++11 c++14 c++17 c++20; do
    check "header in $std" $CXX -std=$std $warnings -fsyntax-only -I../include header.cc
done

echo "== programs"
for name in first_hitting draws sizes shards errors calls hostile layout readme; do
    program $name $name.c
done
for source in engine_*.c; do
    program "${source%.c}" "$source"
done
program two_units two_units_a.c two_units_b.c
check "header.cc builds, shared" $CXX -std=c++11 $warnings -I../include header.cc $shared \
    -o "$out/header-shared"
wraps=$(printf -- '-Wl,--wrap=%s ' malloc calloc realloc posix_memalign aligned_alloc)
check "allocations builds, static" $CC $flags $warnings $wraps allocations.c $static \
    -o "$out/allocations-static"

echo "== runs"
run_into() { "${@:2}" >"$1"; }
for program in "$out"/*-static "$out"/*-shared; do
    check "$(basename "$program")" run_into "$program.txt" "$program"
done
for name in first_hitting draws sizes shards; do
    check "$name prints the same, static and shared" \
        cmp "$out/$name-static.txt" "$out/$name-shared.txt"
done

echo "== valgrind"
if command -v valgrind >/dev/null; then
    # A pool's threads may outlive its context for a moment: what they hold is not lost for good.
    valgrind="valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite"
    for program in "$out"/*-static "$out"/*-shared; do
        name=$(basename "$program") arguments=
        case $name in
            layout-*) continue ;;
            errors-*) arguments=--any-memory ;; # valgrind itself needs the memory
        esac
        check "$name under valgrind" run_into "$program.valgrind.txt" \
            $valgrind "$program" $arguments
    done
    for name in first_hitting draws sizes shards; do
        check "$name prints the same under valgrind, which hides AVX-512" \
            cmp "$out/$name-static.txt" "$out/$name-static.valgrind.txt"
    done
else
    skip "valgrind" "not installed"
fi

echo "== library"
nm -D --defined-only "$out/lib/$soname" | awk '{ print $3 }' | sort >"$out/exported.txt"
grep -v '^ *//' ../include/demask.h | grep -o '\bdemask_[a-z_]*(' | tr -d '(' | sort \
    >"$out/declared.txt"
check "exported is what the header declares" diff "$out/exported.txt" "$out/declared.txt"
check "there is something declared" test "$(wc -l <"$out/declared.txt")" -ge 20
soname_is() { objdump -p "$out/lib/$soname" | grep -qE "SONAME +${1//./\\.}\$"; }
check "SONAME is $soname" soname_is "$soname"
needed() { objdump -p "$out/readme-shared" | grep -qE "NEEDED +${1//./\\.}\$"; }
check "a program needs $soname" needed "$soname"

echo "== link line"
link_line_is_that_of_rustc() {
    local line
    line=$("$CARGO" rustc --lib --crate-type staticlib -- --print native-static-libs 2>&1 |
        sed -n 's/.*native-static-libs: //p')
    printf 'rustc: %s\nREADME.md: %s\n' "$line" "${static#* }"
    [ "$line" = "${static#* }" ]
}
check "README.md here has the static libraries that rustc names" link_line_is_that_of_rustc
check "README.md above has them too" grep -qF -- "libdemask.a ${static#* } " ../README.md
example_is_readme_c() {
    local example
    example=$(sed -n '/^```c$/,/^```$/p' ../README.md | sed '1d; $d')
    [[ $(cat readme.c) == *"$example"* ]]
}
check "the C example in README.md above is a part of readme.c" example_is_readme_c
# Every block of C on the page, and at least one of every program.
examples_are_parts_of_programs() {
    local blocks block name
    blocks=$(sed -n '/^```c$/,/^```$/p' ../docs/engines.md | sed 's/^```c$//; s/^```$/\x01/')
    local used=""
    while IFS= read -r -d $'\x01' block; do
        block=${block#$'\n'} block=${block#$'\n'}
        for name in engine_*.c none; do
            [[ $name != none && $(cat "$name") == *"$block"* ]] && break
        done
        [ "$name" != none ] || { printf 'in no program:\n%s' "$block"; return 1; }
        used="$used $name"
    done <<<"$blocks"
    for name in engine_*.c; do
        [[ " $used " == *" $name "* ]] || { echo "$name is not on the page"; return 1; }
    done
}
check "the examples in docs/engines.md are parts of engine_*.c" examples_are_parts_of_programs

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
