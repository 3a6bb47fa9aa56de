# SPDX-License-Identifier: Apache-2.0
"""fakehw.py - builds tests/vm/fakehw/fakehw.c for the kernel of a guest, and keeps the module.

With it an x86 guest has cycles and instructions, which emulated x86 lacks. Headers and build
scripts are Debian's packages for that kernel, unpacked in a folder; 6.12 and later want a compiler
and a C library newer than bookworm's for that, so there is none for them.
"""
import glob
import os
import re
import shutil
import subprocess

import guestdisk
from guestdisk import LabError

SUITES = ("bullseye", "bookworm")
SOURCE = os.path.join(guestdisk.HERE, "fakehw")
FILE = "fakehw.ko"


def headers(suite, release, folder):
    """Unpacks the headers of a kernel; the folder to build modules against."""
    package = f"linux-headers-{release}"
    needed = [n for n in guestdisk.debian("depends", suite, "amd64", package)
              if re.match(r"linux-(headers|kbuild)-", n)]
    guestdisk.debian("unpack", folder, *guestdisk.debian("fetch", suite, "amd64", package, *needed))
    # Debian's makefiles name each other by absolute paths, and the compiler that built the kernel.
    for name in glob.glob(f"{folder}/usr/src/linux-headers-*/Makefile"):
        edit(name, r"(?<![\w/.])/usr/(src|lib)/", rf"{folder}/usr/\1/")
    for name in glob.glob(f"{folder}/usr/src/linux-headers-*/.kernelvariables"):
        edit(name, r"gcc-\d+", "gcc")
    return f"{folder}/usr/src/{package}"


def edit(path, pattern, replacement):
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(re.sub(pattern, replacement, text))


def module(suite):
    """The module for a suite's kernel; built if it is not there yet, or older than its source."""
    path = os.path.join(guestdisk.CACHE, f"fakehw-{suite}.ko")
    newest = max(os.path.getmtime(os.path.join(SOURCE, n)) for n in os.listdir(SOURCE))
    if os.path.exists(path) and os.path.getmtime(path) > newest:
        return path
    from_suite, release = guestdisk.kernel_release("amd64", suite)
    with guestdisk.building(path, folder=False) as new:
        work = os.path.dirname(new)
        build = headers(from_suite, release, os.path.join(work, "root"))
        for name in os.listdir(SOURCE):
            shutil.copy(os.path.join(SOURCE, name), work)
        run = subprocess.run(["make", "-C", build, f"M={work}", "modules"], capture_output=True,
                             text=True)
        made = os.path.join(work, "fakehw.ko")
        if run.returncode or not os.path.exists(made):
            raise LabError(f"cannot build fakehw for {release}: {run.stderr[-800:]}")
        os.rename(made, new)
    return path
