# SPDX-License-Identifier: Apache-2.0
"""perfdata.py - how many samples a perf.data file has, and how many perf says it lost.

read(path, last_s) goes through the records themselves (perf report takes minutes for stacks in raw
form). Only files that are not compressed, as perf record writes them by itself.
"""
import collections
import mmap
import struct

MAGIC = b"PERFILE2"
SAMPLE, LOST, LOST_SAMPLES = 9, 2, 13
SAMPLE_TYPE_AT = 24  # in struct perf_event_attr
IP, TID, TIME, IDENTIFIER = 1, 2, 4, 1 << 16  # bits of sample_type, in the order of the fields

# late: samples from begin_ns on, a time of the file's own clock
Counts = collections.namedtuple("Counts", "samples late lost begin_ns")


class Malformed(Exception):
    """Not a perf.data file that can be read here."""


def time_at(sample_type):
    """Where in a sample's record its time is."""
    if not sample_type & TIME:
        raise Malformed("samples without a time")
    return 8 + 8 * sum(bool(sample_type & bit) for bit in (IDENTIFIER, IP, TID))


def read(path, last_s=0.0):
    """Counts; late ones are those of the last so many seconds before the last sample."""
    with open(path, "rb") as f:
        try:
            with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return count(data, last_s)
        except (ValueError, struct.error) as error:
            raise Malformed(f"{path}: {error}") from error


def count(data, last_s):
    if data[:8] != MAGIC:
        raise Malformed("no perf.data file")
    attrs_at, _, at, size = struct.unpack_from("=4Q", data, 24)
    (sample_type,) = struct.unpack_from("=Q", data, attrs_at + SAMPLE_TYPE_AT)
    time, end = time_at(sample_type), at + size
    times, lost = [], 0
    while at + 8 <= end:
        kind, _, length = struct.unpack_from("=IHH", data, at)
        if length < 8:
            raise Malformed(f"a record of {length} bytes at {at}")
        if kind == SAMPLE:
            times += struct.unpack_from("=Q", data, at + time)
        elif kind in (LOST, LOST_SAMPLES):
            lost += struct.unpack_from("=Q", data, at + (16 if kind == LOST else 8))[0]
        at += length
    begin_ns = max(0, max(times, default=0) - round(last_s * 1e9))
    return Counts(len(times), sum(t >= begin_ns for t in times), lost, begin_ns)
