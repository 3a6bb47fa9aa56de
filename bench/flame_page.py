#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""flame_page.py - how large the flame graph page of a large stream is, and how fast in a browser.

    bench/flame_page.py [--build DIR] [--samples N] [--stacks N] [--json FILE]

The stream is that of bench/tools.py: 10 million samples, 100,000 stacks. The page has to have less
than 5 MB, and a click has to draw it anew in less than 100 ms (the median; all are shown) in
headless Chromium, which the program chromium has to be.

Exit status 1 when it is larger or slower, 2 when it cannot be measured.
"""
import argparse
import collections
import os
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "lib"), os.path.join(HERE, "../tests/tools")]

import browser  # noqa: E402
import suite  # noqa: E402
import tools  # noqa: E402

MEGABYTES = 5
CLICK_MS = 100
CLICKS = """(() => {
    const graph = document.getElementById("graph");
    const times = [];
    for (let i = 0; i < 20; i++) {
        const r = graph.getBoundingClientRect();
        const start = performance.now();
        graph.dispatchEvent(new MouseEvent("click", { clientX: r.x + 300,
            clientY: r.bottom - (i % 2 ? 9 : 45), bubbles: true }));
        times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b);
})()"""
VIEW = """(() => {
    const view = document.getElementById("view");
    view.value = "%s";
    const start = performance.now();
    view.dispatchEvent(new Event("change"));
    return performance.now() - start;
})()"""


def look(path, result):
    """Prints what the page takes its time for; the median of clicks in ms."""
    with browser.Browser(1280, 900) as b:
        start = time.monotonic()
        b.open(path)
        seconds = time.monotonic() - start
        result.row("open", "profiler", "ours", "seconds", "s", "less", seconds)
        print(f"open: {seconds:.1f} s; {b.run('document.getElementById(`summary`).textContent')}")
        clicks = b.run(CLICKS)
        result.row("click", "profiler", "ours", "time", "ms", "less", clicks)
        print(f"a click: {clicks[10]:.0f} ms ({clicks[0]:.0f} to {clicks[-1]:.0f})")
        views = collections.defaultdict(list)
        for view in ("process", "thread", "merged", "thread"):
            views[view].append(b.run(VIEW % view))
            print(f"view by {view}: {views[view][-1]:.0f} ms")
        for view, times in views.items():
            result.row(f"view-{view}", "profiler", "ours", "time", "ms", "less", times)
        return clicks[10]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--stacks", type=int, default=100_000)
    parser.add_argument("--json", help="write the result here")
    args = parser.parse_args()
    tool = os.path.join(args.build, "bin/profiler-flamegraph")
    if not browser.find() or not os.access(tool, os.X_OK):
        print(f"flame_page: chromium or {tool} is missing", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, \
            suite.Suite("page", args.build, args.json) as result:
        stream = tools.make(args, folder, "stream", args.samples, tools.make_library(folder),
                            "big.prof")
        path = os.path.join(folder, "big.html")
        seconds, cpu, megabytes = tools.timed([tool, "-o", path, stream],
                                              os.path.join(folder, "out"))
        size = os.path.getsize(path) / 1e6
        for measure, unit, value in (("seconds", "s", seconds), ("cpu", "s", cpu),
                                     ("memory", "MB", megabytes), ("size", "MB", size)):
            result.row("file", "profiler", "ours", measure, unit, "less", value)
        print(f"profiler-flamegraph: {seconds:.1f} s ({cpu:.1f} s of CPU), {megabytes:.0f} MB; "
              f"the page has {size:.1f} MB")
        return 0 if look(path, result) < CLICK_MS and size < MEGABYTES else 1


if __name__ == "__main__":
    sys.exit(main())
