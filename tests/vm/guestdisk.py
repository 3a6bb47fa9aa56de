# SPDX-License-Identifier: Apache-2.0
"""guestdisk.py - QEMU, and what a guest boots from: kernels and roots; all of Debian packages.

A kernel is the one file that boots. Debian's cloud flavour is taken, the smallest, in which all is
built in that a guest needs: NVMe, ext4, BPF, perf events and BTF. A root is a disk with bookworm's
packages, unpacked and nothing more: no script of theirs ever ran in it. QEMU is trixie's, unpacked
too, whatever the machine has: up to 8.0 it may go on running code for ever that a kernel has
patched meanwhile (see machine.py). All lie in build/vm, or in $PROFILER_VM_CACHE, and are made once;
remove the folder to have newer ones. Whatever is made is
complete or not there: it is made under another name and renamed.

Where packages come from is cmake/debian's matter.
"""
import functools
import glob
import hashlib
import os
import re
import shutil
import struct
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.abspath(os.environ.get("PROFILER_VM_CACHE") or os.path.join(TREE, "build/vm"))

ARCHITECTURES = ("amd64", "arm64")
# What the tests are held against; "newest" is the newer one of Debian's two moving suites.
SUITES = ("bullseye", "bookworm", "trixie", "newest")
MOVING = ("sid", "forky")

ROOT_SUITE = "bookworm"
# usr-is-merged spares usrmerge, which would bring Perl along
ROOT_PACKAGES = ("dash coreutils util-linux mount procps kmod tar grep usr-is-merged python3 "
                 "binutils protobuf-compiler libbpf1 libelf1 libdw1 libpfm4 libunwind8 "
                 "libprotobuf-c1 zlib1g liblzma5 libstdc++6 libncursesw6").split()

QEMU_SUITE = "trixie"
QEMU_PACKAGES = ("qemu-system-x86", "qemu-system-arm")

# The root is found by the signature of its disk: from 6.12 on NVMe disks are numbered in any order.
DISK_SIGNATURE = 0x70726f66
PARTITION_SECTOR = 2048
SECTOR_BYTES = 512
MIB = 1 << 20


class LabError(Exception):
    """What is missing for a guest, and what helps."""


def debian(*args):
    """The lines that cmake/debian prints."""
    script = os.path.join(TREE, "cmake/debian")
    run = subprocess.run([script, *args], capture_output=True, text=True)
    if run.returncode:
        raise LabError(run.stderr.strip() or f"{script} failed")
    return run.stdout.split("\n")[:-1]


def version(text):
    """What versions are ordered by; 7.2.13 is newer than 7.2.9."""
    return [int(n) for n in re.findall(r"\d+", text)]


def kernel_package(suite, arch):
    """The package behind a suite's linux-image-cloud-ARCH."""
    for name in debian("depends", suite, arch, f"linux-image-cloud-{arch}"):
        if re.match(r"linux-image-\d", name):
            return name
    raise LabError(f"{suite} has no kernel of the cloud flavour for {arch}")


def kernel_debs(suite, arch):
    """The packages that hold a suite's kernel; from 6.19 on linux-image-* is empty."""
    if suite == "newest":
        suite = max(MOVING, key=lambda s: version(kernel_package(s, arch)))
    package = kernel_package(suite, arch)
    binary = [n for n in debian("depends", suite, arch, package) if n.startswith("linux-binary-")]
    return suite, debian("fetch", suite, arch, *(binary or [package]))


def copy_member(deb, pattern, path):
    """Writes the one file of a package whose name matches into path; False if there is none."""
    with tempfile.TemporaryFile() as archive:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=archive, check=True)
        archive.seek(0)
        names = subprocess.run(["tar", "-t"], stdin=archive, capture_output=True, text=True,
                               check=True).stdout.splitlines()
        found = [n for n in names if re.search(pattern, n)]
        if not found:
            return None
        archive.seek(0)
        with open(path, "wb") as out:
            subprocess.run(["tar", "-xO", found[0]], stdin=archive, stdout=out, check=True)
        return found[0]


def kernel(arch, suite):
    """The file of a kernel, for qemu's -kernel; made if it is not there yet."""
    folder = os.path.join(CACHE, f"{arch}-{suite}")
    path = os.path.join(folder, "vmlinuz")
    if os.path.exists(path):
        return path
    from_suite, debs = kernel_debs(suite, arch)
    with building(folder) as new:
        for deb in debs:
            name = copy_member(deb, r"/vmlinuz[^/]*$", os.path.join(new, "vmlinuz"))
            if name:
                release = re.search(r"\d+\.\d+\.[^/]*-cloud-\w+", name)[0]
                with open(os.path.join(new, "release"), "w") as f:
                    f.write(f"{from_suite} {release}\n")
                return path
        raise LabError(f"no kernel in {', '.join(map(os.path.basename, debs))}")


def kernel_release(arch, suite):
    """The suite that a kernel came from, and its `uname -r`."""
    kernel(arch, suite)
    with open(os.path.join(CACHE, f"{arch}-{suite}", "release")) as f:
        return f.read().split()


class building:
    """A folder or file under another name while it is made; in its place only if all went well."""

    def __init__(self, path, folder=True):
        self.path, self.folder = path, folder
        os.makedirs(CACHE, exist_ok=True)

    def __enter__(self):
        self.new = tempfile.mkdtemp(prefix=os.path.basename(self.path) + ".", dir=CACHE)
        return self.new if self.folder else os.path.join(self.new, "file")

    def __exit__(self, kind, value, trace):
        made = self.new if self.folder else os.path.join(self.new, "file")
        try:
            if kind is None:
                if os.path.isdir(self.path):
                    shutil.rmtree(self.path)
                os.chmod(made, 0o755)
                os.rename(made, self.path)
        finally:
            shutil.rmtree(self.new, ignore_errors=True)


def qemu(program):
    """The beginning of a command line that runs one of QEMU's programs, with its own libraries."""
    folder = os.path.join(CACHE, f"qemu-{QEMU_SUITE}")
    if not os.path.isdir(folder):
        host = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True,
                              check=True).stdout.strip()
        debs = debian("closure", QEMU_SUITE, host, *QEMU_PACKAGES)
        with building(folder) as new:
            debian("unpack", new, *debs)
    loader = glob.glob(os.path.join(folder, "usr/lib/*-linux-gnu/ld-linux*.so.*"))[0]
    roms = [os.path.join(folder, "usr/share", name) for name in ("qemu", "seabios")]
    return [loader, "--library-path", os.path.dirname(loader),
            os.path.join(folder, "usr/bin", program), "-L", roms[0], "-L", roms[1]]


@functools.lru_cache(maxsize=None)
def root_stamp(arch):
    """Changes with all that a root is made from."""
    with open(os.path.join(HERE, "guest-init"), "rb") as f:
        recipe = f.read() + repr((arch, ROOT_SUITE, ROOT_PACKAGES)).encode()
    return hashlib.sha256(recipe).hexdigest()[:12]


def root_folder(arch):
    """The root as a folder, for who wants libraries of it."""
    folder = os.path.join(CACHE, f"root-{arch}-{root_stamp(arch)}")
    if os.path.isdir(folder):
        return folder
    debs = debian("closure", ROOT_SUITE, arch, *ROOT_PACKAGES)
    with building(folder) as new:
        debian("unpack", new, *debs)
        finish_root(new)
    return folder


def finish_root(folder):
    """What scripts of packages would have made, as far as a test needs it."""
    for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh\n"
                                  "nobody:x:65534:65534:nobody:/:/bin/false\n"),
                       ("group", "root:x:0:\nnogroup:x:65534:\n"), ("fstab", "")):
        with open(os.path.join(folder, "etc", name), "w") as f:
            f.write(text)
    shell = os.path.join(folder, "usr/bin/sh")
    if not os.path.lexists(shell):
        os.symlink("dash", shell)
    shutil.copy(os.path.join(HERE, "guest-init"), os.path.join(folder, "usr/sbin/guest-init"))


def master_boot_record(sectors):
    """One partition of Linux's, from PARTITION_SECTOR on."""
    entry = struct.pack("<B3xB3xII", 0, 0x83, PARTITION_SECTOR, sectors)
    return struct.pack("<440xI2x16s48xH", DISK_SIGNATURE, entry, 0xaa55)


def root_disk(arch):
    """The disk that a guest has its root on; made if it is not there yet."""
    image = os.path.join(CACHE, f"root-{arch}-{root_stamp(arch)}.img")
    if os.path.exists(image):
        return image
    if not shutil.which("mke2fs", path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
        raise LabError("mke2fs is missing: install e2fsprogs")
    folder = root_folder(arch)
    used = sum(os.lstat(os.path.join(at, n)).st_size for at, _, names in os.walk(folder)
               for n in names)
    mib = used * 5 // 4 // MIB + 64
    with building(image, folder=False) as new:
        with open(new, "wb") as f:
            f.write(master_boot_record(mib * MIB // SECTOR_BYTES))
            f.truncate((mib + 1) * MIB)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-E",
                        f"offset={PARTITION_SECTOR * SECTOR_BYTES},root_owner=0:0", "-d", folder,
                        new, f"{mib}M"], check=True,
                       env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    return image
