# SPDX-License-Identifier: Apache-2.0
"""test_callgrind.py - profiler-callgrind, read by callgrind_annotate (valgrind)."""
import re
import sys

import exports
import toolbox
from toolbox import check, equal, need, test


def event_name(name):
    return re.sub("[ :,=]", "_", name)


def annotate(env, path, *words):
    """Programme totals and {function: values} as callgrind_annotate prints them, by event."""
    text = env.run("callgrind_annotate", "--threshold=100", "--auto=no", "--show-percs=no",
                   *words, path).stdout
    events = re.search(r"^Events shown: +(.*)$", text, re.M).group(1).split()
    rows, places = {}, set()
    for line in text.splitlines():
        match = re.match(r"^ *((?:[\d,]+ +)+)(.+)$", line)
        if match:
            numbers = [int(word.replace(",", "")) for word in match.group(1).split()]
            equal(len(numbers), len(events), f"columns of {line!r}")
            name = re.sub(r" +\[.*?\]+$", "", match.group(2).split(":", 1)[-1])
            check(match.group(2) not in places, f"{match.group(2)} is there twice")
            places.add(match.group(2))
            # Functions of one name may be of several files: clock_gettime of libc and of the vDSO.
            row = rows.setdefault(name, dict.fromkeys(events, 0))
            for event, number in zip(events, numbers):
                row[event] += number
    return rows.pop("PROGRAM TOTALS"), rows


@test
def weight_is_conserved_through_filters(env):
    """Of the file itself: summary, and the lines of all functions."""
    for stream, words in exports.each(env, "demo", "counts", "names"):
        text = env.tool("callgrind", *words, stream)
        events = re.search(r"^events: ?(.*)$", text, re.M).group(1).split()
        sums, is_call = {}, False
        for line in text.splitlines():
            if re.match(r"\d", line) and not is_call:
                for event, number in zip(events, line.split()[1:]):
                    exports.add_up(sums, event, int(number))
            is_call = line.startswith("calls=")
        summary = re.search(r"^summary: ?(.*)$", text, re.M).group(1).split()
        wanted = {event_name(event): weight for event, weight in
                  exports.weights(env, stream, *words).items()}
        equal(sums, wanted, f"lines of {stream} {words}")
        equal({e: int(n) for e, n in zip(events, summary) if int(n)}, wanted, "summary")


def check_annotated(env, stream):
    need("callgrind_annotate")
    path = env.path("callgrind.out")
    with open(path, "w", encoding="utf-8") as out:
        out.write(env.tool("callgrind", stream))
    totals, own = annotate(env, path)
    _, inclusive = annotate(env, path, "--inclusive=yes")
    weights = exports.weights(env, stream)
    equal({e: n for e, n in totals.items() if n},
          {event_name(e): n for e, n in weights.items()}, "totals")
    for event in weights:
        shown = event_name(event)
        for name, (self_weight, total) in exports.functions(env, stream, event).items():
            equal(own.get(name, {}).get(shown, 0), self_weight, f"self {event} of {name}")
            equal(inclusive.get(name, {}).get(shown, 0), total, f"inclusive {event} of {name}")


@test
def annotate_shows_our_numbers(env):
    """Self and inclusive, of all events, recursive functions too."""
    check_annotated(env, env.made("demo"))


@test
def annotate_shows_groups(env):
    check_annotated(env, env.made("counts"))


@test
def annotate_shows_inlined_functions_and_lines(env):
    stream = exports.inlined(env)
    check_annotated(env, stream)
    text = env.tool("callgrind", stream)
    check(re.search(r"^(?:fl|cfi)=\(\d+\) \S*inlined\.c$", text, re.M), "no source file")
    lines = {int(n) for n in re.findall(r"^(\d+) \d+$", text, re.M)}
    check(len(lines - {0}) > 3, f"lines: {lines}")


@test
def annotate_reads_a_profile_of_nothing(env):
    need("callgrind_annotate")
    for kind in "empty", "nothing":
        with open(env.path("callgrind.out"), "w", encoding="utf-8") as out:
            out.write(env.tool("callgrind", env.made(kind)))
        text = env.run("callgrind_annotate", env.path("callgrind.out")).stdout
        check("PROGRAM TOTALS" in text, text)


@test
def a_recorded_profile(env):
    check_annotated(env, env.record("--hz", "500", "-e", "{cpu-clock,page-faults}"))


if __name__ == "__main__":
    sys.exit(toolbox.main())
