#!/usr/bin/env bash
# Builds the release library and checks it from C and C++. Prints a line for each check, and
# "N passed, M failed" at the end. COMPILERS (C:C++ pairs) and CARGO may name other tools; with
# CI=true no check may be skipped.
set -u
cd "$(dirname "$0")"
. ./check.bash

"$CARGO" build --release --quiet || exit 1
out=$target/ffi-tests
rm -rf "$out"
mkdir -p "$out/lib"
# As an installation would: the shared library under its SONAME, and a link for the linker.
cp "$target/release/libdemask.so" "$out/lib/$soname"
ln -s "$soname" "$out/lib/libdemask.so"

warnings="-Wall -Wextra -Werror -Wpedantic"
# Without contraction, since the tables of a test must have the same bits in C and in Rust.
flags_cc="-O2 -ffp-contract=off -pthread -I../include"
flags="-std=c99 $flags_cc"
static="$target/release/libdemask.a $(sed -n 's/^ *cc .*libdemask\.a \(.*\)$/\1/p' README.md)"
shared="-L$out/lib -ldemask -lm -Wl,-rpath,$out/lib"

# program NAME SOURCES...: builds NAME-static and NAME-shared, and with compilers after the first
# NAME-static-COMPILER and NAME-shared-COMPILER.
program() {
    local name=$1 pair cc suffix=
    shift
    for pair in "${compilers[@]}"; do
        cc=${pair%:*}
        if [ "$pair" != "${compilers[0]}" ]; then suffix=-$cc; fi
        check "$name builds, static, $cc" \
            $cc $flags $warnings "$@" $static -o "$out/$name-static$suffix"
        check "$name builds, shared, $cc" \
            $cc $flags $warnings "$@" $shared -o "$out/$name-shared$suffix"
    done
}

# program_cc NAME: builds NAME-shared, and NAME-shared-VARIANT with other compilers, versions of C++
# and without exceptions, from NAME.cc and another unit that includes demask.hpp.
program_cc() {
    local name=$1 pair cxx std without suffix
    for pair in "${compilers[@]}"; do
        cxx=${pair#*:}
        for std in 17 20; do
            for without in "" -fno-exceptions; do
                suffix=-$cxx-$std$without
                if [ "$suffix" = "-${compilers[0]#*:}-17" ]; then suffix=; fi
                check "$name builds, shared, $cxx, C++$std $without" \
                    $cxx -std=c++$std $without $flags_cc $warnings $name.cc "$out/unit.cc" \
                    $shared -o "$out/$name-shared$suffix"
            done
        done
    done
}

echo "== headers"
for pair in "${compilers[@]}"; do
    cc=${pair%:*} cxx=${pair#*:}
    for std in c99 c11 c17 c2x; do
        check "demask.h in $std, $cc" $cc -std=$std $warnings -Wpadded -Wstrict-prototypes \
            -fsyntax-only -I../include two_units_b.c
    done
    for std in c++11 c++14 c++17 c++20; do
        check "demask.h in $std, $cxx" $cxx -std=$std $warnings -fsyntax-only -I../include header.cc
    done
done
printf '#include <demask.h>\n%s\n' \
    'version DEMASK_VERSION_MAJOR.DEMASK_VERSION_MINOR.DEMASK_VERSION_PATCH' >"$out/version.c"
header_version=$($cc -E -P -I../include "$out/version.c" | sed -n 's/^version //p' | tr -d ' ')
check "demask.h is of version $version, as Cargo.toml" test "$header_version" = "$version"
grep -v '^ *//' ../include/demask.h | grep -o '\bdemask_[a-z_]*(' | tr -d '(' | sort \
    >"$out/declared.txt"
check "there is something declared" test "$(wc -l <"$out/declared.txt")" -ge 20
grep -v '^ *//' ../include/demask.hpp | grep -o '\bdemask_[a-z_]*' | sort -u >"$out/used.txt"
check "demask.hpp has every function of demask.h" \
    diff /dev/null <(comm -23 "$out/declared.txt" "$out/used.txt")
for header in demask.h demask.hpp; do
    documented="awk -f undocumented.awk"
    check "all that $header declares is documented" $documented ../include/$header
    grep -v '^ *//' ../include/$header >"$out/bare.h"
    all_seen() { $documented "$out/bare.h" | tail -n 1 | grep -qE '^([0-9]{3,}) items, \1 und'; }
    check "without comments, all of it is not" all_seen
done

echo "== programs"
for name in first_hitting draws sizes shards errors calls hostile layout readme; do
    program $name $name.c
done
for source in engine_*.c; do
    program "${source%.c}" "$source"
done
program two_units two_units_a.c two_units_b.c
pair=${compilers[0]} cc=${pair%:*} cxx=${pair#*:}
check "header.cc builds, shared" $cxx -std=c++11 $warnings -I../include header.cc $shared \
    -o "$out/header-shared"
wraps=$(printf -- '-Wl,--wrap=%s ' malloc calloc realloc posix_memalign aligned_alloc)
check "allocations builds, static" $cc $flags $warnings $wraps allocations.c $static \
    -o "$out/allocations-static"
printf '#include <demask.hpp>\n' >"$out/unit.cc"
program_cc face
program_cc generation

echo "== runs"
run_into() { "${@:2}" >"$1"; }
for program in "$out"/*-static* "$out"/*-shared*; do
    check "$(basename "$program")" run_into "$program.txt" "$program"
done
for name in first_hitting draws sizes shards generation; do
    for text in "$out/$name"-*.txt; do
        check "$(basename "$text" .txt) prints the same as the others" \
            cmp "$out/$name-shared.txt" "$text"
    done
done
# In other float modes than a program begins in. The network of first_hitting.c is rounded as well, so
# that it runs only where that stays the same.
for mode in FLUSH FE_UPWARD FE_DOWNWARD FE_TOWARDZERO; do
    check "float_mode builds, $mode" $cc -std=c11 -O2 $warnings -fPIC -shared -DMODE=$mode \
        float_mode.c -lm -o "$out/lib/$mode.so"
    names="draws sizes shards"
    if [ $mode = FLUSH ]; then names+=" first_hitting"; fi
    for name in $names; do
        check "$name runs in float mode $mode" run_into "$out/$name.$mode" \
            env LD_PRELOAD="$out/lib/$mode.so" "$out/$name-shared"
        check "$name prints the same in float mode $mode" cmp "$out/$name-shared.txt" "$out/$name.$mode"
    done
done
awk '/:/ { on = /^(first-hitting|extrapolated|tc-sizes|times|dream):/ } on' \
    "$out/first_hitting-static.txt" >"$out/generation.txt"
check "generations in C++ give the tokens of C" cmp "$out/generation.txt" "$out/generation-shared.txt"

echo "== valgrind"
if command -v valgrind >/dev/null; then
    # Of programs that are linked in both ways only one: the code is the same, and the wait is long.
    # A pool's threads may outlive its context for a moment: what they hold is not lost for good.
    valgrind="valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite"
    # So many at once as there are processors; what came of it is said afterwards.
    under_valgrind() {
        local arguments=
        case $(basename "$1") in
            errors-*) arguments=--any-memory ;; # valgrind itself needs the memory
        esac
        $valgrind "$1" $arguments >"$1.valgrind.txt" 2>"$1.valgrind.log"
        echo $? >"$1.valgrind.status"
    }
    ended_well() { cat "$1.valgrind.log" && [ "$(cat "$1.valgrind.status")" = 0 ]; }
    # Those that take longest begin.
    programs=("$out"/{first_hitting,calls}-shared)
    for program in "$out"/*-shared "$out/allocations-static"; do
        case $(basename "$program") in
            first_hitting-* | calls-* | layout-*) ;;
            *) programs+=("$program") ;;
        esac
    done
    export valgrind
    export -f under_valgrind
    printf '%s\0' "${programs[@]}" |
        xargs -0 -n 1 -P "$(nproc)" bash -c 'under_valgrind "$1"' under_valgrind
    for program in "${programs[@]}"; do
        check "$(basename "$program") under valgrind" ended_well "$program"
    done
    for name in first_hitting draws sizes shards generation; do
        check "$name prints the same under valgrind, which hides AVX-512" \
            cmp "$out/$name-shared.txt" "$out/$name-shared.valgrind.txt"
    done
else
    skip "valgrind" "not installed"
fi

echo "== library"
nm -D --defined-only "$out/lib/$soname" | awk '{ print $3 }' | sort >"$out/exported.txt"
check "exported is what the header declares" diff "$out/exported.txt" "$out/declared.txt"
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

checks_end
