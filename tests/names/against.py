# SPDX-License-Identifier: Apache-2.0
"""against.py - a recording of all kinds, held against other tools and against an empty machine.

same_in_empty_root: the tools say the same of the stream in a root that has nothing but them and
their libraries. They are called without --debug-dir and with --no-inlines, since only inlined
functions and lines come from the files themselves.

same_as_addr2line: at the addresses that were sampled in programs with debug information, functions,
inlined ones included, files and lines are those of addr2line or eu-addr2line. Known differences:
addr2line gives an inlined function without a linkage name the name of the one around it;
eu-addr2line does not make Rust's names readable, so that it is asked about C and C++ only.
"""
import collections
import os
import re
import shutil
import subprocess

from harness import check
from judge import tidy
from seen import Pprof

TOOLS = ("profiler-folded", "profiler-pprof", "profiler-report")
WITH_DWARF = {"addr2line": ("c_inlined", "cpp_names", "rust_names", "rust_v0"),
              "eu-addr2line": ("c_inlined", "cpp_names")}


def libraries(program):
    text = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(", text)


def make_root(root, programs):
    """A root with nothing but some programs, in /bin, and their libraries."""
    os.makedirs(os.path.join(root, "bin"))
    for program in programs:
        shutil.copy(program, os.path.join(root, "bin"))
        for path in libraries(program):
            os.makedirs(os.path.dirname(root + path), exist_ok=True)
            shutil.copy(path, root + path)


def output(argv):
    run = subprocess.run(argv, capture_output=True, timeout=120)
    check(run.returncode == 0, f"{' '.join(argv)}: {run.stderr.decode()}")
    return run.stdout.decode("utf-8", "replace").splitlines()


def same_in_empty_root(tools, run, stream):
    root = run.path("empty")
    make_root(root, [os.path.join(tools, name) for name in TOOLS])
    shutil.copy(stream, root)
    inside = output(["chroot", root, "/bin/profiler-folded", "--no-inlines",
                     "/" + os.path.basename(stream)])
    outside = output([f"{tools}/profiler-folded", "--no-inlines", stream])
    check(len(outside) > 100, f"only {len(outside)} lines")
    lost, new = sorted(set(outside) - set(inside)), sorted(set(inside) - set(outside))
    check(not lost and not new, f"{len(lost)} of {len(outside)} lines are others in an empty root:"
          + "".join(f"\n      - {line}" for line in lost[:8])
          + "".join(f"\n      + {line}" for line in new[:8]))
    return f"{len(outside)} different stacks"


def ask(tool, path, addresses):
    """{address: [(function, file, line)]} of one of the addr2lines, innermost first."""
    run = subprocess.run([tool, "-a", "-i", "-f", "-C", "-e", path], capture_output=True, text=True,
                         input="".join(f"{a:#x}\n" for a in addresses), check=True)
    answers, lines = collections.defaultdict(list), iter(run.stdout.splitlines())
    for line in lines:
        if line.startswith("0x"):
            answer = answers[int(line, 16)]
            continue
        name = tidy(line.split(" inlined at ")[0])
        place = re.sub(r" \(discriminator \d+\)$", "", next(lines))
        file, number = re.fullmatch(r"(.*?):(\d+|\?)(?::\d+)?", place).groups()
        known = number not in ("?", "0")
        answer.append((name, os.path.basename(file), int(number)) if known else (name, "", 0))
    return answers


def chain_of(location):
    places = [f.line or ("", 0) for f in location]
    return [(tidy(f.name), os.path.basename(file), number)
            for f, (file, number) in zip(location, places)]


def same_as_addr2line(profile):
    """profile: a Pprof."""
    places = collections.defaultdict(dict)
    for location in profile.locations.values():
        if location and location[-1].name:
            places[location[-1].path][location[-1].address] = location
    answers = collections.defaultdict(dict)
    for tool, names in WITH_DWARF.items():
        if not shutil.which(tool):
            continue
        for path in (p for p in places if os.path.basename(p) in names):
            for address, answer in ask(tool, path, places[path]).items():
                answers[path, address][tool] = answer
    compared, others = len(answers), []
    for (path, address), by_tool in answers.items():
        ours = chain_of(places[path][address])
        if ours not in by_tool.values():
            others.append(f"{os.path.basename(path)}+{address:#x}: {ours}, {by_tool}")
    check(compared >= 20, f"only {compared} addresses")
    check(not others, f"{len(others)} of {compared} answers are others:"
          + "".join(f"\n      {text}" for text in others[:8]))
    return f"{compared} answers"
