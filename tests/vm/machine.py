# SPDX-License-Identifier: Apache-2.0
"""machine.py - boots a guest under QEMU, runs one command in it, brings back files and exit code.

Emulated (TCG) even where there is KVM: the machine that runs the tests decides nothing then, and
arm64 runs on x86 with a PMU that overflows. A guest has two disks and a serial line, no network.
The first disk is the root, thrown away afterwards; the second carries an archive in and one out.
See guest-init for the other end.

What runs in a guest may hang it, and an emulator may too. QEMU up to 8.0 could: with a thread for
each CPU, one CPU may translate code while another patches it (jump labels, which each recording
switches), and what it translated, a breakpoint of the patching, stays. 5.10 then returns from that
breakpoint to itself, for ever, and later kernels die of it. So QEMU is a newer one (guestdisk.py);
and a guest that hangs all the same is ended as soon as that is seen, and started again once. Who
calls is told, for it may have been what ran in it.
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

TRIES = 3           # to come up
HANGS = 2           # the second hang of a guest is its result
BOOT_LIMIT_S = 60   # of some five seconds, on a machine that does other things
TIMED_OUT = 124
LOCKUP = re.compile(r"BUG: soft lockup - .*")
OF_KERNEL = re.compile(r"\[ *\d+\.\d+\]")
# Why a guest was ended.
NOT_UP, LATE, HUNG = "not up", "late", "hung"
DATA_MIB = 256

# What a machine is like. icount is N of "one instruction takes 2^N ns of the guest's time": one
# thread emulates all CPUs then, and arm64's PMU counts instructions. A guest whose command prints
# nothing for silent_s hangs, unless that is None.
Spec = collections.namedtuple("Spec", "arch suite cpu cpus memory_mib icount append limit_s "
                              "silent_s verbose",
                              defaults=(None, 2, 1024, None, "", 300, None, False))
Result = collections.namedtuple("Result", "status seconds boot_s tries hangs")

QEMU = {
    # tsc=reliable: else old kernels distrust an emulated time stamp counter and take the slow HPET;
    # no_timer_check: else a slow start is taken for a board whose timer is not connected
    "amd64": ("qemu-system-x86_64", "q35", "max", "console=ttyS0 tsc=reliable no_timer_check"),
    # neoverse-n1 has a PMU that libpfm4 knows
    "arm64": ("qemu-system-aarch64", "virt,gic-version=3", "neoverse-n1", "console=ttyAMA0"),
}
APPEND = (f"root=PARTUUID={guestdisk.DISK_SIGNATURE:08x}-01 rw rootwait quiet panic=-1 nokaslr "
          "mitigations=off init=/usr/sbin/guest-init")


def command_line(spec, data):
    program, machine, cpu, append = QEMU[spec.arch]
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
    return [*guestdisk.qemu(program), "-M", machine, "-cpu", spec.cpu or cpu, "-accel", accel, *icount,
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
        self.begin = self.heard = time.monotonic()
        self.boot_s, self.lockup, self.rest = None, None, b""

    def line(self, text):
        if text.startswith("guest: up"):
            self.boot_s = time.monotonic() - self.begin
        lockup = LOCKUP.search(text)
        if lockup:
            self.lockup = self.lockup or lockup[0]
        elif not OF_KERNEL.match(text):
            self.heard = time.monotonic()
        self.show(text)

    def deadline(self, spec):
        """When the guest is to be ended, and why."""
        ends = [(self.begin + spec.limit_s, LATE)]
        if self.boot_s is None:
            ends.append((self.begin + BOOT_LIMIT_S, NOT_UP))
        elif spec.silent_s:
            ends.append((self.heard + spec.silent_s, HUNG))
        return min(ends)

    def follow(self, spec):
        """Until the guest ends, or has to be ended; why, None if it did so itself."""
        while not self.lockup:
            when, why = self.deadline(spec)
            left = when - time.monotonic()
            if left <= 0:
                return why
            if not select.select([self.child.stdout], [], [], left)[0]:
                continue
            data = os.read(self.child.stdout.fileno(), 65536)
            if not data:
                return None
            *lines, self.rest = (self.rest + data).split(b"\n")
            for x in lines:
                self.line(x.decode("utf-8", "replace").replace("\r", ""))
        return HUNG


def boot(spec, files, command, out, show):
    """One try: (console, why the guest was ended, the command's status)."""
    with tempfile.TemporaryDirectory(prefix="profiler-vm-") as work:
        data = os.path.join(work, "data")
        pack(data, files, command)
        with subprocess.Popen(command_line(spec, data), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            console = Console(child, show)
            try:
                why = console.follow(spec)
            finally:
                child.kill()
        return console, why, None if why else unpack(data, out)


def run(spec, files, command, out=None, show=print):
    """
    Boots spec and runs a shell command in a folder that holds files, a list of (path here, name
    there). What the command leaves in out/ is copied into the folder out. Lines of the guest's
    console go to show(), and one that begins with "machine:" before another try. Raises LabError
    if the guest did not bring back a result.
    """
    begin, hangs = time.monotonic(), []
    for attempt in range(1, TRIES + 1):
        console, why, status = boot(spec, files, command, out, show)
        if status is not None or why == LATE and console.boot_s is not None:
            return Result(TIMED_OUT if why else status, time.monotonic() - begin, console.boot_s,
                          attempt, hangs)
        if why == HUNG:
            hangs.append(console.lockup or f"nothing printed for {spec.silent_s} s")
            if len(hangs) == HANGS:
                raise LabError(f"the guest hung, {HANGS} times: {'; '.join(hangs)}")
            show(f"machine: the guest hung: {hangs[-1]}; it is started again")
        elif console.boot_s is not None:
            raise LabError("the guest died before the command came to its end")
        else:
            show(f"machine: the guest did not come up; try {attempt} of {TRIES}")
    raise LabError(f"the guest did not come up in {TRIES} tries")
