#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""names.py PROGRAM - the names that the tools give to a program's code, against nm.

  names.py PROGRAM           every function at its first, a middle and its last byte
  names.py --split PROGRAM   the same with the symbols in a separate debug file
  names.py --pprof PROGRAM   `go tool pprof` finds the same names from our addresses
  names.py --other A B       A lies where B was recorded: no names

PROGRAM is in the folder of make_stream. Each offset is asked twice: as the sampled instruction,
and as a return address, which belongs to the function of the byte before.
"""

import os
import shutil
import subprocess
import sys

# of several names at one place, the one to be shown
PREFERRED = {"__real_name": "real_name", "_real_name": "real_name",
             "__other_name": "other_name", "_a_third_name": "third_name"}
READABLE = {"_ZN8geometry4areaEid": "geometry::area(int, double)"}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True).stdout


def find(program):
    return shutil.which(program)


def build_id(path):
    for line in run("readelf", "-n", path).decode().splitlines():
        if "Build ID:" in line:
            return line.split()[-1]
    return "-"


def code_segment(path):
    for line in run("readelf", "-lW", path).decode().splitlines():
        field = line.split()
        if field and field[0] == "LOAD" and "E" in line[line.rindex("0x") - 4:]:
            offset, address, size = int(field[1], 16), int(field[2], 16), int(field[4], 16)
            return offset, address, size
    raise AssertionError("no code in " + path)


def functions(path):
    """(first offset, size, name) of what was written in symbols.c, from nm."""
    offset, address, size = code_segment(path)
    found = []
    for line in run("nm", "-S", "--defined-only", path).decode().splitlines():
        field = line.split()
        if field[-2] not in "tTwW" or not 0 <= int(field[0], 16) - address < size:
            continue
        name = PREFERRED.get(field[-1], field[-1])
        if name == "without_size":
            found.append((int(field[0], 16) - address + offset, 64, name))
        elif len(field) == 4 and int(field[1], 16) >= 4:
            found.append((int(field[0], 16) - address + offset, int(field[1], 16), name))
    names = {name for _, _, name in found}
    for name in ("static_function", "global_function", "real_name", "other_name",
                 "third_name", "outer", "inner", "main", "without_size",
                 "_ZN8geometry4areaEid"):
        assert name in names, names
    return found


def leaves(stream, *command):
    """Counts of the functions that were sampled, from the folded lines."""
    with open("elf.prof", "wb") as file:
        file.write(stream)
    result = subprocess.run(("profiler-folded", "elf.prof"), check=True, capture_output=True)
    counts = {}
    for line in result.stdout.decode().splitlines():
        stack, count = line.rsplit(" ", 1)
        counts[stack.split(";")[1]] = counts.get(stack.split(";")[1], 0) + int(count)
    return counts, result.stderr.decode()


def check_names(path, asked, unverified=False):
    asked_build = build_id(asked)
    for first, size, name in functions(asked):
        shown = READABLE.get(name, name)
        inside = [first + size // 2, first + size - 1]
        stream = run("make_stream", "elf", path, asked_build, *map(str, inside))
        counts, errors = leaves(stream)
        assert counts == {shown: 4}, (name, counts)
        assert ("[unverified]" in errors) == unverified, errors
        # the first byte is the function's, a call that returns there is in the one before it;
        # behind the last byte it is the other way round
        for offset in [first] if name == "without_size" else [first, first + size]:
            stream = run("make_stream", "elf", path, asked_build, str(offset))
            counts, _ = leaves(stream)
            assert counts[shown] == 1 and sum(counts.values()) == 2, (name, offset, counts)


def check_split(program):
    path = os.path.abspath("split")
    shutil.copy(program, path)
    run("objcopy", "--only-keep-debug", path, "split.debug")
    run("objcopy", "--strip-all", "--add-gnu-debuglink=split.debug", path)
    check_names(path, program)
    os.unlink("split.debug")
    first, size, _ = functions(program)[0]
    counts, _ = leaves(run("make_stream", "elf", path, build_id(program), str(first + size // 2)))
    assert counts == {"[split]": 2}, counts


def check_other(other, recorded):
    offsets = [str(first + size // 2) for first, size, _ in functions(recorded)]
    counts, errors = leaves(run("make_stream", "elf", other, build_id(recorded), *offsets))
    assert counts == {"[" + os.path.basename(other) + "]": 2 * len(offsets)}, counts
    assert "1 not as they were recorded" in errors, errors


def check_pprof(path):
    found = [f for f in functions(path) if f[2] in ("static_function", "main", "global_function")]
    offsets = [str(first + size // 2) for first, size, _ in found]
    with open("elf.prof", "wb") as file:
        file.write(run("make_stream", "elf", path, build_id(path), *offsets))
    run("profiler-pprof", "-o", "elf.pb.gz", "elf.prof")
    top = subprocess.run(("go", "tool", "pprof", "-symbolize=force:local", "-top", "elf.pb.gz"),
                         check=True, capture_output=True).stdout.decode()
    for _, _, name in found:
        assert any(line.split()[-1] == name for line in top.splitlines() if line.split()), top
    # ours are there without its help as well
    top = run("go", "tool", "pprof", "-symbolize=none", "-top", "elf.pb.gz").decode()
    for _, _, name in found:
        assert any(line.split()[-1] == name for line in top.splitlines() if line.split()), top


def main():
    program = find(sys.argv[-1])
    if sys.argv[1] == "--split":
        check_split(program)
    elif sys.argv[1] == "--other":
        check_other(find(sys.argv[2]), program)
    elif sys.argv[1] == "--pprof":
        check_pprof(program)
    else:
        check_names(program, program, build_id(program) == "-")


main()
