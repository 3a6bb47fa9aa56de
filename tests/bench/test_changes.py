# SPDX-License-Identifier: Apache-2.0
"""test_changes.py - what is called a change, and what is not: on runs of known truth."""
import changes
import made_results as made
from toolbox import check, equal, test

PAIRS = 60


def verdicts(base, new):
    found, alone = changes.find({r["suite"]: r for r in base}, {r["suite"]: r for r in new})
    return {c.key: c.verdict for c in found}, alone


def told(base, new):
    """The rows that are called changed, with the verdict."""
    found, _ = verdicts([base], [new])
    return {key: v for key, v in found.items() if v != "same"}


@test
def the_same_code_is_never_called_changed(_env):
    """60 pairs of runs, of 20 rows: at 1 % a pair, three alarms or more have a chance of 1 in 50."""
    alarms = [told(made.micro(2 * i), made.micro(2 * i + 1)) for i in range(PAIRS)]
    alarms = [a for a in alarms if a]
    check(len(alarms) <= 2, f"{len(alarms)} of {PAIRS} pairs: {alarms[:3]}")


@test
def processes_that_differ_are_no_change(_env):
    """Of 15 % each, as with an unlucky layout of memory: ours' medians move by more than anyone would
    overlook, but no more than they have to. The peers stay, so nothing but the processes shows it."""
    steady = tuple((name, role, truth) for name, role, truth in made.PEERS[:1])
    alarms = [told(made.micro(2 * i, process=0.15, groups=5, peers=steady),
                   made.micro(2 * i + 1, process=0.15, groups=5, peers=steady))
              for i in range(PAIRS)]
    check(len([a for a in alarms if a]) <= 2, f"{alarms}")


@test
def a_slower_machine_is_not_a_regression(_env):
    """All takes 1.5 times as long, the peers too."""
    equal(told(made.micro(1), made.micro(2, machine=1.5)), {}, "changes")


@test
def code_that_became_slower_is_found(_env):
    """15 % on 2 % of noise, in one row of twenty; and on a machine that is faster meanwhile."""
    for machine in (1.0, 0.7):
        for seed in range(10):
            got = told(made.micro(seed), made.micro(100 + seed, {"g3": 1.15}, machine))
            equal(got, {"micro/g3/profiler/time": "worse"}, f"machine {machine}, seed {seed}")


@test
def code_that_became_faster_is_better(_env):
    equal(told(made.micro(1), made.micro(2, {"g0": 0.8})), {"micro/g0/profiler/time": "better"},
          "changes")


@test
def two_percent_is_nothing_to_care_about(_env):
    """However well it is measured."""
    base = made.one_row("instructions-of-nothing", [100.0, 100.01, 99.99], "ns")
    new = made.one_row("instructions-of-nothing", [102.0, 102.01, 101.99], "ns")
    equal(told(base, new), {}, "changes")


@test
def peers_that_moved_say_how_noisy_the_runs_are(_env):
    """One of the limits became 25 % slower against the others, which no change of ours can do: 15 %
    of ours are then no news. They are where the limits stayed."""
    moved = tuple((name, role, truth * (1.25 if name == "memcpy" else 1))
                  for name, role, truth in made.PEERS)
    equal(told(made.micro(1), made.micro(2, {"g0": 1.15}, peers=moved)), {}, "changes")
    equal(len(told(made.micro(1), made.micro(2, {"g0": 1.15}))), 1, "changes without it")


@test
def without_peers_the_machine_is_not_blamed_on_the_code(_env):
    """Times alone move with the machine: 15 % are not told, 50 % are."""
    for factor, count in ((1.15, 0), (1.5, 1)):
        got = told(made.micro(1, peers=()), made.micro(2, {"g0": factor}, peers=()))
        equal(len(got), count, f"changes at {factor}: {got}")


@test
def exact_measures_are_compared_exactly(_env):
    for measure, base, new, verdict in (
            ("instructions", 1000, 1003, "same"), ("instructions", 1000, 1010, "worse"),
            ("instructions", 1000, 900, "better"), ("instructions", 0.03, 0.04, "same"), ("allocations", 0, 0, "same"),
            ("allocations", 0, 1, "worse"), ("allocations", 0, 0.01, "worse"),
            ("verified", 10000, 10500, "worse"), ("bytes", 5.0, 5.05, "same"),
            ("bytes", 5.0, 5.2, "worse")):
        got, _ = verdicts([made.one_row(measure, base)], [made.one_row(measure, new)])
        equal(got, {f"micro/g/profiler/{measure}": verdict}, f"{measure} {base} -> {new}")


@test
def exact_measures_that_vary_say_so_themselves(_env):
    """Threads that wait for each other: the values' own range is not a change."""
    base = made.one_row("instructions", [1000, 1030])
    equal(told(base, made.one_row("instructions", [1025, 1035])), {}, "changes")
    equal(len(told(base, made.one_row("instructions", [1200, 1230]))), 1, "changes")


@test
def percent_are_compared_as_differences(_env):
    """A slowdown of 0.1 % that becomes 0.3 % has not tripled; one of 4 % is another matter."""
    noise = (-0.2, -0.1, 0, 0.1, 0.2, 0.15, -0.15)
    base = made.one_row("slowdown", [0.1 + n for n in noise], "%", suite="overhead")
    near = made.one_row("slowdown", [0.3 + n for n in noise], "%", suite="overhead")
    far = made.one_row("slowdown", [4 + n for n in noise], "%", suite="overhead")
    equal(told(base, near), {}, "changes")
    equal(told(base, far), {"overhead/g/profiler/slowdown": "worse"}, "changes")


@test
def more_is_better_where_it_is(_env):
    base = made.one_row("complete", [99.5, 99.6, 99.4], "%", "more")
    new = made.one_row("complete", [90.5, 90.6, 90.4], "%", "more")
    equal(list(told(base, new).values()), ["worse"], "verdicts")


@test
def one_value_is_not_judged(_env):
    got, _ = verdicts([made.one_row("memory", 10, "MB")], [made.one_row("memory", 20, "MB")])
    equal(list(got.values()), ["unjudged"], "verdicts")


@test
def rows_that_vanish_are_told(_env):
    base, new = made.micro(1, groups=3), made.micro(2, groups=2)
    _, alone = verdicts([base], [new])
    equal(alone, {"micro/g2/profiler/time": "missing"}, "rows of one side")
    _, alone = verdicts([new], [base])
    equal(alone, {"micro/g2/profiler/time": "added"}, "rows of one side")
    _, alone = verdicts([base, made.one_row("memory", 1, suite="tools")], [base])
    equal(alone, {}, "rows of one side, without the suites that only one has")
