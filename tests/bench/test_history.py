# SPDX-License-Identifier: Apache-2.0
"""test_history.py - the history file, and bench/compare with it and with files."""
import os
import sqlite3
import sys

import history
import made_results as made
from toolbox import check, equal, test

HERE = os.path.dirname(os.path.abspath(__file__))
COMPARE = os.path.join(HERE, "../../bench/compare")


def compare(env, *words, status):
    return env.run(sys.executable, COMPARE, *words, status=status)


@test
def sessions_stay_and_read_back(env):
    """What was put in by one process is what another gets."""
    path, first, second = env.path("new/h.sqlite"), made.micro(1), made.micro(2)
    kept = history.History(path)
    kept.add([first, made.one_row("memory", 5, suite="tools")])
    kept = history.History(path)
    number = kept.add([second])
    equal(len(kept.sessions()), 2, "sessions")
    equal(kept.results(kept.find("last")), {"micro": second}, "the last session")
    equal(sorted(kept.results(number - 1)), ["micro", "tools"], "suites of the first")


@test
def sqlite3_alone_answers(env):
    path = env.path("h.sqlite")
    history.History(path).add([made.one_row("time", [3, 1, 2], "ns")])
    got = sqlite3.connect(path).execute(
        "SELECT s.commit_id, v.median, v.low, v.high, v.count FROM value v JOIN session s "
        "ON s.id = v.session WHERE grp = 'g' AND measure = 'time'").fetchall()
    equal(got, [("0123456789ab", 2, 1, 3, 3)], "the row of the docstring's question")


@test
def the_baseline_moves(env):
    """There is one a machine, and it is the last that was named so."""
    kept = history.History(env.path("h.sqlite"))
    kept.add([made.micro(1)], history.BASELINE)
    second = kept.add([made.micro(2)], history.BASELINE)
    kept.add([made.micro(3)])
    equal([label for *_, label in kept.sessions()], [None, "baseline", None], "labels")
    equal(kept.find("baseline"), second, "the baseline")


@test
def a_session_by_its_commit(env):
    kept = history.History(env.path("h.sqlite"))
    first = kept.add([made.micro(1, build={"commit": "aaaa11112222"})])
    kept.add([made.micro(2, build={"commit": "bbbb11112222"})])
    equal(kept.find("aaaa"), first, "the session of the commit")


@test
def what_is_no_history_is_refused(env):
    path = env.path("h.sqlite")
    with open(path, "w", encoding="ascii") as f:
        f.write("no database at all, but a text of some length\n" * 100)
    done = compare(env, "--history", path, status=2)
    check("not a database" in done.stderr, done.stderr)
    os.unlink(path)
    db = sqlite3.connect(path)
    db.executescript("PRAGMA user_version = 99")
    db.close()
    done = compare(env, "--history", path, status=2)
    check("schema 99" in done.stderr, done.stderr)


@test
def exit_codes(env):
    base = made.save(env, "base", made.micro(1))
    compare(env, base, made.save(env, "same", made.micro(2)), status=0)
    compare(env, base, made.save(env, "fast", made.micro(2, {"g1": 0.5})), status=0)
    done = compare(env, base, made.save(env, "slow", made.micro(2, {"g1": 1.5})), status=1)
    check("worse" in done.stdout and "micro/g1/profiler/time" in done.stdout, done.stdout)
    compare(env, base, made.save(env, "less", made.micro(2, groups=5)), status=2)
    compare(env, base, made.save(env, "other", made.one_row("time", 1, suite="tools")), status=2)
    compare(env, base, env.path("nothing"), status=2)
    with open(env.path("text"), "w", encoding="ascii") as f:
        f.write("text")
    compare(env, base, env.path("text"), status=2)


@test
def folders_and_sessions(env):
    """A folder of results, the baseline and the last session: in each way the same answer."""
    os.mkdir(env.path("folder"))
    made.save(env, "folder/micro.json", made.micro(2, {"g1": 1.5}))
    made.save(env, "folder/tools.json", made.one_row("seconds", [1, 2, 3], suite="tools"))
    path = env.path("h.sqlite")
    kept = history.History(path)
    kept.add([made.micro(1, build={"commit": "cccc00000000"})], history.BASELINE)
    compare(env, "baseline", env.path("folder"), "--history", path, status=1)
    kept.add([made.micro(3)])
    compare(env, "--history", path, status=0)
    compare(env, "history:cccc", "last", "--history", path, status=0)
    compare(env, "history:dddd", "--history", path, status=2)


@test
def other_machines_are_refused_by_name(env):
    base = made.save(env, "base", made.micro(1))
    for fact in ({"cpu": "Another CPU"}, {"cpus": 64}, {"kernel": "6.2.0"}, {"governor": "powersave"},
                 {"caches": "L1d 48K"}, {"memory_gb": 16}):
        new = made.save(env, "new", made.micro(2, host=fact))
        done = compare(env, base, new, status=2)
        (key, value), = fact.items()
        check(f"{key}: {made.HOST[key]}, and {value}" in done.stderr, done.stderr)
        done = compare(env, base, new, "--force", status=0)
        check(f"different machines: {key}" in done.stdout, done.stdout)


@test
def the_state_of_a_machine_does_not_matter(env):
    """Frequency, load and steal change from minute to minute."""
    base = made.save(env, "base", made.micro(1))
    new = made.save(env, "new", made.micro(2, host={"mhz": 1, "load": 9, "steal_percent": 5}))
    done = compare(env, base, new, status=0)
    check("steal 5 %" in done.stdout, done.stdout)


@test
def lines_fit_80_columns(env):
    base = made.save(env, "base", made.micro(1))
    new = made.save(env, "new", made.micro(2, {"g1": 1.5, "g2": 0.5}))
    for line in compare(env, base, new, status=1).stdout.splitlines():
        check(len(line) <= 80, line)
