# SPDX-License-Identifier: Apache-2.0
"""scaling_model.py - on paper: how many CPUs, at what rate, before something is full.

N CPUs that are all busy are sampled F times a second each, so N * F samples arrive a second. What
is measured (Constants), at few CPUs or in rounds of the drain thread over made rings, gives

    drain thread   N * F * drain(N) + idle + N * visit * 10     of one CPU, at most 1
                   drain(N): ns a sample, the slope of the recorder's CPU time over rates here,
                   and what a sample costs more in rounds over N rings than over as many as there
                   are CPUs here; visit: of an empty ring, ten rounds a second
    writer thread  N * F * writer(N)                            of one CPU, at most 1
                   writer(N): in rounds over N rings, to a file
    output         N * F * bytes                                of what a file takes here
    hand-off       one round's bytes, N * F * bytes * 0.1 s     of the hand-off's: over 1, a writer
                   that gets no CPU for one round costs (counted) drops
    ring           F * 40 B * pause                             of a CPU's ring; pause: a round, and
                   the time that the drain thread takes for one
    sampled CPUs   F * bpf                                      of each CPU, whatever N
    memory         base + N * each                              no limit; each: of a CPU in guests,
                   and what a ring at F has more than at their low rate

What is full first is the line with the largest part. Not in it: what no machine here shows, as
lines of cache that come from another socket, which drain(N) has as misses to memory only, and
memory bandwidth (N * F * 40 B, 0.1 GB/s at most).
"""
import collections

# Of the recorder; tests/bench/test_scaling.py holds them against its source.
ROUND_S = 0.1              # ROUND_NS in profiler/record.c
HANDOFF_BYTES = 1 << 20    # profiler/setup.c
RING_SECONDS = 0.35        # profiler/plan.c, these five
RING_SAMPLE_BYTES = 72
RING_BYTES_MIN = 64 << 10
RING_BYTES_MAX = 1 << 20
RING_SNAPSHOTS = 8
SNAPSHOT_BYTES = 32 << 10  # profiler/options.h
EVENT_BYTES = 40           # an event and its header in a ring (bpf/event.h)

# ns where nothing else is said; each_bytes and base_bytes None where they were not measured
Constants = collections.namedtuple("Constants", "drain idle visit record writer bpf bytes output "
                                   "base_bytes each_bytes cpus rounds")
Line = collections.namedtuple("Line", "resource used unit part full_at")


def ring_bytes(hz):
    """As the recorder sizes a CPU's ring."""
    size = RING_BYTES_MIN
    while size < RING_SNAPSHOTS * SNAPSHOT_BYTES:
        size *= 2
    while size < RING_BYTES_MAX and size < hz * RING_SAMPLE_BYTES * RING_SECONDS:
        size *= 2
    return size


def between(points, x):
    """Of {x: y}, in a straight line between neighbours, level outside."""
    xs = sorted(points)
    if x <= xs[0]:
        return points[xs[0]]
    for low, high in zip(xs, xs[1:]):
        if x <= high:
            return points[low] + (points[high] - points[low]) * (x - low) / (high - low)
    return points[xs[-1]]


def drain_ns(c, cpus):
    """Of the drain thread for a sample, where there are so many rings."""
    return c.drain + max(0.0, between(c.rounds, cpus) - between(c.rounds, c.cpus))


def drain_part(c, cpus, hz):
    a_second = cpus * hz * drain_ns(c, cpus) + c.idle + cpus * c.visit / ROUND_S
    return a_second / 1e9


def held_bytes(c, cpus, hz):
    """What a ring has to hold: rounds are ROUND_S apart; without an end when they take all time."""
    part = drain_part(c, cpus, hz)
    return hz * EVENT_BYTES * ROUND_S / (1 - part) if part < 1 else part * ring_bytes(hz)


def parts(c, cpus, hz):
    """{resource: (what is used, its unit, as a part of what there is)}"""
    rate = cpus * hz
    drain, writer = drain_part(c, cpus, hz), rate * between(c.writer, cpus) / 1e9
    held = held_bytes(c, cpus, hz)
    return {"drain thread": (100 * drain, "% of a CPU", drain),
            "writer thread": (100 * writer, "% of a CPU", writer),
            "output": (rate * c.bytes / 1e6, "MB/s", rate * c.bytes / c.output),
            "hand-off": (rate * c.bytes * ROUND_S / 1e6, "MB",
                         rate * c.bytes * ROUND_S / HANDOFF_BYTES),
            "ring": (held / 1e3, "KB", held / ring_bytes(hz)),
            "sampled CPU": (hz * c.bpf / 1e7, "% of a CPU", hz * c.bpf / 1e9)}


def full_at(c, resource, hz, most=1 << 16):
    """The CPUs at which a resource is full at a rate; None where it does not become so."""
    if parts(c, most, hz)[resource][2] < 1:
        return None
    low, high = 1, most
    while low < high:
        cpus = (low + high) // 2
        if parts(c, cpus, hz)[resource][2] >= 1:
            high = cpus
        else:
            low = cpus + 1
    return low


def table(c, cpus, hz):
    """Lines, the fullest first."""
    found = [Line(name, *row, full_at(c, name, hz)) for name, row in parts(c, cpus, hz).items()]
    return sorted(found, key=lambda line: -line.part)


def largest_hz(c, cpus):
    """The rate at which one drain thread is busy all of the time."""
    left = 1e9 - c.idle - cpus * c.visit / ROUND_S
    return max(0.0, left) / (cpus * drain_ns(c, cpus))


def records_left(c, cpus, hz):
    """Records of the side-band a second that the drain thread has time for beside the samples."""
    return max(0.0, 1 - drain_part(c, cpus, hz)) * 1e9 / between(c.record, cpus)


def memory_mb(c, cpus, hz):
    """None where a CPU's memory was not measured, which is at a low rate."""
    if c.each_bytes is None:
        return None
    return (c.base_bytes + cpus * (c.each_bytes + ring_bytes(hz) - ring_bytes(1))) / 1e6
