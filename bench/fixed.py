#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fixed.py - what a recording costs whatever its length: its start, and the kernel's verifier.

    bench/fixed.py [--build DIR] [--runs N] [--json FILE]

Start-up CPU is user + system time of `profiler -a -d 0.1`, the median of several runs: loading
BPF programs, a look at all processes and at the kernel's symbols, and the end. Verified
instructions are what the kernel's verifier went through for each program that is loaded for
`profiler -- command` (prog_info.verified_insns, kernel 5.16 and later); the kernel's limit is a
million, and the target a tenth of it. Needs root.
"""
import argparse
import ctypes
import os
import platform
import re
import signal
import statistics
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))

import suite  # noqa: E402

BPF_CALL = {"x86_64": 321, "aarch64": 280}
PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 13, 15
# struct bpf_prog_info of include/uapi/linux/bpf.h
INFO_BYTES = 232
XLATED_BYTES, NAME, VERIFIED = 20, 64, 216
VERIFIED_TARGET = 100000


def bpf(command, attr):
    number = BPF_CALL.get(platform.machine())
    if number is None:
        sys.exit(f"fixed: the number of bpf(2) is not known for {platform.machine()}")
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), ctypes.c_int(command), attr,
                          ctypes.c_uint(len(attr)))
    if result < 0:
        sys.exit(f"fixed: bpf({command}): {os.strerror(ctypes.get_errno())}")
    return result


def program(number):
    """(name, instructions, verified instructions) of a loaded program; 0 where the kernel
    does not tell."""
    fd = bpf(PROG_GET_FD_BY_ID, struct.pack("=III", number, 0, 0))
    info = ctypes.create_string_buffer(INFO_BYTES)
    attr = struct.pack("=IIQ", fd, INFO_BYTES, ctypes.addressof(info))
    bpf(OBJ_GET_INFO_BY_FD, attr)
    os.close(fd)
    (xlated,) = struct.unpack_from("=I", info, XLATED_BYTES)
    (verified,) = struct.unpack_from("=I", info, VERIFIED)
    return info.raw[NAME:NAME + 16].split(b"\0")[0].decode(), xlated // 8, verified


def program_ids(pid):
    ids, folder = set(), f"/proc/{pid}/fdinfo"
    for fd in os.listdir(folder):
        with open(os.path.join(folder, fd)) as f:
            ids.update(int(x) for x in re.findall(r"^prog_id:\s*(\d+)", f.read(), re.M))
    return sorted(ids)


def programs(recorder):
    """The programs of a recording, asked for while it goes on."""
    child = subprocess.Popen([recorder, "-q", "-e", "cpu-clock", "-o", "/dev/null", "--", "sh",
                              "-c", "echo; exec sleep 10"], stdout=subprocess.PIPE)
    if not child.stdout.readline():  # the command runs only once all is loaded
        sys.exit("fixed: cannot record")
    found = [program(number) for number in program_ids(child.pid)]
    child.send_signal(signal.SIGINT)
    child.wait()
    return found


def start_up_ms(recorder):
    child = subprocess.Popen([recorder, "-q", "-a", "-d", "0.1", "-o", "/dev/null"])
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit("fixed: cannot record")
    return (usage.ru_utime + usage.ru_stime) * 1e3


def measure(recorder, runs, result):
    """Prints what it finds; whether a program is above the target."""
    times = [start_up_ms(recorder) for _ in range(runs)]
    result.row("start", "profiler", "ours", "cpu", "ms", "less", times)
    print(f"start-up CPU: {statistics.median(times):.1f} ms, median of {runs} runs "
          f"({min(times):.1f}..{max(times):.1f})")
    print(f"{'program':16} {'instructions':>12} {'verified':>10}")
    missed = False
    for name, instructions, verified in programs(recorder):
        missed |= verified > VERIFIED_TARGET
        result.row(f"verify-{name}", "profiler", "ours", "instructions", "", "less", instructions)
        if verified:
            result.row(f"verify-{name}", "profiler", "ours", "verified", "", "less", verified)
        else:
            result.note(f"{name}: verified instructions are not told before kernel 5.16")
        print(f"{name:16} {instructions:>12} {verified or 'unknown':>10}"
              f"{' MISSED' if verified > VERIFIED_TARGET else ''}")
    print(f"target: at most {VERIFIED_TARGET:,} verified")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", help="write the result here")
    args = parser.parse_args()
    recorder = os.path.join(args.build, "bin/profiler")
    if os.geteuid() != 0:
        sys.exit("fixed: recording needs root")
    if not os.access(recorder, os.X_OK):
        sys.exit(f"fixed: {recorder} is missing; make build makes it")
    with suite.Suite("fixed", args.build, args.json) as result:
        missed = measure(recorder, args.runs, result)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
