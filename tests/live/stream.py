# SPDX-License-Identifier: Apache-2.0
"""stream.py - a stream as protoc decodes it, so that no code of ours is in between.

read() gives a Stream; check() holds it against the rules of proto/stream.proto and against the
ledger's identities, which are exact: no test has to bear a sample more or less there.

Counts of groups. stream.groups has the events of each group by the index of its leader, which is
the first of them; a Sample of a leader has counts, a dict from the index of each event of the group
to what that counted, or None where it is not COUNTED. So what a program's functions counted is

    stream = read(path)
    cycles, instructions = (stream.events.index(e) for e in ("cycles", "instructions"))
    sums = stream.counts(cycles, lambda s: s.user and stream.name(s.user[0]).function == "spin")
    ipc = sums[instructions] / sums[cycles]

counts() adds up samples whose counts are of one task alone (not SHARED), scaled where the group was
not on the hardware all the time. sum.samples is how many those were.
"""
import collections
import os
import re
import subprocess

SYNC = 0x1AF70A4652505389
PROTO = os.path.join(os.path.dirname(__file__), "../../proto")

(IN_KERNEL, USER_TRUNCATED, KERNEL_TRUNCATED, USER_LOST, KERNEL_LOST, USER_FAILED, IDLE, COUNTED,
 SHARED) = (1 << bit for bit in range(9))

# owner: pid and start of the process whose memory it is, None for files
Frame = collections.namedtuple("Frame", "kind path offset function build_id owner generation",
                               defaults=(None, 0))
Name = collections.namedtuple("Name", "start end function unknown")
Process = collections.namedtuple("Process", "pid comm start_ns cgroup inner_pid")
Sample = collections.namedtuple(
    "Sample", "time_ns cpu event pid tid process thread weight flags user kernel cgroup inner_pid "
    "counts enabled_ns running_ns")

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


class Sums(dict):
    """Counts by event, and of how many samples they are."""

    samples = 0


def _find_groups(header):
    """The events of each group, leader first, by its index."""
    leaders = [_get(e, "leader") for e in header.get("event", [])]
    groups = {}
    for event, leader in enumerate(leaders):
        if not leader:
            if event and leaders[event - 1]:
                raise Broken(f"event {event} takes samples and comes after one that does not")
            continue
        if leader > len(leaders) or leaders[leader - 1]:
            raise Broken(f"event {event} has a leader that takes no samples: {leader}")
        groups.setdefault(leader - 1, [leader - 1]).append(event)
    return groups


class Stream:
    def __init__(self, root):
        self.packets = root.get("packet", [])
        self.headers, self.ledgers, self.samples = [], [], []
        self.groups = {}
        self.names = collections.defaultdict(list)  # by the mapping's content
        epochs = collections.defaultdict(lambda: Epoch(self.names))
        for number, packet in enumerate(self.packets):
            epoch = epochs[_get(packet, "epoch")]
            self._check_packet(number, packet)
            for header in packet.get("header", []):
                self.headers.append(header)
                self.groups = _find_groups(header)
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

    def counts(self, leader, keep=lambda sample: True, flags=COUNTED):
        """Counts of a group in all samples with these of COUNTED and SHARED that keep() takes."""
        sums = Sums.fromkeys(self.groups[leader], 0)
        for s in self.samples:
            if s.event != leader or s.flags & (COUNTED | SHARED) != flags or not keep(s):
                continue
            if s.enabled_ns and not s.running_ns:
                continue  # the group was never on the hardware meanwhile: nothing is known
            sums.samples += 1
            for event, count in s.counts.items():
                if s.enabled_ns == s.running_ns:  # also where both are 0: it ran all of the time
                    sums[event] += count
                elif s.running_ns:
                    sums[event] += count * s.enabled_ns / s.running_ns
        return sums

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
                   ("thread", "user_stack", "kernel_stack", "weight", "flags", "enabled_ns",
                    "running_ns")]
        counters = self._counters(block, event, count)
        for i, (thread, user, kernel, weight, flags, enabled, running) in enumerate(zip(*columns)):
            if i:
                time += interval + deviations[i]
            tid, process, comm = epoch.threads[thread]
            self.samples.append(Sample(time, cpu, event, process.pid, tid, process.comm, comm,
                                       weight, flags, epoch.stack(user), epoch.stack(kernel),
                                       process.cgroup, process.inner_pid,
                                       self._counts(counters, i, flags, enabled, running),
                                       enabled, running))

    def _counters(self, block, event, count):
        """The columns of counts of a block, by event: none, or those of the whole group."""
        counters = {_get(c, "event"): _column(c, "count", count)
                    for c in block.get("counter", [])}
        if counters and list(counters) != self.groups.get(event):
            raise Broken(f"counters {list(counters)} in samples of event {event}, whose group is "
                         f"{self.groups.get(event)}")
        return counters

    @staticmethod
    def _counts(counters, i, flags, enabled, running):
        counts = {event: column[i] for event, column in counters.items()}
        if flags & COUNTED:
            if not counts:
                raise Broken("a sample is COUNTED in a block without counters")
            if running > enabled:
                raise Broken(f"counters ran for {running} ns of {enabled}")
            if enabled and not running and any(counts.values()):
                raise Broken(f"counters counted {counts} but never ran")
            return counts
        if flags & SHARED or enabled or running or any(counts.values()):
            raise Broken(f"counts in a sample that is not COUNTED: {counts}, flags {flags}")
        return None


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
        self.rate_limits = [(_get(x, "time_ns"), _get(x, "max_sample_rate"))
                            for x in message.get("rate_limit", [])]

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
        if row["counted"] + row["uncounted"] > row["count"]:
            raise Broken(f"samples carry more than was counted: {row}")
    times = [time_ns for time_ns, _ in ledger.rate_limits]
    if times != sorted(times) or len(times) > 64:
        raise Broken(f"changes of the limit of the rate are not in order, or too many: {times}")


def check_groups(stream):
    """The samples of each group carry what the final ledger says that they do."""
    rows = {(row["cpu"], row["event"]): row for row in stream.final.rows}
    sums, without = collections.Counter(), collections.Counter()
    for s in stream.samples:
        if s.event in stream.groups:
            without[s.cpu, s.event] += s.counts is None
            for event, count in (s.counts or {}).items():
                sums[s.cpu, event] += count
    members = {event: leader for leader, group in stream.groups.items() for event in group}
    for (cpu, event), row in rows.items():
        if event not in members:
            if row["counted"] or row["uncounted"] or row["counts_lost"]:
                raise Broken(f"counts of a group in a row of an event that is in none: {row}")
            continue
        leader = rows.get((cpu, members[event]))
        if not leader:
            raise Broken(f"a row of an event whose leader has none: {row}")
        if leader is not row and (row["entries"] or row["counts_lost"]):
            raise Broken(f"samples of an event that takes none: {row}")
        lost = leader["handoff"] + leader["output"]  # what was lost before is in the next counts
        carried = sums.pop((cpu, event), 0)
        if carried > row["counted"] or (not lost and carried != row["counted"]):
            raise Broken(f"samples carry {carried} of counter {event}, lost {lost}: {row}")
        unseen = row["entries"] - row["written"]
        if leader is row and not 0 <= row["counts_lost"] - without[cpu, event] <= unseen:
            raise Broken(f"{without[cpu, event]} samples without counts: {row}")
    if +sums:
        raise Broken(f"counts without a row in the ledger: {dict(+sums)}")


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
    check_groups(stream)
    late, newest = 0, {}
    for s in stream.samples:
        age_ns = newest.get((s.cpu, s.event), 0) - s.time_ns
        late += age_ns > 0
        if age_ns > LATEST_NS:
            raise Broken(f"a sample comes {age_ns} ns late: {s.time_ns} on CPU {s.cpu}")
        newest[s.cpu, s.event] = max(newest.get((s.cpu, s.event), 0), s.time_ns)
    if late > stream.final.snapshots:
        raise Broken(f"{late} samples come late, and {stream.final.snapshots} had a snapshot")
