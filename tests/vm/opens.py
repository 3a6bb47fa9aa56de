# SPDX-License-Identifier: Apache-2.0
"""opens.py - whether the kernel opens an event for sampling, asked without the recorder.

The names are those of --list-events, the numbers those of include/uapi/linux/perf_event.h.
"""
import ctypes
import errno
import os
import platform
import re
import struct

PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
HARDWARE, SOFTWARE, CACHE = 0, 1, 3
ATTR_BYTES = 112
PERIOD = 1_000_000

SOFTWARE_NAMES = ("cpu-clock task-clock page-faults context-switches cpu-migrations minor-faults "
                  "major-faults alignment-faults emulation-faults - - cgroup-switches").split()
HARDWARE_NAMES = ("cycles instructions cache-references cache-misses branches branch-misses "
                  "bus-cycles stalled-cycles-frontend stalled-cycles-backend ref-cycles").split()
CACHES = {"L1-dcache": 0, "L1-icache": 1, "LLC": 2, "dTLB": 3, "iTLB": 4, "branch": 5, "node": 6}
OPERATIONS = {"load": 0, "store": 1, "prefetch": 2}


def _known():
    known = {name: (SOFTWARE, i) for i, name in enumerate(SOFTWARE_NAMES) if name != "-"}
    known.update((name, (HARDWARE, i)) for i, name in enumerate(HARDWARE_NAMES))
    for cache, number in CACHES.items():
        for operation, code in OPERATIONS.items():
            many = operation + ("es" if operation == "prefetch" else "s")
            known[f"{cache}-{many}"] = (CACHE, number | code << 8)
            known[f"{cache}-{operation}-misses"] = (CACHE, number | code << 8 | 1 << 16)
    return known


KNOWN = _known()


def opens(name, cpu=0):
    """0 when a sampling event opens on a CPU, else the errno."""
    kind, config = KNOWN[name]
    attr = struct.pack("=IIQQ", kind, ATTR_BYTES, config, PERIOD).ljust(ATTR_BYTES, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(ctypes.c_long(PERF_EVENT_OPEN[platform.machine()]), ctypes.c_char_p(attr),
                      ctypes.c_int(-1), ctypes.c_int(cpu), ctypes.c_int(-1), ctypes.c_ulong(8))
    if fd < 0:
        return ctypes.get_errno()
    os.close(fd)
    return 0


def errno_name(number):
    return errno.errorcode.get(number, str(number))


def listed(text):
    """The names that --list-events shows as events that open, and as events that do not."""
    shown, missing, refused = set(), set(), False
    for line in text.splitlines():
        if line and not line.startswith(" "):
            refused = "does not open" in line or "do not open" in line
            continue
        words = line.split()
        if refused:
            missing.update(words)
        elif re.match(r"  \S", line) and words:
            shown.add(words[0])
    return shown, missing
