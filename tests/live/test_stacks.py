# SPDX-License-Identifier: Apache-2.0
"""Whole stacks without frame pointers: the programs in tests/live/stacks, whose chains are known.

A stack is read from its outermost frame to the leaf as a row of words: functions of the program by
name, `lib` for any number of frames in a row that are in the C library, the dynamic linker, the
vDSO or another library that is not ours, `jit` for code without a file. It is right when

  - its outermost frame is where a stack begins, by the rule in bench/outermost.py, and
  - the row is one of the program's chains, or one cut short at the leaf's end (a sample in
    middle() before it calls inner()), perhaps with `lib` there (what middle() calls in libc).

Names are looked up here, in the symbol tables of the programs, of those that are stripped in that
of their twin: nothing of the profiler's own looking up is in between.
"""
import collections
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

import stream
from harness import HERE, check, check_share, equal, test

sys.path.insert(0, os.path.join(HERE, "../../bench"))

import outermost  # noqa: E402

# A program's start, some ten milliseconds until its tables are loaded, has to be a small part of it.
HZ, SECONDS = 997, 1.2
RIGHT = 0.99        # of a program's samples, at least
ARM64 = platform.machine() == "aarch64"
# Where libgcc switches to a handler of an exception, the return address is the handler's already and
# the stack still the thrower's: for these few instructions no table tells who called. arm64 has more
# registers to restore there.
RIGHT_OF = {"throws": 0.80 if ARM64 else 0.98}
NEARLY = 0.97       # of one that runs for a moment only
KNOWN_FRAMES = 256  # that a stack may have, at least, before it is cut

# A chain from main() on, with its part of the work; one dict for each set of parts that make a
# whole. The parts of the chains in UNKNOWN are the kernel's or a library's to say.
Program = collections.namedtuple("Program", "shares unknown twin options")
FILES = outermost.Files()

# What the compiler links into every program and library.
START_FILES = {"_init", "_fini", "frame_dummy", "register_tm_clones", "deregister_tm_clones",
               "__do_global_dtors_aux"}


def program(*shares, unknown=(), twin=None, options=()):
    return Program(shares, ("main loops_for_ns", *unknown), twin, list(options))


def plain(twin=None):
    return program({"main outer hot": 3, "main outer middle inner": 1}, twin=twin)


def frames():
    return program({"main variable in_variable": 1, "main huge in_huge": 1,
                    "main aligned in_aligned": 1}, unknown=["main variable use", "main huge use",
                                                            "main aligned use"])


def signals():
    return program({"main ask lib on_signal in_handler": 1,
                    "main ask lib on_other_stack in_other_stack": 1,
                    "main stumble fault lib on_fault in_fault": 1})


PROGRAMS = {
    "plain": plain(),
    "plain_o3": plain(),
    "plain_fixed": plain(),
    "plain_static": plain(),
    "plain_staticpie": plain(),
    "plain_strip": plain(twin="plain"),
    "plain_o3_strip": plain(twin="plain_o3"),
    "static_strip": plain(twin="plain_static"),
    "told": plain(),
    "told_apart": plain(twin="told"),
    "told_packed": plain(twin="told"),
    "frames": frames(),
    "frames_o3": frames(),
    "tail": program({"main last": 1, "main called": 1}, unknown=["main first", "main second"]),
    "jumps": program({"main jump run_up leap before_jump": 1, "main jump after_jump": 1}),
    "throws": program({"main catcher guarded passing thrower before_throw": 1,
                       "main catcher guarded in_cleanup": 1, "main catcher after_catch": 1},
                      unknown=["main now"]),
    "signals": signals(),
    "signals_static": signals(),
    "timer": program(unknown=["main busy brief lib on_tick in_tick",
                              "main busy lib on_tick in_tick", "main lib on_tick in_tick"]),
    "vforks": program({"main spawn in_child": 1, "main spawn in_parent": 1}),
    "pool": program({"thread serve in_thread": 1}, unknown=["main"]),
    "late": program({"main library_enter in_library": 1, "main library_enter called_back": 1},
                    unknown=["main without_library"]),
    "deep": program({"main" + 240 * " descend" + " bottom": 1}, options=["--depth", "240"]),
    "sorts": program({"main sort lib compare_sorting in_sort": 3,
                      "main search lib compare_searching in_search": 1},
                     unknown=["main sort lib compare_sorting difference",
                              "main search lib compare_searching difference"]),
    "calls": program(unknown=["main read_zeros lib", "main write_some lib", "main ask_much lib"]),
    "jit": program(unknown=["main enter jit callback in_callback", "main enter jit"]),
    "plt": program(unknown=["main call_bound tiny_0", "main call_unbound lib",
                            "main call_unbound call_all tiny"]),
}


class Truth:
    """A program's chains, and what a stack of it comes to."""

    def __init__(self, env, name):
        p = PROGRAMS[name]
        self.folder = os.path.join(env.build, "stacks") + "/"
        self.twin = {self.folder + name: self.folder + p.twin} if p.twin else {}
        self.static = FILES.get(self.folder + name).is_static()
        chains = [c for shares in p.shares for c in shares] + list(p.unknown)
        self.names = set(" ".join(chains).split()) - {"lib", "jit"} | {"_start"}
        self.chains = [self.start(c) + tuple(c.split()) for c in chains]
        self.leaves = [(dict((c.split()[-1], n) for c, n in shares.items())) for shares in p.shares]

    @staticmethod
    def start(chain):
        return ("_start", "lib") if chain.startswith("main") else ("lib",)

    def word(self, frame, exact):
        if frame.kind == "ANON":
            return "jit"
        if frame.kind == "VDSO" or frame.kind == "FILE" and not frame.path.startswith(self.folder):
            return "lib"
        if frame.kind != "FILE":
            return "?"
        # A return address may be the first byte after a function that does not return.
        at = frame.offset if exact else frame.offset - 1
        name = FILES.name(self.twin.get(frame.path, frame.path), at).removesuffix(".cold")
        if name.startswith("tiny_") and "tiny" in self.names:
            return name if name in self.names else "tiny"
        if name in self.names:
            return name
        return "lib" if self.static or name.startswith("[.plt") or name in START_FILES else name

    def words(self, sample):
        """A stack as a row of words, the outermost first."""
        words, exact = [], True  # the leaf, and where a signal came, are no return addresses
        for frame in sample.user:
            word = self.word(frame, exact)
            exact = (FILES.signal_frame(frame.path, frame.offset) if frame.kind == "FILE" else
                     # On arm64 handlers return through the vDSO.
                     frame.kind == "VDSO" and ARM64)
            if word != "lib" or words[-1:] != ["lib"]:
                words.append(word)
        return tuple(reversed(words))

    def known(self, words):
        """Is this a chain, or the beginning of one, perhaps with a library called at its end?"""
        rows = [words, words[:-1]] if words[-1] == "lib" else [words]
        return any(row == chain[:len(row)] for row in rows for chain in self.chains)


def begins(frame):
    return frame.kind == "FILE" and FILES.begins_at(frame.path, frame.offset)


def has_stack(sample, env):
    """Had it a stack to be walked, of the program and not of the recorder that starts it?"""
    if any(f.path == env.bin("profiler") for f in sample.user):
        return False
    return not any(outermost.NO_STACK.search(f.function) for f in sample.kernel)


def show(truth, sample):
    words = truth.words(sample)
    text = " ".join(words if len(words) < 16 else words[:6] + ("...",) + words[-6:]) or "nothing"
    if sample.user:
        first = sample.user[-1]
        text += f" [{len(sample.user)} frames from {os.path.basename(first.path) or first.kind}" \
                f"+{first.offset:#x}]"
    return text


def hold(env, name, samples, shares=True, right=RIGHT):
    """Holds the samples of one program against its truth."""
    truth = Truth(env, name)
    samples = [x for x in samples if x.process == name[:15] and has_stack(x, env)]
    check(len(samples) >= 100, f"{name}: only {len(samples)} samples")
    short = [x for x in samples if not x.user or not begins(x.user[-1])]
    wrong = [x for x in samples if x.user and begins(x.user[-1])
             and not truth.known(truth.words(x))]
    bad = collections.Counter(show(truth, x) for x in short + wrong)
    examples = "".join(f"\n      {n:5} {text}" for text, n in bad.most_common(6))
    check(len(short) + len(wrong) <= (1 - right) * len(samples),
          f"{name}: of {len(samples)} stacks {len(short)} are not whole and {len(wrong)} are whole "
          f"but wrong:{examples}")
    hits = collections.Counter(truth.words(x)[-1] for x in samples if x.user)
    for parts in truth.leaves if shares else ():
        count = sum(hits[leaf] for leaf in parts)
        for leaf, part in parts.items():
            if len(parts) > 1:
                check_share(hits[leaf], count, part / sum(parts.values()), f"{name}: {leaf}")
    return truth, samples, len(short) + len(wrong)


def record(env, name, *options):
    argv = [os.path.join(env.build, "stacks", name), "-d", str(SECONDS), *options]
    result, s = env.recorded("--hz", str(HZ), "--", *argv)
    return result, s.samples


def add(name):
    def whole(env):
        _, samples = record(env, name, *PROGRAMS[name].options)
        truth, samples, _ = hold(env, name, samples, right=RIGHT_OF.get(name, RIGHT))
        EXTRA.get(name, lambda *_: None)(truth, samples)
    whole.__name__ = name
    test(whole)


# What a program is there to show has to have been seen.

def in_kernel(_truth, samples):
    inside = sum(bool(x.flags & stream.IN_KERNEL) for x in samples)
    check(inside > len(samples) / 4, f"only {inside} of {len(samples)} in the kernel")


def in_resolver(truth, samples):
    rows = collections.Counter(truth.words(x) for x in samples)
    lazy = rows["_start", "lib", "main", "call_unbound", "call_all", "lib"]
    table = sum(n for row, n in rows.items() if row[-2:] == ("call_bound", "lib"))
    check(lazy >= 20, f"only {lazy} samples in the resolver")
    check(table >= 5, f"only {table} samples in the linkage table")


def in_jit(truth, samples):
    words = [truth.words(x) for x in samples]
    leaves = collections.Counter(w[-1] for w in words if w)  # a sample of the start may have none
    check(leaves["jit"] > 50 and leaves["in_callback"] > 50, f"leaves: {leaves}")


def in_ticks(truth, samples):
    ticks = [row for row in map(truth.words, samples) if "on_tick" in row]
    check(len(ticks) > 20, f"only {len(ticks)} samples in a handler")
    check(any("brief" in row for row in ticks), "no handler was seen above brief()")


def in_runtime(truth, samples):
    lib = sum(truth.words(x)[-1] == "lib" for x in samples)
    check(lib > 50, f"only {lib} samples in the C++ library")


EXTRA = {"calls": in_kernel, "plt": in_resolver, "jit": in_jit, "timer": in_ticks,
         "throws": in_runtime}

for _name in PROGRAMS:
    add(_name)


@test
def deep_300(env):
    """300 frames are whole, or cut at a limit of 256 or more, the innermost kept, and say so."""
    _, samples = record(env, "deep", "--depth", "300")
    truth, lengths = Truth(env, "deep"), set()
    samples = [x for x in samples if x.user and truth.words(x)[-1] == "bottom"]
    check(len(samples) > 100, f"only {len(samples)} samples in bottom()")
    for x in samples:
        words, cut = truth.words(x), bool(x.flags & stream.USER_TRUNCATED)
        check(not cut or len(x.user) >= KNOWN_FRAMES, f"cut at {len(x.user)} frames")
        whole = words == ("_start", "lib", "main") + 300 * ("descend",) + ("bottom",)
        inner = set(words[:-1]) == {"descend"}
        check(inner if cut else whole, f"{'cut' if cut else 'not cut'}: {show(truth, x)}")
        lengths.add(len(x.user))
    equal(len(lengths), 1, "different lengths")


@test
def plain_bare(env):
    """Without any unwind information a stack ends early; it has no frame that is not there."""
    _, samples = record(env, "plain_bare")
    PROGRAMS["plain_bare"] = plain(twin="untold")
    truth = Truth(env, "plain_bare")
    del PROGRAMS["plain_bare"]
    samples = [x for x in samples if x.process == "plain_bare" and has_stack(x, env) and x.user]
    check(len(samples) >= 100, f"only {len(samples)} samples")
    invented = collections.Counter()
    for x in samples:
        # The outermost frame says that and why callers are missing; it is none of theirs.
        words = truth.words(x._replace(user=[f for f in x.user if f.kind != "MISSING"]))
        # From the leaf on, all of it lies in a chain one after the other: nothing in between.
        if not any(chain[i:i + len(words)] == words for chain in truth.chains
                   for i in range(len(chain))) and not truth.known(words):
            invented[show(truth, x)] += 1
    check(sum(invented.values()) <= (1 - RIGHT) * len(samples),
          f"{sum(invented.values())} of {len(samples)} stacks have frames that are not there: "
          f"{invented.most_common(4)}")


@test
def whole_machine(env):
    """The same with -a: all programs one after the other in one recording.

    Each runs for a moment only, and a good part of that is its start, when its tables are not
    loaded yet: so they are right together, and each nearly.
    """
    folder = os.path.join(env.build, "stacks")
    script = ";".join(f"{folder}/{n} -d 0.3 {' '.join(p.options)}" for n, p in PROGRAMS.items())
    _, s = env.recorded("--hz", str(HZ), "-a", "--", "sh", "-c", script)
    failures, total, bad = [], 0, 0
    for name in PROGRAMS:
        try:
            _, samples, not_right = hold(env, name, s.samples, shares=False, right=NEARLY)
            total, bad = total + len(samples), bad + not_right
        except Exception as failure:  # all of them, not the first alone
            failures.append(str(failure))
    check(not failures, f"{len(failures)} of {len(PROGRAMS)} programs: " + "\n".join(failures))
    check(bad <= (1 - RIGHT) * total, f"{bad} of {total} stacks are not whole and right")


@test
def names(env):
    """profiler-folded has the same chain with its names, from _start on."""
    result, _ = record(env, "plain")
    stacks = [(f, n) for _, f, n in env.folded(result.path) if f[-1] in ("hot", "inner")]
    total = sum(n for _, n in stacks)
    check(total >= 100, f"only {total} samples in hot() and inner()")
    whole = sum(n for f, n in stacks if f[0] == "_start" and
                f[f.index("main"):] in (["main", "outer", "hot"],
                                        ["main", "outer", "middle", "inner"]))
    check(whole >= RIGHT * total, f"{whole} of {total} are whole, others: {stacks[:3]}")


def every_snapshot(env, name):
    """--call-graph dwarf walks each stack from a copy; the same chains, nothing by tables."""
    argv = [os.path.join(env.build, "stacks", name), "-d", "0.5"]
    _, s = env.recorded("--hz", str(HZ), "--call-graph", "dwarf,65536", "--", *argv)
    hold(env, name, s.samples, shares=False, right=NEARLY)
    equal({how for how, _ in s.final.stacks}, {"SNAPSHOT"}, "how stacks were walked")


@test
def every_snapshot_plain(env):
    every_snapshot(env, "plain")


@test
def every_snapshot_debug_file(env):
    """With no table but a separate debug file's .debug_frame, which libunwind does not read."""
    every_snapshot(env, "told_packed")


@test
def every_snapshot_both(env):
    """And where .eh_frame has the start-up files only."""
    every_snapshot(env, "told_apart")


@test
def debug_file_of_another(env):
    """A debug file that is not the program's is not used: stacks are short, not wrong."""
    name, other = env.path("told_packed"), env.path("told_packed.debug")
    shutil.copy(os.path.join(env.build, "stacks", "told_packed"), name)
    shutil.copy(os.path.join(env.build, "stacks/.debug/told_apart.debug"), other)
    for right in (False, True):
        result, s = env.recorded("--hz", str(HZ), "--", name, "-d", "0.5")
        samples = [x for x in s.samples if x.process == "told_packed" and has_stack(x, env)]
        check(len(samples) >= 100, f"only {len(samples)} samples")
        whole = sum(bool(x.user) and begins(x.user[-1]) for x in samples)
        check(whole >= NEARLY * len(samples) if right else whole < len(samples) / 2,
              f"{whole} of {len(samples)} are whole")
        shutil.copy(os.path.join(env.build, "stacks/.debug/told_packed.debug"), other)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        own = f.read().split()
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as f:
            own += f.read().split()
    return {int(p) for p in own}


@test
def jail_killed(env):
    """The jail dies again and again: that costs stacks, never the run or a sample."""
    child = env.recorder("-a", "-q", "--hz", str(HZ), "-d", "2.5", "-o", env.path("x.prof"))
    env.running(child)
    killed = set()
    while child.poll() is None:
        env.spawn([os.path.join(env.build, "stacks", "plain"), "-d", "0.05"])
        for pid in children(child.pid):
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.1)
    result = env.finish(child)
    equal(result.code, 0, f"exit code ({result.stderr})")
    equal(result.stderr, "", "what was said")
    check(len(killed) >= 3, f"only {len(killed)} jails died")
    stream.check(stream.read(env.path("x.prof")))


@test
def no_jail(env):
    """Without profiler-jail beside it the recorder says so, once, and goes on."""
    lonely = env.path("profiler")
    shutil.copy(env.bin("profiler"), lonely)
    result = env.finish(env.spawn([lonely, "--hz", str(HZ), "-o", env.path("x.prof"), "--",
                                   os.path.join(env.build, "stacks", "plain"), "-d", "0.3"],
                                  stderr=subprocess.PIPE))
    equal(result.code, 0, f"exit code ({result.stderr})")
    said = [line for line in result.stderr.split("\n") if "profiler-jail" in line]
    equal(len(said), 1, f"lines about the jail in {result.stderr!r}")
    s = stream.read(env.path("x.prof"))
    stream.check(s)
    check(len(s.samples) > 100, f"only {len(s.samples)} samples")
