# SPDX-License-Identifier: Apache-2.0
"""test_scaling.py - what bench/scaling.py says of growth, and of machines on paper."""
import contextlib
import io
import json
import os
import random
import re

import results
import scaling
import scaling_fit as fit
import scaling_model as model
import toolbox
from toolbox import check, equal, test

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
SIZES = (2, 20, 200, 2000, 10000)


def series(cost, seed=0, noise=0.1, values=3):
    """{size: [cost, ...]}, each off by so much, log-normal."""
    chance = random.Random(seed)
    return {n: [cost(n) * chance.lognormvariate(0, noise) for _ in range(values)] for n in SIZES}


def constants(**changed):
    """Of a recorder whose drain thread takes 100 ns a sample, at any number of CPUs."""
    return model.Constants(**{**dict(
        drain=100.0, idle=1e6, visit=10.0, record={2: 200.0, 256: 1000.0},
        writer={2: 5.0, 256: 5.0}, bpf=1000.0, bytes=5.0, output=1e9, base_bytes=15e6,
        each_bytes=200e3, cpus=2, rounds={2: 40.0, 256: 40.0}), **changed})


@test
def growth_gets_its_name(_env):
    for cost, wanted in ((lambda n: 5, "constant"), (lambda n: 3 * n, "linear"),
                         (lambda n: n ** 0.5, "sublinear"), (lambda n: 9 / n, "falls"),
                         (lambda n: n * n, "superlinear")):
        for seed in range(20):
            equal(fit.power(series(cost, seed)).verdict, wanted, f"seed {seed}")


@test
def noise_alone_does_not_grow(_env):
    """A third off either way, and a cost that is flat. The interval alone allows 5 of 200, and
    the exponent has to lie above what counts as constant besides."""
    alarms = [seed for seed in range(200)
              if fit.power(series(lambda n: 7, seed, 0.33)).low > fit.NEGLIGIBLE]
    check(len(alarms) <= 2, f"{len(alarms)} of 200: {alarms}")


@test
def the_interval_holds_the_truth(_env):
    """95 % of the time, that is: of 400, 361 or more but for a chance of 1 in 10,000."""
    inside = 0
    for seed in range(400):
        found = fit.power(series(lambda n: n ** 0.3, seed, 0.4))
        inside += found.low <= 0.3 <= found.high
    check(inside >= 361, f"only {inside} of 400")


@test
def one_wild_point_changes_little(_env):
    wild = series(lambda n: 3 * n ** 0.5, noise=0.01, values=1)
    wild[10000] = [wild[10000][0] * 50]
    found = fit.power(wild)
    check(abs(found.exponent - 0.5) < 0.1, f"exponent {found.exponent}")


@test
def a_fixed_part_shows_in_growth(_env):
    found = fit.power(series(lambda n: 15 + n / 1000, noise=0.001))
    check(abs(found.growth - 25 / 15.002) < 0.02, f"growth {found.growth}")
    steep = fit.power(series(lambda n: 100 + n, noise=0.001))
    check(steep.exponent < 0.6 and abs(steep.last - 0.97) < 0.02, f"at the end n^{steep.last}")


@test
def too_little_says_nothing(_env):
    equal(fit.power({2: [1.0], 20: [2.0]}), None, "two points")
    equal(fit.power({2: [1.0, 2.0, 3.0]}), None, "one size")
    equal(fit.power({2: [1.0], 20: [0.0], 200: [3.0]}), None, "a cost of 0")


@test
def the_model_knows_the_recorder(_env):
    """Its constants are those of the source."""
    def source(name, pattern):
        with open(os.path.join(ROOT, "profiler", name), encoding="utf-8") as f:
            return re.search(pattern, f.read())[1]
    equal(int(source("record.c", r"ROUND_NS\s+\((\d+) \* MS\)")) / 1e3, model.ROUND_S, "round")
    equal(1 << int(source("setup.c", r"HANDOFF_BYTES\s+\(1u << (\d+)\)")), model.HANDOFF_BYTES,
          "hand-off")
    equal(float(source("plan.c", r"RING_SECONDS\s+([\d.]+)")), model.RING_SECONDS, "ring")
    equal(int(source("plan.c", r"RING_SAMPLE_BYTES\s+(\d+)")), model.RING_SAMPLE_BYTES, "sample")
    equal(int(source("plan.c", r"RING_BYTES_MIN\s+\((\d+)u << 10\)")) << 10,
          model.RING_BYTES_MIN, "least ring")
    equal(1 << int(source("plan.c", r"RING_BYTES_MAX\s+\(1u << (\d+)\)")), model.RING_BYTES_MAX,
          "largest ring")
    equal(int(source("plan.c", r"RING_SNAPSHOTS\s+(\d+)")), model.RING_SNAPSHOTS, "snapshots")
    equal(int(source("options.h", r"DEFAULT_SNAPSHOT\s+(\d+)")), model.SNAPSHOT_BYTES, "snapshot")


@test
def full_means_full(_env):
    """At the number of CPUs that is named there is none left, at one less there is."""
    c = constants()
    for line in model.table(c, 256, 10000):
        if line.full_at is None:
            check(line.part < 1, f"{line.resource} is full")
            continue
        at, below = (model.parts(c, n, 10000)[line.resource][2]
                     for n in (line.full_at, line.full_at - 1))
        check(at >= 1 > below, f"{line.resource}: {at} at {line.full_at}, {below} before")


@test
def the_first_to_be_full_stands_first(_env):
    equal(model.table(constants(), 256, 10000)[0].resource, "hand-off", "first")
    slow = constants(drain=10000.0)
    equal(model.table(slow, 256, 10000)[0].resource, "drain thread", "first of a slow one")
    narrow = constants(output=1e6)
    equal(model.table(narrow, 256, 10000)[0].resource, "output", "first of a slow disk")


@test
def one_thread_is_busy_at_its_largest_rate(_env):
    c = constants()
    for cpus in (2, 100, 1000):
        part = model.drain_part(c, cpus, model.largest_hz(c, cpus))
        check(abs(part - 1) < 1e-9, f"{part} of {cpus} CPUs")
    equal(model.records_left(c, 256, model.largest_hz(c, 256) * 1.01), 0, "time left over")


@test
def more_rings_cost_what_they_cost_in_rounds(_env):
    c = constants(rounds={2: 40.0, 256: 140.0})
    equal(model.drain_ns(c, 2), 100, "here")
    equal(model.drain_ns(c, 256), 200, "at 256")
    equal(model.drain_ns(c, 129), 150, "between")


@test
def unmeasured_memory_is_not_made_up(_env):
    equal(model.memory_mb(constants(each_bytes=None), 256, 10000), None, "memory")


class Told:
    """In place of a suite."""

    def __init__(self):
        self.rows, self.notes = [], []
        self.note = self.notes.append

    def row(self, *fields, **extra):
        self.rows.append(results.row(*fields, **extra))


def told(cost, load=99.0):
    """What is printed of recordings whose drain thread has this cost, and the rows."""
    found, rows = scaling.Found(), Told()
    rest = {m.name: [12345.6] * 3 for m in scaling.MEASURES}
    for s in scaling.SERIES:
        for size in s.quick:
            found.add(s.name, size, {**rest, "drain": [cost(size)] * 3, "load": [load],
                                     "samples_s": [2.0 * size] * 3,
                                     "drain_ns_s": [2000.0 * size] * 3})
    for cpus in scaling.ROUND_CPUS[False]:
        found.add("rounds", cpus, {m.name: [100.0 + cpus] for m in scaling.ROUND_MEASURES})
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        args = type("Args", (), {"cpus": 256, "hz": 10000})
        scaling.tell(args, found, rows, 1e9)
    return out.getvalue(), rows.rows + rows.notes


@test
def what_grows_is_pointed_out(_env):
    text, rows = told(lambda n: 10.0 * n)
    check(re.search(r"drain .* linear  GROWS", text), text)
    grown = [r for r in rows if r["name"] == "exponent" and r["measure"] == "drain"]
    check(all(abs(r["values"][0] - 1) < 0.01 for r in grown), grown)
    text, _ = told(lambda n: 10.0)
    check(not re.search(r"drain .*GROWS", text), text)


@test
def company_is_told(_env):
    """Where other work took part of the machine the result says so, and only there."""
    for load, wanted in ((99.0, False), (50.0, True)):
        text, rows = told(lambda n: 10.0, load)
        equal("NOT ALONE" in text, wanted, f"a load of {load} %")
        equal(isinstance(rows[-1], str), wanted, "a note")


@test
def it_fits_80_columns(_env):
    text, _ = told(lambda n: 123456.0 * n, load=1.0)
    check(max(map(len, text.splitlines())) <= 80, max(text.splitlines(), key=len))


@test
def rows_are_by_the_contract(_env):
    _, rows = told(lambda n: 10.0)
    results.check({"schema": results.SCHEMA, "suite": "scaling", "host": {}, "build": {},
                   "rows": rows})


@test
def rounds_write_every_sample(env):
    """The drain thread over 3 rings: scaling_rounds itself fails if one is not written."""
    program = os.path.join(env.build, "bench/scaling_rounds")
    if not os.path.exists(program):
        toolbox.skip("bench/scaling_rounds is not built")
    for samples, rounds in ((100, 2), (1000, 7)):  # in the ring once, and several times round it
        got = json.loads(env.run(program, 3, samples, rounds, env.path("out")).stdout)
        equal((got["cpus"], len(got["ns_per_sample"])), (3, rounds), "rounds")


@test
def a_crowd_ends_with_all_its_members(env):
    """Threads or processes, every one gets its last turn."""
    for option in ("--threads", "--processes"):
        done = env.run(os.path.join(env.build, "workloads/crowd"), "-d", "0.05", option, "20",
                       "--stacks", "9", timeout=20)
        equal(json.loads(done.stdout.splitlines()[1])["members"], 20, option)
