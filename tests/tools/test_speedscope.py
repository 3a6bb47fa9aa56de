# SPDX-License-Identifier: Apache-2.0
"""test_speedscope.py - profiler-speedscope and -script, read by speedscope in a browser."""
import base64
import json
import os
import re
import sys
import time

import browser
import exports
import toolbox
from toolbox import check, equal, test

VERSION = "1.25.0"


def weights_of(profile):
    return {p["name"]: sum(p["weights"]) for p in profile["profiles"] if p["weights"]}


@test
def weight_is_conserved_through_filters(env):
    for stream, words in exports.each(env, "demo", "counts", "names"):
        profile = json.loads(env.tool("speedscope", *words, stream))
        equal(weights_of(profile), exports.weights(env, stream, *words), f"{stream} {words}")
        for p in profile["profiles"]:
            equal(p["endValue"], sum(p["weights"]), "endValue")
            equal(len(p["samples"]), len(p["weights"]), "samples")


@test
def threads_have_profiles_of_their_own(env):
    for stream in env.made("demo"), env.made("counts"):
        sums = {}
        profile = json.loads(env.tool("speedscope", "--threads", stream))
        for p in profile["profiles"]: # two may be called the same: pids are used again
            exports.add_up(sums, p["name"].rsplit(" ", 1)[1], sum(p["weights"]))
        equal(sums, exports.weights(env, stream), "weights of all threads together")
    names = {p["name"] for p in json.loads(env.tool("speedscope", "--threads",
                                                    env.made("demo")))["profiles"]}
    check("worker;1 100/101 cpu-clock" in names, f"profiles: {names}")


@test
def hostile_names_stay_text(env):
    frames = json.loads(env.tool("speedscope", env.made("demo")))["shared"]["frames"]
    names = [frame["name"] for frame in frames]
    check('std::map<a, b>::find("x\\y")' in names, "quotes and backslashes")
    check(not any(re.search(r"[\x00-\x1f\x7f]", name) for name in names), "control characters")


def folder(env):
    if not browser.find():
        toolbox.skip("chromium is not installed")
    return os.path.join(exports.package(env, "speedscope", VERSION), "dist/release")


HEAD = ["Total", "Self", "Symbol Name"]


def sandwich(env, b, release, text, functions=True):
    """The sandwich table of the first profile: {function: (total, self)} as it is shown; its head
    is there before its rows are."""
    load = env.path("load.js")
    with open(load, "w", encoding="utf-8") as out:
        data = base64.b64encode(text.encode()).decode()
        out.write(f"speedscope.loadFileFromBase64('profile', '{data}')")
    b.call("Page.navigate", {"url": "about:blank"})
    b.call("Page.navigate",
           {"url": f"file://{release}/index.html#localProfilePath={load}&view=sandwich"})
    deadline = time.monotonic() + 20
    rows = []
    while not (HEAD in rows and (rows[-1] != HEAD or not functions)):
        check(time.monotonic() < deadline, f"speedscope shows no table: {b.errors}")
        time.sleep(0.1)
        rows = b.run("[...document.querySelectorAll('tr')].map(r => [...r.cells].map("
                     "c => c.innerText))")
    rows = rows[rows.index(HEAD) + 1:]
    return {row[2]: (value(row[0]), value(row[1])) for row in rows if len(row) == 3}


def value(text):
    """In milliseconds: "120.00ms (36%)"."""
    number, unit = re.match(r"([\d.,]+)(ns|µs|ms|s) ", text).groups()
    return float(number.replace(",", "")) * {"ns": 1e-6, "µs": 1e-3, "ms": 1, "s": 1e3}[unit]


@test
def speedscope_shows_our_numbers(env):
    release = folder(env)
    stream = env.made("demo")
    with browser.look() as b:
        shown = sandwich(env, b, release, env.tool("speedscope", stream))
        check("3" in b.run("document.body.innerText").split("cpu-clock (1/")[1][:1],
              "not all three events are there")
    for name, (own, total) in exports.functions(env, stream, "cpu-clock").items():
        if total:
            equal(shown.pop(name), (total / 1e6, own / 1e6), name)
    equal(shown.pop("worker;1"), (111.0, 0.0), "a thread")
    equal(set(shown), {"server", "sh", "java", "swapper/3", "s?[31mh\ufffd?"}, "all others are threads")


@test
def speedscope_shows_inlined_functions(env):
    release = folder(env)
    stream = exports.inlined(env)
    with browser.look() as b:
        shown = sandwich(env, b, release, env.tool("speedscope", stream))
    wanted = exports.functions(env, stream, "cpu-clock")
    check({"digest", "mix", "mix_twice", "fold"} <= set(wanted), f"functions: {set(wanted)}")
    for name, (own, total) in wanted.items():
        equal(shown.pop(name), (total / 1e6, own / 1e6), name)


@test
def speedscope_opens_a_profile_of_nothing(env):
    release = folder(env)
    with browser.look() as b:
        equal(sandwich(env, b, release, env.tool("speedscope", env.made("empty")), False), {},
              "rows")


@test
def speedscope_reads_script_text(env):
    """It makes a profile of each thread, and takes the time between samples for their weight."""
    release = folder(env)
    with browser.look() as b:
        shown = sandwich(env, b, release, env.tool("script", "-e", "cpu-clock", env.made("demo")))
        body = b.run("document.body.innerText")
    check("server pid: 100 tid: 100 (1/" in body, f"the first thread: {body[:200]!r}")
    equal(set(shown), {"parse", "handle_request", "main", "ext4_write_begin", "ksys_write",
                       "entry_SYSCALL_64", "write", "fib", "[truncated]"}, "functions")
    check(shown["main"][0] >= max(total for total, _ in shown.values()), "main calls all others")


if __name__ == "__main__":
    sys.exit(toolbox.main())
