#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""interrupts.py - cpu-clock overflows on all CPUs, and nobody takes a sample: the least it costs.

    interrupts.py HZ        until SIGINT

The events are those of profiler and perf record -e cpu-clock, but nobody reads them and no program
is attached: the machine pays for the interrupts alone. Needs root.
"""
import ctypes
import os
import platform
import signal
import struct
import sys

PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
SOFTWARE, CPU_CLOCK = 1, 0
ATTR_BYTES = 64  # PERF_ATTR_SIZE_VER0


def open_on(cpu, period_ns):
    libc = ctypes.CDLL(None, use_errno=True)
    attr = struct.pack("=IIQQ", SOFTWARE, ATTR_BYTES, CPU_CLOCK, period_ns).ljust(ATTR_BYTES, b"\0")
    fd = libc.syscall(ctypes.c_long(PERF_EVENT_OPEN[platform.machine()]), attr, -1, cpu, -1,
                      ctypes.c_ulong(0))
    if fd < 0:
        sys.exit(f"interrupts: cannot open cpu-clock on CPU {cpu}: "
                 f"{os.strerror(ctypes.get_errno())}")
    return fd


def main():
    if len(sys.argv) != 2 or not sys.argv[1].isdigit() or not int(sys.argv[1]):
        sys.exit("usage: interrupts.py HZ")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    for cpu in sorted(os.sched_getaffinity(0)):
        open_on(cpu, 10**9 // int(sys.argv[1]))
    signal.sigwait([signal.SIGINT])


if __name__ == "__main__":
    main()
