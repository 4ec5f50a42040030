# Counting checks in a script, which reads this file in its own folder: `check` and `skip` print a
# line each, `checks_end` prints "N passed, M failed" and ends with a status that says so.

: "${COMPILERS:=gcc:g++ clang:clang++}" "${CARGO:=cargo}"
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

# Ends the script.
checks_end() {
    echo
    echo "$passed passed, $failed failed, $skipped skipped"
    exit $((failed > 0 || passed == 0))
}

# The pairs of a C and a C++ compiler that are there.
compilers=()
for pair in $COMPILERS; do
    if command -v "${pair%:*}" >/dev/null && command -v "${pair#*:}" >/dev/null; then
        compilers+=("$pair")
    else
        skip "everything with ${pair/:/ and }" "not installed"
    fi
done

target=$("$CARGO" metadata --format-version 1 --no-deps |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/') || exit 1
version=$("$CARGO" pkgid | sed 's/.*[#@]//')
soname=libdemask.so.$(echo "$version" | sed 's/^\(0\.[0-9]*\).*/\1/; t; s/\..*//')
