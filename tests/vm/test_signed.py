# SPDX-License-Identifier: Apache-2.0
"""Stacks of code whose return addresses are signed (arm64's pointer authentication).

For a guest with QEMU's -cpu max,pauth-impdef=on: the upper bits of a return address on the stack
are a signature then, which has to be taken off before it means anything.
"""
import os
import re
import subprocess

import cells
import test_stacks
from harness import check, test


# libunwind 1.6 knows nothing of signatures in unwind information: before its tables are there, a
# stack of signed code ends so.
LATE_SIGNED = frozenset(cells.LATE | {"not a frame"})


def stacks_right(env, name, late=frozenset(cells.LATE)):
    env.emulated = True
    test_stacks.PROGRAMS["plain_signed"] = test_stacks.plain()
    try:
        right, count, worst = cells.count_right(env, name, late)
    finally:
        del test_stacks.PROGRAMS["plain_signed"]
    check(right >= cells.RIGHT * count, f"{right} of {count} stacks of {name} are right: {worst}")


@test
def stacks_of_signed_code(env):
    with open("/proc/cpuinfo") as f:
        check(re.search(r"^Features.*\bpaca\b", f.read(), re.M), "this CPU signs nothing")
    program = os.path.join(env.build, "stacks/plain_signed")
    code = subprocess.run(["objdump", "-d", program], capture_output=True, text=True, check=True)
    check("paciasp" in code.stdout, "the program signs nothing")
    stacks_right(env, "plain_signed", LATE_SIGNED)


@test
def stacks_of_other_code(env):
    """Beside it, code that is not signed, and libraries."""
    stacks_right(env, "plain")
    stacks_right(env, "sorts")
