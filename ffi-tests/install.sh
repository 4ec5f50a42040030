#!/usr/bin/env bash
# Installs the library with cargo-c into an empty prefix, and builds clients of it outside of this
# checkout, in C and C++, shared and static, through pkg-config and CMake, also after the prefix has
# been moved. Prints as check.sh does.
set -u
cd "$(dirname "$0")"
. ./check.bash

stage=$(mktemp -d) || exit 1
trap 'rm -rf "$stage"' EXIT
prefix=$stage/prefix
warnings="-Wall -Wextra -Werror -Wpedantic"

echo "== installation"
check "cargo cinstall" "$CARGO" cinstall --release --prefix="$prefix"
libdir=$(dirname "$(find "$prefix" -name libdemask.a)")
real=libdemask.so.$version
cp -r consumer "$stage/consumer"
(cd "$prefix" && find . ! -type d | sed "s,^\./${libdir#"$prefix"/},LIB," | sort) >"$stage/installed"
check "what is installed" diff - "$stage/installed" <<END
./include/demask.h
./include/demask.hpp
./share/cmake/demask/demaskConfig.cmake
./share/cmake/demask/demaskConfigVersion.cmake
LIB/libdemask.a
LIB/libdemask.so
LIB/$soname
LIB/$real
LIB/pkgconfig/demask.pc
END
for header in demask.h demask.hpp; do
    check "$header is that of the repository" cmp ../include/$header "$prefix/include/$header"
done
soname_is() { objdump -p "$1" | grep -E "SONAME" | grep -qE " ${soname//./\\.}\$"; }
check "SONAME is $soname" soname_is "$libdir/$real"
check "$soname is a link" test "$(readlink "$libdir/$soname")" = "$real"
check "libdemask.so is a link" test "$(readlink "$libdir/libdemask.so")" = "$real"
no_path_of_ours() { ! grep -rIlF -e "$(cd .. && pwd)" -e "$target" "$prefix"; }
check "no text file names the checkout" no_path_of_ours

# prints NAME PROGRAM: the client prints what it should.
prints() {
    check "$1 runs" test "$(LD_LIBRARY_PATH=$libdir "$2")" = "$version: token 2"
}
needs() { objdump -p "$1" | grep -qE "NEEDED +${soname//./\\.}\$"; }
needs_not() { ! objdump -p "$1" | grep -q 'NEEDED.*demask'; }

# with_pkg_config NAME PAIR ARGUMENTS...: builds and runs the clients with a pair of compilers.
with_pkg_config() {
    local name=$1 pair=$2 language compiler flags static program
    shift 2
    flags=$(pkg-config "$@" --cflags --libs demask)
    # The static library by its file name, since -ldemask is the shared one if there are both.
    static=$(pkg-config "$@" --static --cflags --libs demask | sed 's/-ldemask/-l:libdemask.a/')
    for language in c cc; do
        if [ $language = c ]; then compiler="${pair%:*} -std=c99"; else compiler="${pair#*:} -std=c++17"; fi
        program=$stage/$language-$name
        check "pkg-config, $compiler, $name, shared" $compiler $warnings \
            "$stage/consumer/consumer.$language" $flags -o "$program-shared"
        check "pkg-config, $compiler, $name, static" $compiler $warnings \
            "$stage/consumer/consumer.$language" $static -o "$program-static"
        check "the one needs $soname" needs "$program-shared"
        check "the other does not" needs_not "$program-static"
        prints "$language-$name-shared" "$program-shared"
        prints "$language-$name-static" "$program-static"
    done
}

echo "== pkg-config"
export PKG_CONFIG_PATH=$libdir/pkgconfig
check "the version is $version" test "$(pkg-config --modversion demask)" = "$version"
for pair in "${compilers[@]}"; do with_pkg_config "${pair%:*}" "$pair"; done
moved=$stage/moved
mv "$prefix" "$moved"
libdir=$moved${libdir#"$prefix"} PKG_CONFIG_PATH=$moved${PKG_CONFIG_PATH#"$prefix"}
with_pkg_config moved "${compilers[0]}" --define-variable=prefix="$moved"

echo "== CMake"
configure() { cmake -S "$stage/consumer" -B "$stage/$1" -DCMAKE_PREFIX_PATH="$moved" "${@:2}"; }
check "configures" configure cmake
check "builds" cmake --build "$stage/cmake"
for language in c cc; do
    check "$language-shared needs $soname" needs "$stage/cmake/$language-shared"
    check "$language-static does not" needs_not "$stage/cmake/$language-static"
    prints "$language-shared" "$stage/cmake/$language-shared"
    prints "$language-static" "$stage/cmake/$language-static"
done
refuses() { ! configure "$@"; }
next=$(echo "$version" | awk -F. '{ if ($1 > 0) print $1 + 1 ".0"; else print "0." $2 + 1 }')
later=$(echo "$version" | awk -F. '{ print $1 "." $2 "." $3 + 1 }')
for wanted in "" "${version%.*}" "$version" "$version EXACT" "0.0...$next" "$version...$version"; do
    check "version \"$wanted\" is found" configure cmake -DWANTED="$wanted"
done
for wanted in "$later" "$next" 99 "0.0...<$version" "$later...$next"; do
    check "version \"$wanted\" is not" refuses cmake -DWANTED="$wanted"
done
rm "$libdir/libdemask.a"
without_static() {
    local output
    ! output=$(configure cmake -DWANTED="$version" 2>&1) &&
        grep -q demask::static <<<"$output" && ! grep -q demask::demask <<<"$output"
}
check "without libdemask.a demask::static is missing, and nothing else" without_static

checks_end
