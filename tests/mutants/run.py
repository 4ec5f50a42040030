#!/usr/bin/env python3
"""Tries every mutant of mutants.toml: wrong versions of the library that a test must notice.

usage: tests/mutants/run.py [PART OF A NAME]

Works on a copy of what is committed, in target/mutants. A mutant that is not compiled, or whose text is
not found, is a mistake in the list.
"""

import collections
import os
import pathlib
import shutil
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = ROOT / "target/mutants"
TREE = PLACE / "tree"
LIMIT = 900  # seconds of a test; a mutant that runs for longer hangs, and is caught


def cargo_test(arguments, build=False):
    """Whether a test passes, or can be built."""
    tests, filters = [], []
    words = iter(arguments.split())
    for word in words:
        if word == "--test":
            tests += [word, next(words)]
        elif word == "--lib":
            tests += [word]
        else:
            filters += [word]
    command = ["cargo", "test", "--quiet"] + tests
    command += ["--no-run"] if build else ["--"] + filters
    # Less optimisation: more is compiled than run.
    environment = dict(os.environ, CARGO_TARGET_DIR=str(PLACE / "build"))
    environment.setdefault("CARGO_PROFILE_TEST_OPT_LEVEL", "1")
    with open(PLACE / "log", "w") as log:
        try:
            ran = subprocess.run(
                command, cwd=TREE, env=environment, stdout=log, stderr=log, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            return False
    return ran.returncode == 0


def stop(why):
    print((PLACE / "log").read_text()[-3000:])
    sys.exit(why)


def main():
    if len(sys.argv) > 2 or sys.argv[1:] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    listed = tomllib.loads((ROOT / "tests/mutants/mutants.toml").read_text())["mutant"]
    mutants = [mutant for mutant in listed if wanted in mutant["name"]]
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True)
    # Files of now: cargo would take what the last mutant of an earlier run left for up to date.
    subprocess.run(["tar", "-x", "-m", "-C", TREE], input=archive.stdout, check=True)
    counts = collections.Counter()
    passed = set()
    for mutant in mutants:
        name, test = mutant["name"], mutant["test"]
        path = TREE / mutant["file"]
        source = path.read_text()
        if source.count(mutant["before"]) != 1:
            sys.exit(f"{name}: its text is not in {mutant['file']} exactly once")
        begin = time.monotonic()
        if test not in passed:
            if not cargo_test(test):
                stop(f"{test}: fails without a mutant")
            passed.add(test)
        path.write_text(source.replace(mutant["before"], mutant["after"]))
        if not cargo_test(test, build=True):
            stop(f"{name}: does not compile")
        verdict = "SURVIVED" if cargo_test(test) else "caught"
        path.write_text(source)
        counts[verdict] += 1
        seconds = time.monotonic() - begin
        print(f"{verdict}: {name} ({mutant['file']}; {test}; {seconds:.0f} s)", flush=True)
    print(f"{counts['caught']} of {len(mutants)} mutants caught")
    sys.exit(counts["caught"] != len(mutants))


main()
