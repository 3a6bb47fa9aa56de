# SPDX-License-Identifier: Apache-2.0
"""kinds.py - the kinds of code, the programs that have it, and what is true of them.

Each kind is a program of its own name, which is what its samples are told by. What has to be done
to a file first (stripped, put below another root) is done anew for each run, in a folder for it.
"""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DEBUG_DIR = "debug"  # in the run's folder, for the tools' --debug-dir

ALL = 0.99   # of the frames are right; the rest is a program's first milliseconds
MOST = 0.90  # of programs that live for a moment only, and of those whose code is being changed


class Lacking(Exception):
    """Something that a kind needs is not installed here."""


def sh(*argv, **options):
    subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.DEVNULL, **options)


class Run:
    """The folder of one run, and the lines of the script that a profiler runs."""

    def __init__(self, build, folder, seconds):
        self.built = os.path.join(os.path.abspath(build), "names")
        self.folder, self.seconds = folder, seconds
        os.makedirs(self.path(DEBUG_DIR))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def copy(self, name, program, folder=""):
        """A copy of a program by another name, with its section headers and symbols."""
        os.makedirs(self.path(folder), exist_ok=True)
        return shutil.copy(os.path.join(self.built, program), self.path(folder, name))

    def tool(self, name):
        return os.path.join(self.built, name)


class Kind:
    """
    title      what the table says
    process    names of its processes
    files      regular expression of the paths of its frames
    context    the same, of frames that tell which chain it is, and are not counted
    chains     rows of names, from the outermost on; each is a text, or a regular expression
    shares     {name: part} of the stacks' leaves, if known
    by_address "file", "kernel" or "map": the machine says which names are right
    least      part of the frames that has to have the right name
    expected   why the frames cannot have names; none is right then
    changing   other code takes its place all the time; one for --long
    setup      makes what is needed in a Run, and returns a line of shell
    """

    def __init__(self, title, process, setup, chains=(), files=None, context=None, shares=None,
                 by_address=None, least=ALL, expected=None, leaves=None, lines=None,
                 changing=False):
        self.title = title
        self.processes = (process,) if isinstance(process, str) else tuple(process)
        self.name = self.processes[0]
        self.setup, self.shares, self.by_address = setup, shares, by_address
        self.chains = [c.split() if isinstance(c, str) else c for c in chains]
        self.files = re.compile(files or rf".*/({'|'.join(self.processes)})( \(deleted\))?")
        self.context = re.compile(context or "(?!)")
        self.least, self.expected, self.leaves = least, expected, leaves
        self.lines, self.changing, self.read_chains = lines, changing, {}

    def is_sample(self, sample):
        return sample.process in self.processes

    def owns(self, frame):
        return bool(self.files.fullmatch(frame.path))

    def is_context(self, frame):
        return bool(self.context.fullmatch(frame.path)) and self.knows(frame.name or "")

    def chains_as(self, read):
        """The chains with their names as a profiler's names are read."""
        if read not in self.read_chains:
            self.read_chains[read] = [[read(w) if isinstance(w, str) else w for w in c]
                                      for c in self.chains]
        return self.read_chains[read]

    def knows(self, name, read=str):
        return any(read(name) == word or isinstance(word, re.Pattern) and word.fullmatch(name)
                   for chain in self.chains_as(read) for word in chain)

    def misplaced(self, sample, names):
        """What is wrong with names although they are in a chain; "" for nothing."""
        return ""

    def wrong_lines(self, frames):
        return self.lines.wrong(frames) if self.lines else []

    def prepare(self, run):
        return self.setup(run)


class OnCpu(Kind):
    """Two programs, each on a CPU of its own, with their functions at the same addresses."""

    def misplaced(self, sample, names):
        return misplaced(enumerate(self.processes), sample.cpu, names, f"on CPU {sample.cpu}:")


class ByProcess(Kind):
    """Two programs, each with functions of its own."""

    def __init__(self, title, prefixes, *args, **options):
        super().__init__(title, tuple(prefixes), *args, **options)
        self.prefixes = prefixes

    def misplaced(self, sample, names):
        return misplaced(self.prefixes.items(), sample.process, names, "in another process:")


def misplaced(prefixes, place, names, what):
    """Is one of the names of a place that is not this one?"""
    for other, prefix in prefixes:
        if place != other and any(n and n.startswith(prefix + "_") for n in names):
            return what
    return ""


class Lines:
    """Lines of a source file where its functions are, and where they call an inlined one."""

    def __init__(self, path):
        self.base, self.of, self.calls = os.path.basename(path), {}, {}
        name = None
        with open(path) as f:
            for number, line in enumerate(f, 1):
                head = re.match(r"(?:static|int)\b.*?(\w+)\(", line)
                name = head[1] if head else name
                self.of.setdefault(name, set()).add(number)
                call = re.search(r"/\* calls (\w+) \*/", line)
                if call:
                    self.calls[call[1]] = number
                if line.startswith("}"):
                    name = None

    def wrong(self, frames):
        """Of frames from the outermost on: those with a line that is none of the function's."""
        bad = []
        for frame, inner in zip(frames, frames[1:] + [None]):
            if frame.line is None or frame.name not in self.of:
                continue
            path, number = frame.line
            allowed = self.of[frame.name]
            if inner and inner.inlined and inner.name in self.calls:
                allowed = {self.calls[inner.name]}
            if os.path.basename(path) != self.base or number not in allowed:
                bad.append((frame.name, path, number))
        return bad


def chain(prefix, before="main"):
    return [f"{before} {prefix}_outer {prefix}_hot",
            f"{before} {prefix}_outer {prefix}_middle {prefix}_inner"]


def shares(prefix):
    return {f"{prefix}_hot": 3, f"{prefix}_inner": 1}


# Setting up

def plain(name, program, *objcopy):
    def setup(run):
        path = run.copy(name, program)
        if objcopy:
            sh("objcopy", *objcopy, path)
        return f"{path} -d {run.seconds}"
    return setup


def dynsym(run):
    host = run.copy("c_dynsym", "plugins")
    library = run.copy("libdynsym.so", "plugin_a.so")
    sh("strip", "--strip-all", library)
    return f"{host} {run.seconds} {library}"


def minidebug(run):
    """The symbol table alone, compressed, in a section of the stripped program."""
    if not shutil.which("xz"):
        raise Lacking("xz is not installed")
    path, table = run.copy("c_minidebug", "steady"), run.path("c_minidebug.table")
    sh("objcopy", "--only-keep-debug", path, table)
    sh("strip", "--strip-all", path)
    sh("xz", "--force", table)
    sh("objcopy", "--add-section", f".gnu_debugdata={table}.xz", path)
    return f"{path} -d {run.seconds}"


def build_id(path):
    text = subprocess.run(["readelf", "-n", path], capture_output=True, text=True).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", text)[1]


def debug_by_id(run):
    path = run.copy("c_debugid", "steady")
    number = build_id(path)
    os.makedirs(run.path(DEBUG_DIR, ".build-id", number[:2]), exist_ok=True)
    sh("objcopy", "--only-keep-debug", path,
       run.path(DEBUG_DIR, ".build-id", number[:2], number[2:] + ".debug"))
    sh("strip", "--strip-all", path)
    return f"{path} -d {run.seconds}"


def debug_by_link(run):
    path, debug = run.copy("c_debuglink", "steady"), run.path(".debug", "c_debuglink.debug")
    os.makedirs(run.path(".debug"), exist_ok=True)
    sh("objcopy", "--only-keep-debug", path, debug)
    sh("strip", "--strip-all", path)
    sh("objcopy", f"--add-gnu-debuglink={debug}", path)
    return f"{path} -d {run.seconds}"


def stubs(run):
    run.copy("libstubs.so", "libstubs.so")
    return f"{run.copy('plt_stubs', 'stubs')} -d {run.seconds}"


def jit(name, mode, times=1):
    def setup(run):
        return f"{run.copy(name, 'handjit')} {times * run.seconds} {mode} {run.folder}"
    return setup


def new_root(run):
    """A root with another library at the path of one outside."""
    root = run.path("root")
    inside = run.copy("chroot_in", "plugins", "root")
    for line in subprocess.run(["ldd", inside], capture_output=True, text=True).stdout.split("\n"):
        path = re.search(r"(/\S+) \(", line)
        if path:
            os.makedirs(os.path.dirname(root + path[1]), exist_ok=True)
            shutil.copy(path[1], root + path[1])
    outside = run.copy("chroot_out", "plugins")
    library = run.copy("libsame.so", "plugin_a.so")
    os.makedirs(os.path.dirname(root + library))
    shutil.copy(run.tool("plugin_b.so"), root + library)
    half = run.seconds / 2
    return (f"{outside} {half} {library}; "
            f"{run.tool('launch')} chroot {root} /chroot_in {half} {library}")


def deleted(run):
    return f"{run.tool('launch')} deleted {run.copy('c_deleted', 'steady')} -d {run.seconds}"


def replaced(run):
    path, other = run.copy("c_replaced", "steady"), run.copy("c_other", "other")
    return f"{run.tool('launch')} replaced {other} {path} -d {run.seconds}"


def memfd(run):
    return f"{run.tool('launch')} memfd {run.copy('c_memfd', 'steady')} -d {run.seconds}"


def brief(run):
    programs = [run.copy(n, n) for n in ("brief_a", "brief_b")]
    return f"{run.tool('brief')} {run.seconds} 5 {' '.join(programs)}"


def turns(run):
    host = run.copy("dl_turns", "plugins")
    return (f"{host} {run.seconds} {run.copy('turn_a.so', 'plugin_a.so')} "
            f"{run.copy('turn_b.so', 'plugin_b.so')} 20")


def two_cpus():
    if len(os.sched_getaffinity(0)) < 2:
        raise Lacking("needs two CPUs")


def pid_reuse(run):
    two_cpus()
    return (f"{run.tool('reuse')} {run.seconds} 5 {run.copy('reuse_a', 'reuse_a')} "
            f"{run.copy('reuse_b', 'reuse_b')}")


def storm(run):
    two_cpus()
    now = f"{sys.executable} -c 'import time; print(int(time.monotonic_ns() + {run.seconds}e9))'"
    return (f"{run.copy('storm_a', 'storm_a')} $({now}) 10 0 "
            f"{run.copy('storm_b', 'storm_b')}")


def node(run):
    if not shutil.which("node"):
        raise Lacking("node is not installed")
    return f"node --perf-basic-prof {HERE}/hot_names.js {run.seconds + 0.5}"


def java(run):
    if not all(map(shutil.which, ("java", "javac", "jcmd"))):
        raise Lacking("no JDK (java, javac, jcmd) is installed")
    sh("javac", "-d", run.folder, f"{HERE}/HotNames.java")
    return (f"java -XX:+PreserveFramePointer -cp {run.folder} HotNames {run.seconds + 1.5} & "
            f"pid=$!; sleep 1; jcmd $pid Compiler.perfmap; wait $pid")


def rust(name, *options):
    def setup(run):
        rustc = shutil.which("rustc") or os.path.expanduser("~/.cargo/bin/rustc")
        if not os.access(rustc, os.X_OK):
            raise Lacking("rustc is not installed")
        path = run.path(name)
        sh(rustc, "-O", "-C", "force-frame-pointers=yes", *options, "-o", path,
           f"{HERE}/hot_names.rs", stderr=subprocess.DEVNULL)
        return f"{path} -d {run.seconds}"
    return setup


BOX, PAIRS = "shapes::box<int>", "shapes::box<std::pair<int, double>>"
SPIN = "shapes::spin(unsigned long)"
SHAPES = [["main", f"{BOX}::measure(unsigned long) const", SPIN],
          ["main", f"{PAIRS}::operator()(unsigned long) const", SPIN],
          ["main", "shapes::churn(int, unsigned long)", SPIN],
          ["main", "shapes::churn(std::pair<int, double> const&, unsigned long)", SPIN],
          ["main", f"void shapes::twice<{BOX}>({BOX} const&, unsigned long)",
           f"{BOX}::operator()(unsigned long) const", SPIN]]

CUBE = re.compile(r"<hot_names::Cube<(\w+|T)> as hot_names::Churn>::churn")
RUST = [["hot_names::main", re.compile(r"hot_names::twice.*"), CUBE]]
HOT = re.compile(r".*\bhot(Leaf|Outer)\b.*")
ANON = r"//anon|\[anon.*\]|/tmp/perf-\d+\.map|\[unknown\]|/dev/zero.*|\[heap\]|.*jit-\d+.dump|" \
       r".*/jitted-\d+-\d+\.so"
TURNS = chain("plugin_a", "host_first plugin_enter") + chain("plugin_b", "host_second plugin_enter")
JIT = ["phase_first jit_first", "phase_second jit_second", "phase_moved jit_first"]


def jit_kind(name, title, mode, times=1, **options):
    return Kind(title, name, jit(name, mode, times), JIT, files=ANON, context=rf".*/{name}",
                **options)


KINDS = [
    Kind("C, .symtab", "c_symtab", plain("c_symtab", "steady"), chain("steady"),
         shares=shares("steady")),
    Kind("library, .dynsym only", "c_dynsym", dynsym, chain("plugin_a", "plugin_enter"),
         files=r".*/libdynsym\.so", shares=shares("plugin_a")),
    Kind("stripped, MiniDebugInfo", "c_minidebug", minidebug, chain("steady"),
         shares=shares("steady")),
    Kind("stripped, debug file by build id", "c_debugid", debug_by_id, chain("steady"),
         shares=shares("steady")),
    Kind("stripped, debug file by link", "c_debuglink", debug_by_link, chain("steady"),
         shares=shares("steady")),
    Kind("stripped, nothing left", "c_bare", plain("c_bare", "other", "--strip-all"),
         chain("other"), expected="no symbol"),
    Kind("static", "c_static", plain("c_static", "steady_static"), chain("steady"),
         shares=shares("steady")),
    Kind("static-pie", "c_static_pie", plain("c_static_pie", "steady_static_pie"),
         chain("steady"), shares=shares("steady")),
    Kind("stubs (PLT)", "plt_stubs", stubs,
         ["main call_stubs stub_one@plt", "main call_stubs stub_two@plt"],
         leaves=[re.compile("stub_(one|two)@plt")]),
    Kind("faults at a first instruction", "faults_first", plain("faults_first", "faults_first"),
         ["main touch_pages faults_here"], leaves=["faults_here"]),
    Kind("C++, templates and overloads", "cpp_names", plain("cpp_names", "shapes"), SHAPES),
    Kind("inlined two deep, file and line", "c_inlined", plain("c_inlined", "inlines"),
         ["main inline_outer inline_middle inline_leaf"],
         leaves=["inline_leaf"], lines=Lines(os.path.join(HERE, "inlines.c"))),
    Kind("Rust, mangling by default", "rust_names", rust("rust_names"), RUST),
    Kind("Rust, v0 mangling", "rust_v0", rust("rust_v0", "-C", "symbol-mangling-version=v0"), RUST),
    Kind("kernel", "kernel_calls", plain("kernel_calls", "calls_kernel"),
         files=r"\[kernel\.kallsyms\]", by_address="kernel"),
    Kind("BPF program", "bpf_busy", plain("bpf_busy", "busy_bpf"),
         [[re.compile("bpf_prog_[0-9a-f]{16}_names_busy")]],
         files=r"\[bpf\]|bpf_prog_.*"),
    Kind("vDSO", "vdso_clock", plain("vdso_clock", "clock_vdso"), files=r"\[vdso\]",
         by_address="file"),
    jit_kind("jit_map", "JIT, perf map", "map", shares={"jit_first": 1, "jit_second": 1}),
    jit_kind("jit_map_0x", "JIT, perf map with 0x", "map-0x"),
    jit_kind("jit_late", "JIT, map written late", "late", least=0.4),
    # While code changes it has no name, for half a second or so.
    jit_kind("jit_moved", "JIT, code moved, place reused", "moved", times=3, least=0.5),
    jit_kind("jit_reused", "JIT, other code in its place", "reused", times=3, least=0.5),
    jit_kind("jit_remapped", "JIT, memory given back and reused", "remapped", times=3, least=0.5),
    jit_kind("jit_dump", "JIT, jitdump", "dump"),
    jit_kind("jit_none", "JIT, no map", "none", expected="no map"),
    Kind("JIT, node --perf-basic-prof", "node", node, files=ANON, by_address="map",
         leaves=[HOT], least=MOST),
    Kind("JIT, OpenJDK with jcmd Compiler.perfmap", "java", java, files=ANON, by_address="map",
         leaves=[HOT], least=0.5),
    ByProcess("chroot, another library at a path",
              {"chroot_out": "plugin_a", "chroot_in": "plugin_b"}, new_root,
              ["plugin_enter " + c.split(" ", 1)[1]
               for c in chain("plugin_a") + chain("plugin_b")], files=r".*/libsame\.so"),
    Kind("file deleted while it runs", "c_deleted", deleted, chain("steady"),
         shares=shares("steady")),
    Kind("file replaced by another build", "c_replaced", replaced, chain("steady"),
         files=r".*/c_(replaced|other)( \(deleted\))?"),
    Kind("run from memory (memfd)", ("memfd:in_memory", "in_memory", "3", "4", "5"), memfd,
         chain("steady"), files=r"/memfd:in_memory.*"),
    ByProcess("processes of 5 ms", {"brief_a": "brief_a", "brief_b": "brief_b"}, brief,
              chain("brief_a") + chain("brief_b"), least=MOST),
    Kind("dlopen and dlclose at one address", "dl_turns", turns, TURNS, least=MOST, changing=True,
         files=r".*/turn_[ab]\.so( \(deleted\))?", context=r".*/dl_turns"),
    OnCpu("pid reused by another program", ("reuse_a", "reuse_b"), pid_reuse,
          chain("reuse_a") + chain("reuse_b"), least=MOST, changing=True),
    OnCpu("exec in a storm of threads", ("storm_a", "storm_b"), storm,
          [f"{f} {c.split(' ', 1)[1]}" for f in ("main worker", "worker", "become_other")
           for c in chain("storm_a") + chain("storm_b")] + ["main pin", "become_other pin"],
          least=MOST, changing=True),
]
