# SPDX-License-Identifier: Apache-2.0
"""stream.py - a stream as protoc decodes it, so that no code of ours is in between.

read() gives a Stream; check() holds it against the rules of proto/stream.proto and against the
ledger's identities, which are exact: no test has to bear a sample more or less there.
"""
import collections
import os
import re
import subprocess

SYNC = 0x1AF70A4652505389
PROTO = os.path.join(os.path.dirname(__file__), "../../proto")

IN_KERNEL, USER_TRUNCATED, KERNEL_TRUNCATED, USER_LOST, KERNEL_LOST, USER_FAILED, IDLE = (
    1, 2, 4, 8, 16, 32, 64)

# owner: pid and start of the process whose memory it is, None for files
Frame = collections.namedtuple("Frame", "kind path offset function build_id owner generation",
                               defaults=(None, 0))
Name = collections.namedtuple("Name", "start end function unknown")
Process = collections.namedtuple("Process", "pid comm start_ns cgroup inner_pid")
Sample = collections.namedtuple(
    "Sample", "time_ns cpu event pid tid process thread weight flags user kernel cgroup inner_pid")

LATEST_NS = 2_000_000_000

LEDGER_PARTS = ("idle", "filtered_target", "filtered_mode", "ring_full", "ring_busy", "handoff",
                "output", "written")


class Broken(Exception):
    """The stream is not what proto/stream.proto says."""


def _unescape(text):
    def byte(match):
        code = match.group(1)
        if code[0].isdigit():
            return chr(int(code, 8))
        return {"n": "\n", "t": "\t", "r": "\r"}.get(code, code)
    return re.sub(r"\\([0-7]{1,3}|.)", byte, text).encode("latin-1").decode("utf-8", "replace")


def _value(text):
    if text[0] == '"':
        return _unescape(text[1:-1])
    try:
        return int(text)
    except ValueError:
        return {"true": True, "false": False}.get(text, text)


def _parse(text):
    """Text format to nested dicts; every field is a list of its values."""
    root = collections.defaultdict(list)
    at, above = root, []
    for line in text.split("\n"):
        line = line.strip()
        if line.endswith(" {"):
            inner = collections.defaultdict(list)
            at[line[:-2]].append(inner)
            above.append(at)
            at = inner
        elif line == "}":
            at = above.pop()
        elif line:
            key, value = line.split(": ", 1)
            at[key].append(_value(value))
    return root


def _get(message, key, default=0):
    values = message.get(key)
    return values[0] if values else default


def _column(block, key, count):
    values = block.get(key, [])
    if not values:
        return [0] * count
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise Broken(f"column {key} has {len(values)} entries, not {count}")
    return values


class Epoch:
    """The tables of one epoch; an id that is not defined raises."""

    def __init__(self, names):
        self.names = names  # of the whole stream
        self.strings, self.mappings, self.processes = {0: ""}, {}, {}
        self.threads, self.frames, self.nodes = {}, {}, {}
        self.stacks = {0: ()}

    def define(self, d):
        for s in d.get("strings", []):
            for i, value in enumerate(s["value"]):
                self.strings[_get(s, "first_id") + i] = value
        for p in d.get("process", []):
            self.processes[_get(p, "id")] = Process(
                _get(p, "pid"), self.strings[_get(p, "comm")], _get(p, "start_ns"),
                self.strings[_get(p, "cgroup")], _get(p, "inner_pid"))
        for m in d.get("mapping", []):
            owner = None
            if _get(m, "process"):
                process = self.processes[_get(m, "process")]
                owner = (process.pid, process.start_ns)
            self.mappings[_get(m, "id")] = (_get(m, "kind", "UNKNOWN"),
                                            self.strings[_get(m, "path")],
                                            _get(m, "build_id", ""), owner, _get(m, "generation"))
        for t in d.get("thread", []):
            self.threads[_get(t, "id")] = (_get(t, "tid"), self.processes[_get(t, "process")],
                                           self.strings[_get(t, "comm")])
        for f in d.get("frames", []):
            count, offset = len(f["mapping"]), 0
            functions = f.get("function") or [0] * count
            deltas = f.get("offset_delta") or [0] * count
            for i in range(count):
                offset = (offset + deltas[i]) & (2**64 - 1)
                kind, path, build_id, owner, generation = self.mappings[f["mapping"][i]]
                self.frames[_get(f, "first_id") + i] = Frame(
                    kind, path, offset, self.strings[functions[i]], build_id, owner, generation)
        for n in d.get("nodes", []):
            frame = 0
            for i, back in enumerate(n["parent_back"]):
                node = _get(n, "first_id") + i
                frame += n["frame_delta"][i]
                parent = node - back
                if parent and parent not in self.nodes:
                    raise Broken(f"node {node} has an unknown parent {parent}")
                self.nodes[node] = (parent, self.frames[frame])
        for n in d.get("names", []):
            self._add_names(n)

    def _add_names(self, n):
        count, start = len(n["mapping"]), 0
        deltas = n.get("start_delta") or [0] * count
        functions = n.get("function") or [0] * count
        unknown = n.get("unknown") or [0] * count
        if not count == len(deltas) == len(n["size"]) == len(functions) == len(unknown):
            raise Broken("columns of names differ in length")
        for i in range(count):
            start = (start + deltas[i]) & (2**64 - 1)
            end = start + n["size"][i]
            if not start < end < 2**64:
                raise Broken(f"a name of code from {start:#x} to {end:#x}")
            if bool(functions[i]) == bool(unknown[i]):
                raise Broken("a name with a reason to have none, or neither")
            self.names[self.mappings[n["mapping"][i]]].append(
                Name(start, end, self.strings[functions[i]], unknown[i]))

    def stack(self, node):
        """Frames of a stack, leaf first."""
        if node not in self.stacks:
            parent, frame = self.nodes[node]
            self.stacks[node] = (frame,) + self.stack(parent)
        return self.stacks[node]


class Stream:
    def __init__(self, root):
        self.packets = root.get("packet", [])
        self.headers, self.ledgers, self.samples = [], [], []
        self.names = collections.defaultdict(list)  # by the mapping's content
        epochs = collections.defaultdict(lambda: Epoch(self.names))
        for number, packet in enumerate(self.packets):
            epoch = epochs[_get(packet, "epoch")]
            self._check_packet(number, packet)
            self.headers += packet.get("header", [])
            for d in packet.get("definitions", []):
                epoch.define(d)
            for block in packet.get("samples", []):
                self._add_block(epoch, block)
            self.ledgers += [Ledger(x) for x in packet.get("ledger", [])]
        self.events = [_get(e, "name") for e in self.headers[0]["event"]] if self.headers else []
        self.notices = self.headers[0].get("notice", []) if self.headers else []

    def name(self, frame):
        """What the stream says of a frame's code: a Name, or None when it says nothing."""
        found = [n for n in self.names.get((frame.kind, frame.path, frame.build_id, frame.owner,
                                            frame.generation), ())
                 if n.start <= frame.offset < n.end]
        return next((n for n in found if n.function), found[0] if found else None)

    @property
    def final(self):
        return self.ledgers[-1] if self.ledgers and self.ledgers[-1].final else None

    def _check_packet(self, number, packet):
        if _get(packet, "sync") != SYNC:
            raise Broken(f"packet {number}: no sync marker")
        if _get(packet, "sequence") != number:
            raise Broken(f"packet {number} has sequence {_get(packet, 'sequence')}")
        if _get(packet, "first_sample") != len(self.samples):
            raise Broken(f"packet {number}: first_sample {_get(packet, 'first_sample')} after "
                         f"{len(self.samples)} samples")
        if number == 0 and "header" not in packet:
            raise Broken("the first packet has no header")

    def _add_block(self, epoch, block):
        count, time = _get(block, "count"), _get(block, "first_time_ns")
        cpu, event = _get(block, "cpu"), _get(block, "event")
        interval = _get(block, "interval_ns")
        deviations = _column(block, "time_deviation", count)
        columns = [_column(block, key, count) for key in
                   ("thread", "user_stack", "kernel_stack", "weight", "flags")]
        for i, (thread, user, kernel, weight, flags) in enumerate(zip(*columns)):
            if i:
                time += interval + deviations[i]
            tid, process, comm = epoch.threads[thread]
            self.samples.append(Sample(time, cpu, event, process.pid, tid, process.comm, comm,
                                       weight, flags, epoch.stack(user), epoch.stack(kernel),
                                       process.cgroup, process.inner_pid))


class Ledger:
    def __init__(self, message):
        self.message = message
        self.time_ns = _get(message, "time_ns")
        self.final = _get(message, "final", False)
        self.stopped_by = _get(message, "stopped_by", "")
        self.rows = [Row(r) for r in message.get("row", [])]
        self.stacks = {(_get(s, "how", "TABLE"), _get(s, "end", "COMPLETE")): _get(s, "samples")
                       for s in message.get("stacks", [])}
        # A snapshot that could not be walked leaves the sample with what the walker had.
        self.snapshots = sum(n for (how, end), n in self.stacks.items()
                             if how == "SNAPSHOT" or end == "NO_ANSWER")
        self.runs = [_get(p, "runs") for p in message.get("program", [])]

    def sum(self, key, event=None):
        return sum(r[key] for r in self.rows if event is None or r["event"] == event)

    def dropped(self):
        return sum(self.sum(k) for k in ("ring_full", "ring_busy", "handoff", "output"))

    def __getitem__(self, key):
        return _get(self.message, key)


class Row:
    def __init__(self, message):
        self.message = message

    def __getitem__(self, key):
        return _get(self.message, key)

    def __str__(self):
        return " ".join(f"{k}={v[0]}" for k, v in self.message.items())


def decode(path):
    """What protoc makes of a file, as nested dicts."""
    with open(path, "rb") as f:
        run = subprocess.run(["protoc", "--decode=profiler.Stream", "-I", PROTO, "stream.proto"],
                             stdin=f, capture_output=True, timeout=60)
    if run.returncode:
        raise Broken(f"protoc cannot decode it: {run.stderr.decode()[:200]}")
    return _parse(run.stdout.decode("latin-1"))


def read(path):
    try:
        return Stream(decode(path))
    except KeyError as missing:
        raise Broken(f"id {missing} is used but not defined") from missing


def check_ledger(ledger):
    for row in ledger.rows:
        if row["expected"] != row["blind"] + row["throttled"] + row["entries"]:
            raise Broken(f"expected is not blind + throttled + entries: {row}")
        parts = sum(row[k] for k in LEDGER_PARTS) + row["in_flight"] + row["unaccounted"]
        if row["entries"] != parts:
            raise Broken(f"entries are not the sum of where they went: {row}")
        if row["unaccounted"]:
            raise Broken(f"samples are not accounted for: {row}")
        if ledger.final and row["in_flight"]:
            raise Broken(f"samples in flight in the final ledger: {row}")


def check(stream):
    """A run that ended in order: final ledger there, all ledgers exact, all samples in it."""
    for ledger in stream.ledgers:
        check_ledger(ledger)
    if not stream.final:
        raise Broken("no final ledger at the end")
    decoded = collections.Counter((s.cpu, s.event) for s in stream.samples)
    for row in stream.final.rows:
        if row["written"] != decoded.pop((row["cpu"], row["event"]), 0):
            raise Broken(f"the reader decodes another number of samples than written: {row}")
    if decoded:
        raise Broken(f"samples of CPUs or events without a ledger row: {dict(decoded)}")
    late, newest = 0, {}
    for s in stream.samples:
        age_ns = newest.get((s.cpu, s.event), 0) - s.time_ns
        late += age_ns > 0
        if age_ns > LATEST_NS:
            raise Broken(f"a sample comes {age_ns} ns late: {s.time_ns} on CPU {s.cpu}")
        newest[s.cpu, s.event] = max(newest.get((s.cpu, s.event), 0), s.time_ns)
    if late > stream.final.snapshots:
        raise Broken(f"{late} samples come late, and {stream.final.snapshots} had a snapshot")
