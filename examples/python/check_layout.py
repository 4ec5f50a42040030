"""Compares what demask.py read from the header with what a C compiler makes of it: every number,
and the size and the offset of every field of every struct. The compiler is $CC, or cc."""

import ctypes
import os
import re
import subprocess
import tempfile

import demask


KINDS = "float: 1, double: 1, uint8_t: 0, int32_t: 0, uint32_t: 0, uint64_t: 0, default: 2"


def program():
    """A C program that prints a line for each number, size and offset, and these lines."""
    code, lines = [], []

    def expect(name, value, expression):
        code.append(f'  printf("{name} %lld\\n", (long long)({expression}));')
        lines.append(f"{name} {value}")

    for name, value in demask.DECLARED.constants.items():
        expect(name, value, name)
    for name, struct in demask.DECLARED.structs.items():
        expect(name, ctypes.sizeof(struct), f"sizeof({name})")
        for field, type in struct._fields_:
            offset, member = getattr(struct, field).offset, f"(({name} *)0)->{field}"
            expect(f"{name}.{field}", offset, f"offsetof({name}, {field})")
            expect(f"{name}.{field}, size", ctypes.sizeof(type), f"sizeof {member}")
            # An integer, a float, or a pointer or struct: the sizes of these can be the same.
            kind = {"f": 1, "d": 1, "P": 2}.get(getattr(type, "_type_", "P"), 0)
            expect(f"{name}.{field}, kind", kind, f"_Generic({member}, {KINDS})")
    includes = "#include <demask.h>\n#include <stdio.h>\n"
    return f"{includes}int main(void) {{\n" + "\n".join(code) + "\n  return 0;\n}\n", lines


def declared():
    """How many structs, functions and numbers the header declares."""
    text = "\n".join(line for line in demask.HEADER.read_text().splitlines() if "//" not in line)
    return [len(set(re.findall(pattern, text))) for pattern in (
        r"struct demask_\w+ \{", r"\bdemask_\w+\(", r"#define DEMASK_(?!H\b|VERSION_NUMBER)\w+")]


read = [len(found) for found in (
    demask.DECLARED.structs, demask.DECLARED.functions, demask.DECLARED.constants)]
assert read == declared(), f"structs, functions and numbers: {read} are read of {declared()}"
code, lines = program()
with tempfile.TemporaryDirectory() as folder:
    source, binary = f"{folder}/layout.c", f"{folder}/layout"
    with open(source, "w") as file:
        file.write(code)
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(
        [*compiler, "-std=c11", f"-I{demask.HEADER.parent}", source, "-o", binary], check=True)
    found = subprocess.run([binary], check=True, capture_output=True, text=True).stdout.splitlines()
wrong = [f"{ours}, in C {theirs}" for ours, theirs in zip(lines, found) if ours != theirs]
assert len(found) == len(lines) and not wrong, wrong
print(f"{len(lines)} sizes, offsets and numbers are as in C")
