# SPDX-License-Identifier: Apache-2.0
"""judge.py - whether the names of a sample's frames are right.

A program of this folder has a few chains of functions. The frames of its kind (of the stripped
library, of the code made at run time, of the kernel) are right when their names, from the outermost
on, come in this order in one of the chains; one without a name fits anywhere, and a caller may be
missing, which is unwinding's fault and not of names. Otherwise all that have a name are wrong.

All other frames are held against the symbol tables of their files, /proc/kallsyms, the vDSO or
/tmp/perf-PID.map, read here without any code of the profiler's: by address, so that a wrong
name cannot hide among the right ones. Aliases are right.
"""
import bisect
import collections
import os
import re
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../../bench")]

import outermost  # noqa: E402
from seen import KERNEL  # noqa: E402

# What the compiler links into every program, and what has no name of its own to be known by.
START_FILES = {"_start", "_init", "_fini", "frame_dummy", "register_tm_clones",
               "deregister_tm_clones", "__do_global_dtors_aux"}
# With which all names of our programs begin.
OURS = ("steady_", "other_", "plugin_", "host_", "jit_", "phase_", "brief_", "reuse_", "storm_",
        "inline_", "faults_", "shapes::", "hot_names::")
SHT_SYMTAB, SHT_DYNSYM, SHN_UNDEF = 2, 11, 0
CODE_TYPES = (0, 2, 10)  # NOTYPE, FUNC, GNU_IFUNC


class Demangler:
    def __init__(self):
        self.filter, self.known = None, {}

    def __call__(self, name):
        if not name.startswith(("_Z", "_R")):
            return name
        if name not in self.known:
            if not self.filter:
                self.filter = subprocess.Popen(["c++filt", "-i"], stdin=subprocess.PIPE,
                                               stdout=subprocess.PIPE, text=True, bufsize=1)
            self.filter.stdin.write(name + "\n")
            self.filter.stdin.flush()
            self.known[name] = tidy(self.filter.stdout.readline().rstrip("\n"))
        return self.known[name]

    def close(self):
        if self.filter:
            self.filter.stdin.close()
            self.filter.wait()
            self.filter.stdout.close()


class Symbols:
    """All names that cover an address of one or more ELF files of the same build."""

    def __init__(self, paths):
        self.entries, self.names, self.stubs = [], set(), []
        self.widest = 0
        self.elf = outermost.Elf(paths[0])
        for path in paths:
            elf = outermost.Elf(path)
            for section in elf.sections:
                if section[1] in (SHT_SYMTAB, SHT_DYNSYM):
                    self.read(elf, section)
            self.stubs += [(s[3], s[3] + s[5]) for s in elf.sections if s[0].startswith(".plt")]
        self.entries.sort()
        self.starts = [e[0] for e in self.entries]

    def read(self, elf, table):
        offset, size, strings = table[4], table[5], elf.sections[table[6]][4]
        for name, info, _, section, value, length in struct.iter_unpack(
                "<IBBHQQ", elf.data[offset:offset + size]):
            text = elf.string(strings + name).split("@")[0]
            self.names.add(text)
            if section != SHN_UNDEF and info & 15 in CODE_TYPES and text:
                self.entries.append((value, value + length, text))
                self.widest = max(self.widest, length)

    def covering(self, address):
        names, i = set(), bisect.bisect_right(self.starts, address) - 1
        nearest = self.starts[i] if i >= 0 else 0
        while i >= 0 and self.starts[i] + self.widest >= min(address, nearest):
            start, end, name = self.entries[i]
            if address < end or start == end and start == nearest:
                names.add(name)
            i -= 1
        return names

    def stub(self, address, name):
        return (name.endswith("@plt") and name[:-4] in self.names
                and any(a <= address < b for a, b in self.stubs))


class Kallsyms:
    def __init__(self):
        names = collections.defaultdict(set)
        with open("/proc/kallsyms") as f:
            for line in f:
                address, kind, name = line.split()[:3]
                if kind in "tTwW":
                    names[int(address, 16)].add(name)
        self.names, self.starts = names, sorted(names)

    def covering(self, address):
        i = bisect.bisect_right(self.starts, address) - 1
        return self.names[self.starts[i]] if i >= 0 else set()


def perf_map(pid):
    """Lines of /tmp/perf-PID.map as (start, end, name)."""
    lines = []
    try:
        with open(f"/tmp/perf-{pid}.map", errors="replace") as f:
            for line in f:
                start, size, name = line.rstrip("\n").split(" ", 2)
                lines.append((int(start, 16), int(start, 16) + int(size, 16), name))
    except OSError:
        pass
    return lines


def elf_build_id(path):
    elf = outermost.Elf(path)
    for name, _, _, _, offset, size, *_ in elf.sections:
        if name == ".note.gnu.build-id":
            return elf.data[offset + 16:offset + size].hex()
    return ""


class Oracle:
    """What code is at an address, as the machine itself says; `read` is tidy() or bare()."""

    def __init__(self, read):
        self.read_name = read
        self.kernel, self.files, self.maps = Kallsyms(), {}, {}
        self.demangle = Demangler()

    def symbols(self, path, build_id):
        if path not in self.files:
            try:
                self.files[path] = self.read(path, build_id)
            except (OSError, outermost.Bad, ValueError, IndexError):
                self.files[path] = None
        return self.files[path]

    def read(self, path, build_id):
        """None where the file at the path is another one than was recorded."""
        if path == "[vdso]":
            return self.vdso()
        here = elf_build_id(path)
        if build_id and here != build_id:
            return None
        debug = f"/usr/lib/debug/.build-id/{here[:2]}/{here[2:]}.debug"
        return Symbols([path, debug] if here and os.path.exists(debug) else [path])

    @staticmethod
    def vdso():
        with open("/proc/self/maps") as f:
            line = next(x for x in f if x.rstrip().endswith("[vdso]"))
        start, end = (int(x, 16) for x in line.split()[0].split("-"))
        with open("/proc/self/mem", "rb", buffering=0) as f:
            f.seek(start)
            data = f.read(end - start)
        with tempfile.NamedTemporaryFile() as image:
            image.write(data)
            image.flush()
            return Symbols([image.name])

    def by_map(self, pid, address):
        if pid not in self.maps:
            self.maps[pid] = perf_map(pid)
        return {name for start, end, name in self.maps[pid] if start <= address < end}

    def is_right(self, frame, pid, anonymous=False):
        """True, False, or None where nobody can tell. A caller's address may be one too far."""
        if frame.name is None or frame.inlined:
            return None
        places = (frame.address,) if frame.exact else (frame.address, frame.address - 1)
        if anonymous:
            return any(frame.name in self.by_map(pid, a) for a in places)
        if frame.path == KERNEL:
            return any(frame.name in self.kernel.covering(a) for a in places)
        symbols = self.symbols(frame.path, frame.build_id)
        if not symbols or not symbols.entries:
            return None
        if frame.in_file:
            places = [symbols.elf.vaddr(a) or 0 for a in places]
        name = self.read_name(frame.name)
        return any(name in (self.read_name(self.demangle(x)) for x in symbols.covering(a)) or
                   symbols.stub(a, frame.name) for a in places)


class Count:
    """Frames of one kind, as one profiler named them."""

    def __init__(self):
        self.right = self.wrong = self.stacks = 0
        self.unknown = collections.Counter()  # by what it says instead
        self.examples = collections.Counter()
        self.leaves = collections.Counter()

    @property
    def frames(self):
        return self.right + self.wrong + sum(self.unknown.values())

    def mistake(self, sample, frames, what):
        self.wrong += sample.count * frames
        self.examples[what] += sample.count * frames


def matches(name, word):
    return bool(word.fullmatch(name)) if isinstance(word, re.Pattern) else name == word


def fits(names, chain):
    """Are names, where they are known, in the order of a chain?"""
    at = 0
    for name in filter(None, names):
        while at < len(chain) and not matches(name, chain[at]):
            at += 1
        if at == len(chain):
            return False
        at += 1
    return len(names) <= len(chain)


def is_neutral(kind, frame, sample, oracle):
    """Of the kind's file, and none of the functions that it is about: the C library's in a static
    program, a stub on the way to a library, what is inlined from headers. Not what is called as
    functions of these programs are."""
    if (frame.name is None or kind.by_address or kind.knows(tidy(frame.name), oracle.read_name)
            or frame.name.startswith(OURS) and not frame.name.endswith("@plt")):
        return False
    return (frame.name in START_FILES or frame.inlined
            or oracle.is_right(frame, sample.pid) is True)


BLANKS = re.compile(r"> (?=>)")
HASHES = re.compile(r"\[[0-9a-f]{16}\]|::h[0-9a-f]{16}$")


def tidy(name):
    """Readable names differ in where they have blanks (C++), and in hashes (Rust)."""
    return HASHES.sub("", BLANKS.sub(">", name)) if name else name


def bare(name):
    """The same without what a function returns and takes, as perf has it."""
    name, depth, start, at = tidy(name), 0, 0, 0
    while name and at < len(name):
        if name.startswith(("(anonymous namespace)", "operator()"), at):
            at = name.index(")", at) + 1
            continue
        depth += {"<": 1, ">": -1}.get(name[at], 0)
        if name[at] == "(" and depth == 0:
            return name[start:at]
        if name[at] == " " and depth == 0:
            start = at + 1
        at += 1
    return name


def judge(kind, sample, oracle, count):
    """Counts the frames of one sample."""
    own = []
    for frame in reversed(sample.frames):
        if kind.owns(frame) or kind.is_context(frame):
            own.append(frame)
        elif oracle.is_right(frame, sample.pid) is False:
            count.mistake(sample, 1, f"{frame.name} in {frame.path}+{frame.address:#x}")
    own = [f for f in own if not is_neutral(kind, f, sample, oracle)]
    if not any(kind.owns(f) for f in own):
        return
    count.stacks += sample.count
    if kind.by_address:
        return judge_addresses(kind, sample, own, oracle, count)
    names = [oracle.read_name(f.name) for f in own]
    known = [f for f in own if f.name is not None and kind.owns(f)]
    for frame in own:
        if frame.name is None:
            count.unknown[frame.why] += sample.count
    bad = kind.misplaced(sample, names)
    if bad or not any(fits(names, c) for c in kind.chains_as(oracle.read_name)):
        words = [sample.process, bad, *(n or "?" for n in names)]
        count.mistake(sample, len(known), " ".join(words))
        return
    wrong_lines = kind.wrong_lines(own)
    if wrong_lines:
        count.mistake(sample, len(wrong_lines), f"line {wrong_lines[0]}")
    count.right += sample.count * (len(known) - len(wrong_lines))
    if kind.owns(leaf_of(kind, sample)):
        count.leaves[names[-1]] += sample.count


def leaf_of(kind, sample):
    """The innermost frame, not counting what the kernel did meanwhile."""
    return next((f for f in sample.frames if kind.owns(f) or f.path != KERNEL), sample.frames[0])


def judge_addresses(kind, sample, own, oracle, count):
    for frame in own:
        right = oracle.is_right(frame, sample.pid, kind.by_address == "map")
        if frame.name is None:
            count.unknown[frame.why] += sample.count
        elif right is False:
            count.mistake(sample, 1, f"{frame.name} at {frame.path}+{frame.address:#x}")
        else:
            count.right += sample.count
    leaf = leaf_of(kind, sample)
    if kind.owns(leaf):
        count.leaves[leaf.name] += sample.count
