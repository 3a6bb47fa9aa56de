# SPDX-License-Identifier: Apache-2.0
"""machine.py - boots a guest under QEMU, runs one command in it, brings back files and exit code.

Emulated (TCG) even where there is KVM: the machine that runs the tests decides nothing then, and
arm64 runs on x86 with a PMU that overflows. A guest has two disks and a serial line, no network.
The first disk is the root, thrown away afterwards; the second carries an archive in and one out.
See guest-init for the other end.

A guest that does not come up, or that the emulator breaks, is started again: QEMU 7.2 may run code
that the kernel has just patched as it was before, and the guest then dies of a breakpoint (int3)
that is not there any more.
"""
import collections
import os
import re
import select
import shutil
import subprocess
import tarfile
import tempfile
import time

import guestdisk
from guestdisk import LabError

TRIES = 3
BOOT_LIMIT_S = 60   # of some five seconds, on a machine that does other things
TIMED_OUT = 124
DATA_MIB = 256

# What a machine is like. icount is N of "one instruction takes 2^N ns of the guest's time": one
# thread emulates all CPUs then, and arm64's PMU counts instructions.
Spec = collections.namedtuple("Spec", "arch suite cpu cpus memory_mib icount append limit_s "
                              "verbose", defaults=(None, 2, 1024, None, "", 300, False))
Result = collections.namedtuple("Result", "status seconds boot_s tries")

QEMU = {
    # tsc=reliable: else old kernels distrust an emulated time stamp counter and take the slow HPET
    "amd64": ("qemu-system-x86_64", "qemu-system-x86", "q35", "max", "console=ttyS0 tsc=reliable"),
    # neoverse-n1 has a PMU that libpfm4 knows
    "arm64": ("qemu-system-aarch64", "qemu-system-arm", "virt,gic-version=3", "neoverse-n1",
              "console=ttyAMA0"),
}
APPEND = (f"root=PARTUUID={guestdisk.DISK_SIGNATURE:08x}-01 rw rootwait quiet panic=-1 nokaslr "
          "mitigations=off init=/usr/sbin/guest-init")


def command_line(spec, data):
    program, package, machine, cpu, append = QEMU[spec.arch]
    if not shutil.which(program):
        raise LabError(f"{program} is missing: install {package}")
    drives = []
    for name, path, options in (("root", guestdisk.root_disk(spec.arch), "snapshot=on"),
                                ("data", data, "cache=unsafe")):
        drives += ["-drive", f"if=none,id={name},format=raw,file={path},{options}",
                   "-device", f"nvme,drive={name},serial={name}"]
    append = f"{append} {APPEND} {spec.append}"
    if spec.verbose:
        append = append.replace("quiet ", "")
    accel, icount = "tcg,thread=multi", []
    if spec.icount is not None:
        accel, icount = "tcg,thread=single", ["-icount", f"shift={spec.icount}"]
    # -no-reboot with panic=-1: a guest that panics ends
    return [program, "-M", machine, "-cpu", spec.cpu or cpu, "-accel", accel, *icount,
            "-smp", str(spec.cpus), "-m", str(spec.memory_mib), "-nodefaults", "-no-user-config",
            "-display", "none", "-nic", "none", "-no-reboot", "-serial", "stdio", *drives,
            "-kernel", guestdisk.kernel(spec.arch, spec.suite), "-append", append]


def pack(path, files, command):
    """The archive that goes in: files as (path here, name there)."""
    with tempfile.TemporaryDirectory() as work, tarfile.open(path, "w") as archive:
        script = os.path.join(work, "command")
        with open(script, "w") as f:
            f.write(command + "\n")
        archive.add(script, "command")
        for source, name in files:
            if not os.path.exists(source):
                raise LabError(f"'{source}' is missing")
            archive.add(source, name)
    if os.path.getsize(path) > DATA_MIB << 20:
        raise LabError(f"more than {DATA_MIB} MiB for a guest")
    os.truncate(path, DATA_MIB << 20)


def unpack(path, folder):
    """What came back; the exit status of the command, None if it did not come to an end."""
    with tempfile.TemporaryDirectory() as work:
        run = subprocess.run(["tar", "-xf", path, "-C", work, "--no-same-owner"],
                             stderr=subprocess.DEVNULL)
        status = os.path.join(work, ".status")
        if run.returncode or not os.path.exists(status):
            return None
        with open(status) as f:
            code = int(f.read())
        os.remove(status)
        if folder:
            shutil.copytree(work, folder, dirs_exist_ok=True)
        return code


class Console:
    """The serial line, as lines; keeps what the guest says of itself."""

    def __init__(self, child, show):
        self.child, self.show = child, show
        self.begin, self.boot_s, self.broken, self.rest = time.monotonic(), None, False, b""

    def line(self, text):
        if text.startswith("guest: up"):
            self.boot_s = time.monotonic() - self.begin
        elif re.search(r"Oops: int3|int3: 0000", text):
            self.broken = True
        self.show(text)

    def follow(self, limit_s):
        """Until the guest ends; False when it had to be ended."""
        while True:
            passed = time.monotonic() - self.begin
            limit = limit_s if self.boot_s is not None else min(limit_s, BOOT_LIMIT_S)
            left = limit - passed
            if left <= 0:
                self.child.kill()
                return False
            if not select.select([self.child.stdout], [], [], left)[0]:
                continue
            data = os.read(self.child.stdout.fileno(), 65536)
            if not data:
                return True
            *lines, self.rest = (self.rest + data).split(b"\n")
            for x in lines:
                self.line(x.decode("utf-8", "replace").replace("\r", ""))


def run(spec, files, command, out=None, show=print):
    """
    Boots spec and runs a shell command in a folder that holds files, a list of (path here, name
    there). What the command leaves in out/ is copied into the folder out. Lines of the guest's
    console go to show(). Raises LabError if the guest did not bring back a result.
    """
    begin = time.monotonic()
    for attempt in range(1, TRIES + 1):
        with tempfile.TemporaryDirectory(prefix="profiler-vm-") as work:
            data = os.path.join(work, "data")
            pack(data, files, command)
            with subprocess.Popen(command_line(spec, data), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
                console = Console(child, show)
                try:
                    ended = console.follow(spec.limit_s)
                finally:
                    child.kill()
            if console.boot_s is not None and not ended:
                return Result(TIMED_OUT, time.monotonic() - begin, console.boot_s, attempt)
            status = unpack(data, out)
            if status is not None:
                return Result(status, time.monotonic() - begin, console.boot_s, attempt)
        if console.boot_s is not None and not console.broken:
            raise LabError("the guest died before the command came to its end")
        show(f"machine: the guest {'broke' if console.broken else 'did not come up'}; "
             f"try {attempt} of {TRIES}")
    raise LabError(f"the guest did not come up in {TRIES} tries")
