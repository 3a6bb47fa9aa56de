#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scaling_guest.py - the same recording on machines of more CPUs than this one: QEMU guests.

    bench/scaling_guest.py BUILD HZ         in the guest: prints the figures of one recording

The guests are those of tests/vm, emulated (TCG), so all that depends on speed means nothing there:
no time is reported. What does not depend on it is: memory, open files, bytes a sample, and
whether samples were dropped. The rate is low for the same reason; a CPU's ring is then of the
smallest size, and what it has at a higher rate is known (scaling_model.ring_bytes()).
"""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "lib"), HERE]

import recorders  # noqa: E402
import scaling_point  # noqa: E402

KEEP = ("memory", "files", "bytes", "dropped")
SUITE = "bookworm"
LIMIT_S = 240
MEMORY_MIB = 1024
WINDOWS, WINDOW_S = 1, 5  # of the host's time, about
PROGRAMS = ("bin/profiler", "bin/profiler-jail", "bin/profiler-report", "workloads/crowd")
SCRIPTS = ("scaling_guest.py", "scaling_point.py", "lib")


def inside(build, hz):
    """What one recording costs here, with a thread at work on every CPU."""
    load = scaling_point.Load([os.path.join(build, "workloads/crowd"), "-d", "600"])
    try:
        with tempfile.TemporaryDirectory() as folder, recorders.bpf_stats():
            found = scaling_point.record(build, hz, os.path.join(folder, "guest.prof"), 0,
                                         WINDOWS, WINDOW_S)
    finally:
        load.end()
    return {key: found[key] for key in KEEP}


def outside(build, cpus, hz):
    """The figures of a guest of so many CPUs. Raises CannotMeasure."""
    sys.path.insert(0, os.path.join(HERE, "../tests/vm"))
    import guestdisk
    import machine
    files = [(os.path.join(build, name), f"build/{name}") for name in PROGRAMS]
    files += [(os.path.join(HERE, name), f"bench/{name}") for name in SCRIPTS]
    spec = machine.Spec("amd64", SUITE, cpus=cpus, memory_mib=MEMORY_MIB, limit_s=LIMIT_S)
    lines = []
    with tempfile.TemporaryDirectory() as out:
        try:
            result = machine.run(spec, files, f"python3 bench/scaling_guest.py build {hz} "
                                 "> out/figures.json", out, lines.append)
        except guestdisk.LabError as error:
            raise scaling_point.CannotMeasure(f"a guest of {cpus} CPUs: {error}") from error
        if result.status:
            said = [line for line in lines if line and not line.startswith("guest:")]
            raise scaling_point.CannotMeasure(f"a guest of {cpus} CPUs: exit status "
                                              f"{result.status}: {' / '.join(said[-3:])}")
        with open(os.path.join(out, "figures.json"), encoding="utf-8") as f:
            return json.load(f)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1])
    json.dump(inside(sys.argv[1], int(sys.argv[2])), sys.stdout)
