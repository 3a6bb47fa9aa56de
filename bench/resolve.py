#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""resolve.py - how long functions, inlined functions and lines of sampled addresses take.

Asks for random addresses in the code of a big binary with full DWARF: OpenJDK's libjvm.so, whose
debug file is in openjdk-17-dbg (make deps-bench). Ours is bench/resolve: the symbolizer of the
tools, one process, the answers printed as addr2line prints them. Beside it addr2line -i -f of
binutils, elfutils and LLVM, one process each; and perf script with inlined functions and lines, of
a recording of `java -Xcomp`, with ours on as many addresses.

    bench/resolve.py [--build DIR] [--binary FILE] [--addresses N] [--others N] [--slow N]
                     [--json FILE]

Exit status 1 when ours is not 20 times faster per address than addr2line, or not faster than perf.
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import suite  # noqa: E402

LIBJVM = "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so"
JAVA = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java"
TARGET = 20
SLOW = "eu-addr2line"  # some 10 ms an address


def functions(path):
    """(address, size) of the functions in the symbol table."""
    out = subprocess.run(["readelf", "-sW", path], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^ +\d+: ([0-9a-f]{16}) +(\d+) FUNC ", out, re.M)
    return sorted({(int(address, 16), int(size)) for address, size in found if int(size)})


def pick(where, count, seed=1):
    """Addresses as samples have them: the more, the longer a function is."""
    rng = random.Random(seed)
    places = rng.choices(where, weights=[size for _, size in where], k=count)
    return [address + rng.randrange(size) for address, size in places]


def timed(command, addresses=None, cwd=None):
    """(seconds, peak MB); the output goes to a file, not through us."""
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as questions:
        for address in addresses or []:
            questions.write(b"%#x\n" % address)
        questions.seek(0)
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=questions, stdout=answers, cwd=cwd,
                                   stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        if answers.tell() == 0 and not os.fstat(answers.fileno()).st_size:
            raise RuntimeError(f"{command[0]} said nothing (status {status})")
        return seconds, usage.ru_maxrss / 1024


def row(result, key, name, count, seconds, megabytes, base=None):
    """Prints a line, and adds it to the result as key, (group, name, role)."""
    each = seconds / count * 1e6
    ratio = f"{each / base:12.0f}" if base else " " * 12
    print(f"{name:34} {count:>11,} {seconds:9.2f} {each:12.1f} {megabytes:10.0f} {ratio}",
          flush=True)
    result.row(*key, "time", "us/address", "less", each, addresses=count)
    result.row(*key, "memory", "MB", "less", megabytes)
    return each


def perf_samples(folder):
    """Records the JVM compiling all it runs; how many samples there are in libjvm."""
    # perf 6.1 smashes its stack over the BPF programs of a recorder that runs meanwhile
    subprocess.run(["perf", "record", "-q", "--no-bpf-event", "-e", "cpu-clock:u", "-F", "999",
                    "-o", "data", JAVA, "-Xcomp", "-version"], cwd=folder, check=True,
                   capture_output=True)
    out = subprocess.run(["perf", "script", "-i", "data", "-F", "ip,dso"], cwd=folder, check=True,
                         capture_output=True, text=True).stdout
    return out.count("libjvm.so")


def compare_perf(args, where, result):
    if not shutil.which("perf") or not os.path.exists(JAVA):
        result.note("perf script: not compared, perf or java is not installed (make deps-bench)")
        print(result.notes[-1])
        return True
    with tempfile.TemporaryDirectory() as folder:
        count = perf_samples(folder)
        script = ["perf", "script", "-i", "data", "--inline", "-F", "ip,sym,srcline"]
        perf = timed(script, cwd=folder)
    ours = timed([f"{args.build}/bench/resolve", args.binary], pick(where, count))
    base = row(result, ("samples", "profiler", "ours"), "ours, as many as perf has", count, *ours)
    return row(result, ("samples", "perf-script", "peer"), "perf script --inline", count, *perf,
               base) > base


def measure(args, result):
    """Prints the table; whether the targets are met."""
    where = functions(args.binary)
    print(f"{args.binary}: {len(where):,} functions, "
          f"{sum(size for _, size in where) / 1e6:.1f} MB of code")
    print(f"{'':34} {'addresses':>11} {'seconds':>9} {'us/address':>12} {'peak MB':>10} "
          f"{'x ours':>12}")
    ours = [f"{args.build}/bench/resolve", args.binary]
    base = row(result, ("address", "profiler", "ours"), "ours", args.addresses,
               *timed(ours, pick(where, args.addresses)))
    row(result, ("address-few", "profiler", "ours"), "ours, as many as the others", args.others,
        *timed(ours, pick(where, args.others)), base)
    slower = 0
    for tool in ("addr2line", "llvm-addr2line", SLOW):
        if not shutil.which(tool):
            result.note(f"{tool}: not installed (make deps-bench)")
            print(result.notes[-1])
            continue
        count = args.slow if tool == SLOW else args.others
        each = row(result, ("address", tool, "peer"), f"{tool} -i -f", count, *timed(
            [tool, "-i", "-f", "-C", "-a", "-e", args.binary], pick(where, count)), base)
        if tool == "addr2line":
            slower = each / base
    met = compare_perf(args, where, result)
    print(f"addr2line takes {slower:.0f} times as long per address (wanted: {TARGET}); "
          f"perf script {'longer too' if met else 'LESS'}")
    return met and slower >= TARGET


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--binary", default=LIBJVM)
    parser.add_argument("--addresses", type=int, default=1000000, help="for ours")
    parser.add_argument("--others", type=int, default=20000, help="for the others")
    parser.add_argument("--slow", type=int, default=1000, help="for eu-addr2line")
    parser.add_argument("--json", help="write the result here")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    if not os.path.exists(args.binary):
        print(f"resolve.py: no {args.binary} (make deps-bench)", file=sys.stderr)
        return 2
    with suite.Suite("resolve", args.build, args.json) as result:
        return 0 if measure(args, result) else 1


if __name__ == "__main__":
    sys.exit(main())
