# SPDX-License-Identifier: Apache-2.0
"""memory_group.py - what the kernel charges a recorder with: a memory cgroup for it alone.

with MemoryGroup() as group: processes that call group.enter() before they exec are in it, with
all that they start. group.used_kb() is what is charged now, without page cache of files: that of
the output is no memory of the recorder. None where there is no such cgroup to be had (no memory
controller, or a container that may not make one).
"""
import contextlib
import os
import re

V1, V2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"


class MemoryGroup:
    def __init__(self):
        self.v1 = os.path.exists(os.path.join(V1, "memory.usage_in_bytes"))
        self.path = os.path.join(V1 if self.v1 else V2, f"recorder-{os.getpid()}")

    def __enter__(self):
        with contextlib.suppress(OSError):
            os.mkdir(self.path)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            os.rmdir(self.path)

    def read(self, name):
        with open(os.path.join(self.path, name)) as f:
            return f.read()

    def enter(self):
        """For the calling process; nothing where there is no group."""
        with contextlib.suppress(OSError), open(os.path.join(self.path, "cgroup.procs"), "w") as f:
            f.write("0")

    def used_kb(self):
        try:
            used = int(self.read("memory.usage_in_bytes" if self.v1 else "memory.current"))
            stat = self.read("memory.stat")
        except OSError:
            return None
        cached, shared = (self.entry(stat, key) for key in
                          (("total_cache", "total_shmem") if self.v1 else ("file", "shmem")))
        return (used - cached + shared) // 1024

    @staticmethod
    def entry(text, key):
        found = re.search(rf"^{key} (\d+)", text, re.M)
        return int(found[1]) if found else 0
