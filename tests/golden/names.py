#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""names.py PROGRAM - the names that the tools give to a program's code, against nm.

  names.py PROGRAM           every function at its first, a middle and its last byte
  names.py --split PROGRAM   the same with the symbols in a separate debug file
  names.py --pprof PROGRAM   `go tool pprof` finds the same names from our addresses
  names.py --other A B       A lies where B was recorded: no names
  names.py --inlines PROGRAM functions inlined into digest(), their files and lines, in all tools
  names.py --chroot PROGRAM  with names in the stream: the same where there is nothing but the tools

PROGRAM is in the folder of make_stream. Each offset is asked twice: as the sampled instruction,
and as a return address, which belongs to the function of the byte before.
"""

import json
import os
import re
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


WRITTEN = ("static_function", "global_function", "real_name", "other_name", "third_name", "outer",
           "inner", "main", "without_size", "_ZN8geometry4areaEid")


def functions(path, written=WRITTEN):
    """(first offset, size, name) of a program's functions, from nm; those written are there."""
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
    for name in written:
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


def inline_chain(path, address):
    """(function, file, line) at an address, innermost first, from addr2line."""
    field = run("addr2line", "-i", "-f", "-e", path, hex(address)).decode().splitlines()
    places = [re.sub(r" \(discriminator .*", "", place).rsplit(":", 1) for place in field[1::2]]
    return [(name, file, int(line.replace("?", "0")))
            for name, (file, line) in zip(field[::2], places)]


def pprof_locations(text):
    """Lines of each location in `go tool pprof -raw`, by address."""
    found = {}
    lines = None
    for line in text.split("Locations\n", 1)[1].split("Mappings\n", 1)[0].splitlines():
        match = re.match(r" *\d+: 0x([0-9a-f]+) (?:M=\d+ )?(.*)", line)
        if match:
            lines = found.setdefault(int(match.group(1), 16), [])
            line = match.group(2)
        name, place = line.split()[:2]
        file, number = re.match(r"(.*?):(\d+)", place).groups()
        lines.append((name, file, int(number)))
    return found


def check_inlines(path):
    first, size = next((o, s) for o, s, name in functions(path, ()) if name == "digest")
    offset, address, _ = code_segment(path)
    bias = address - offset
    chains = {o: inline_chain(path, o + bias) for o in range(first, first + size)}
    depths = {len(chain) for chain in chains.values()}
    assert depths >= {1, 2, 3}, depths
    asked = [o for o in chains if o % 3 == 0 and o > first]
    stream = run("make_stream", "elf", path, build_id(path), *map(str, asked))
    with open("elf.prof", "wb") as file:
        file.write(stream)
    # a leaf at each place, and a call of the kernel that returns to it: the byte before is the call's
    leaf = [chains[o] for o in asked]
    every = leaf + [chains[o - 1] for o in asked]
    expected = {}
    sources = {}
    for i, chain in enumerate(every):
        stack = ";".join(name for name, _, _ in reversed(chain))
        stack += ";entry_SYSCALL_64_[k]" if i >= len(leaf) else ""
        expected[stack] = expected.get(stack, 0) + 1
    for chain in leaf:
        source = (chain[0][1], chain[0][2])
        if source[1]:
            sources[source] = sources.get(source, 0) + 1
    lines = run("profiler-folded", "elf.prof").decode().splitlines()
    folded = {line.split(";", 1)[1].rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1])
              for line in lines}
    assert folded == expected, (folded, expected)
    report = json.loads(run("profiler-report", "--json", "--by", "source", "elf.prof"))
    found = {(g["file"], g["line"]): g["samples"] for g in report["by_source"] if "file" in g}
    assert found == sources, (found, sources)
    by_name = {f["name"]: f for f in report["functions"]}
    for name in "digest", "mix_twice", "mix", "fold":
        holding = [chain for chain in every if name in [frame[0] for frame in chain]]
        innermost = [chain for chain in leaf if chain[0][0] == name]
        assert by_name[name]["total"] == len(holding), (name, by_name[name])
        assert by_name[name]["self"] == len(innermost), (name, by_name[name])
    plain = run("profiler-folded", "--no-inlines", "elf.prof").decode()
    assert {line.split(";")[1].split()[0] for line in plain.splitlines()} == {"digest"}, plain
    assert "mix" not in plain, plain
    run("profiler-pprof", "-o", "elf.pb.gz", "elf.prof")
    if shutil.which("go"):
        locations = pprof_locations(
            run("go", "tool", "pprof", "-symbolize=none", "-raw", "elf.pb.gz").decode())
        for o in asked:
            assert locations[o + bias] == chains[o], (locations[o + bias], chains[o])
        top = run("go", "tool", "pprof", "-symbolize=none", "-top", "elf.pb.gz").decode()
        assert re.search(r" mix \(inline\)$", top, re.M), top
        assert re.search(r" digest$", top, re.M), top


def check_unverified_inlines(path):
    """Without a build id, what the recorder read in a file tells whether this is the one."""
    plain = os.path.abspath("plain")
    run("objcopy", "--remove-section=.note.gnu.build-id", path, plain)
    assert build_id(plain) == "-"
    first, size, _ = next(f for f in functions(plain, ()) if f[2] == "digest")
    for name in "digest", "another":
        counts, errors = leaves(run("make_stream", "elf", plain, "-", f"{first},{size},{name}",
                                    *map(str, range(first + 1, first + size))))
        assert set(counts) == {name}, counts
        assert "[unverified]" in errors, errors
        inlined = "mix_twice" in run("profiler-folded", "elf.prof").decode()
        assert inlined == (name == "digest"), name


def make_root():
    """A folder with the tools and the libraries that they load, and nothing else."""
    os.makedirs("root/bin")
    libraries = set()
    for tool in "profiler-folded", "profiler-report":
        shutil.copy(find(tool), "root/bin")
        libraries |= set(re.findall(r"(/\S+) \(0x", run("ldd", find(tool)).decode()))
    for library in libraries:
        os.makedirs("root" + os.path.dirname(library), exist_ok=True)
        shutil.copy(library, "root" + library)


def check_chroot(path):
    found = functions(path)
    names = [f"{first},{size},{name}" for first, size, name in found]
    offsets = [str(first + size // 2) for first, size, _ in found]
    stream = run("make_stream", "elf", path, build_id(path), *names, *offsets)
    make_root()
    for command in (["profiler-folded", "--no-inlines"], ["profiler-report", "--no-inlines"],
                    ["profiler-report", "--no-inlines", "--json"]):
        here = subprocess.run(command, input=stream, check=True, capture_output=True).stdout
        there = subprocess.run(["chroot", "root", "/bin/" + command[0]] + command[1:],
                               input=stream, check=True, capture_output=True)
        assert there.stdout == here, (there.stdout.decode(), here.decode())
        assert not there.stderr, there.stderr.decode()
        for _, _, name in found:
            assert READABLE.get(name, name).encode() in here, (name, here)


def main():
    program = find(sys.argv[-1])
    if sys.argv[1] == "--split":
        check_split(program)
    elif sys.argv[1] == "--other":
        check_other(find(sys.argv[2]), program)
    elif sys.argv[1] == "--inlines":
        check_inlines(program)
        check_unverified_inlines(program)
    elif sys.argv[1] == "--chroot":
        check_chroot(program)
    elif sys.argv[1] == "--pprof":
        check_pprof(program)
    else:
        check_names(program, program, build_id(program) == "-")


main()
