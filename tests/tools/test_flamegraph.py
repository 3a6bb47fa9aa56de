# SPDX-License-Identifier: Apache-2.0
"""test_flamegraph.py - the flame graph page in a real browser: what it says is what was recorded.

The page is used as people do, by mouse and keyboard, and what it then says is read from it and
held against profiler-report and profiler-folded of the same stream.
"""
import collections
import os
import re
import sys
import time
import xml.etree.ElementTree

import toolbox
from browser import look
from toolbox import check, equal, test

SVG = "{http://www.w3.org/2000/svg}"


def page(env, stream, *options, name="page.html"):
    env.tool("flamegraph", "-o", name, *options, stream)
    return env.path(name)


def text(b, element):
    return b.run(f"document.getElementById('{element}').textContent")


def choose(b, element, value):
    b.run(f"(() => {{ const e = document.getElementById('{element}'); e.value = '{value}';"
          "e.dispatchEvent(new Event('change')); })()")


def search(b, what):
    b.run("document.getElementById('search').focus()")
    b.run("document.getElementById('search').select()")
    b.type(what)


def place(b, element):
    """Left, top, width, height."""
    return b.run(f"(() => {{ const r = document.getElementById('{element}').getBoundingClientRect();"
                 "return [r.x, r.y, r.width, r.height]; })()")


def table(b):
    """{function: (self %, total %)} of the rows that are shown."""
    rows = b.run("Array.from(document.querySelectorAll('#table tbody tr'), (r) => "
                 "[r.lastChild.firstChild.data, r.children[0].textContent, r.children[1].textContent])")
    return {name: (float(own.split()[0]), float(total.split()[0])) for name, own, total in rows}


def samples(b):
    return int(re.search(r"([\d,]+) samples", text(b, "summary"))[1].replace(",", ""))


def folded(env, stream, *options):
    """[(frames without the thread's name, count)]"""
    stacks = []
    for line in env.tool("folded", *options, stream).splitlines():
        stack, _, count = line.rpartition(" ")
        stacks.append(([f.removesuffix("_[k]") for f in stack.split(";")[1:]], int(count)))
    return stacks


def shares(stacks):
    """{function: (self %, total %)}"""
    own, total = collections.Counter(), collections.Counter()
    for frames, count in stacks:
        own[frames[-1]] += count
        for frame in set(frames):
            total[frame] += count
    whole = sum(own.values())
    return {f: (100 * own[f] / whole, 100 * total[f] / whole) for f in total}


def no_faults(b, path):
    equal(b.errors, [], "exceptions")
    equal([u for u in b.requests if u not in (f"file://{path}", "about:blank")], [], "requests")


@test
def table_says_what_folded_does(env):
    stream = env.made("big", 20000, 400)
    path = page(env, stream)
    wanted = shares(folded(env, stream))
    with look() as b:
        b.open(path)
        equal(samples(b), 20000, "samples")
        shown = table(b)
        check(len(shown) > 50, f"only {len(shown)} rows")
        for function, (own, total) in shown.items():
            check(abs(own - wanted[function][0]) < 0.006 and abs(total - wanted[function][1]) < 0.006,
                  f"{function}: {own, total}, not {wanted[function]}")
        no_faults(b, path)


@test
def real_recording_is_all_there(env):
    """Functions that were sampled at many addresses, threads, kernel and user."""
    stream = env.record("--hz", "1000", "-e", "cpu-clock", command=("mix", "-d", "1"))
    path = page(env, stream)
    stacks = folded(env, stream)
    wanted = shares(stacks)
    with look() as b:
        b.open(path)
        equal(samples(b), sum(c for _, c in stacks), "samples")
        own, total = table(b)["compress_block"]
        check(abs(own - wanted["compress_block"][0]) < 0.006 and
              abs(total - wanted["compress_block"][1]) < 0.006,
              f"compress_block: {own, total}, not {wanted['compress_block']}")
        no_faults(b, path)


@test
def every_event_is_a_tab(env):
    stream = env.made("counts")
    path = page(env, stream)
    report = env.json("report", stream)
    with look() as b:
        b.open(path)
        tabs = b.run("Array.from(document.querySelectorAll('#tabs button'), (t) => t.textContent)")
        for event in report["events"]:
            if event["weight"]:
                check(event["name"] in tabs, f"no tab for {event['name']} in {tabs}")
        for name in tabs:
            b.run(f"Array.from(document.querySelectorAll('#tabs button')).find((t) => t.textContent === "
                  f"'{name}').click()")
            total = sum(c for _, c in folded(env, stream, "-w", "-e", name))
            shown = re.search(r": ([\d.,]+)( [^ ]+)? in", text(b, "summary"))
            factor = {" M": 1e6, " G": 1e9, " s": 1e9, " ms": 1e6, " µs": 1e3}.get(shown[2], 1)
            value = float(shown[1].replace(",", "")) * factor
            check(abs(value - total) <= 0.006 * total, f"{name}: {shown[0]}, not {total}")
        choose(b, "colour", "0")
        check("instructions per cycle" in text(b, "colour-legend"), text(b, "colour-legend"))
        no_faults(b, path)


@test
def click_zooms_and_escape_goes_back(env):
    stream = env.made("demo")
    stacks = folded(env, stream)
    wanted = (100 * sum(c for frames, c in stacks if frames[0] == "main") / sum(c for _, c in stacks))
    path = page(env, stream)
    with look() as b:
        b.open(path)
        x, y, width, height = place(b, "graph")
        # the row above the root, from the left, until the frame of main is met
        for at in range(5, int(width), 5):
            b.move(x + at, y + height - 27)
            if text(b, "detail").startswith("main "):
                break
        share = float(re.match(r"main ([\d.]+) %", text(b, "detail"))[1])
        check(abs(share - wanted) < 0.006, f"main: {share}, not {wanted}")
        b.click(x + at, y + height - 27)
        check(not b.run("document.getElementById('reset').hidden"), "not zoomed")
        b.move(x + width - 5, y + height - 27)
        equal(b.run("document.querySelector('#tip:not([hidden]) p')?.textContent"), "main",
              "at the right of the zoomed row is")
        b.key("Escape")
        check(b.run("document.getElementById('reset').hidden"), "still zoomed")
        no_faults(b, path)


@test
def keyboard_alone_is_enough(env):
    path = page(env, env.made("demo"))
    with look() as b:
        b.open(path)
        b.run("document.getElementById('graph').focus()")
        b.key("ArrowUp")
        check(text(b, "detail").startswith("all "), text(b, "detail"))
        b.key("ArrowUp")
        frame = text(b, "detail").split(" ")[0]
        b.key("Enter")
        check(not b.run("document.getElementById('reset').hidden"), "Enter does not zoom")
        b.key("ArrowRight")
        check(text(b, "detail").startswith(frame), f"{text(b, 'detail')}, not {frame}")
        b.key("Home")
        b.key("i")
        equal(b.run("document.getElementById('icicle').getAttribute('aria-pressed')"), "true", "icicle")
        b.key("/")
        equal(b.run("document.activeElement.id"), "search", "/ leads to")
        no_faults(b, path)


def widest_path(stacks, depth):
    """[(frame, samples)] from the root, always on to the child with most samples."""
    path = []
    for at in range(depth):
        below = collections.Counter()
        for frames, count in stacks:
            if len(frames) > at:
                below[frames[at]] += count
        path.append(below.most_common(1)[0])
        stacks = [(f, c) for f, c in stacks if len(f) > at and f[at] == path[-1][0]]
    return path


@test
def frames_of_every_view(env):
    """The widest frames, one above the other, as the keyboard goes to them."""
    stream = env.made("demo")
    stacks = folded(env, stream)
    whole = sum(c for _, c in stacks)
    path = page(env, stream)
    with look() as b:
        b.open(path)
        for view, roots in (("merged", 0), ("process", 1), ("thread", 1)):
            for inverted in ("false", "true"):
                choose(b, "view", view)
                b.run(f"(() => {{ const e = document.getElementById('inverted');"
                      f"if (e.checked !== {inverted}) e.click(); }})()")
                b.run("document.getElementById('graph').focus()")
                b.key("Home")
                for _ in range(1 + roots):
                    b.key("ArrowUp")
                if roots: # of the widest process or thread only
                    name = re.match(r"(.*) \((thread )?(\d+)\) ", text(b, "detail"))
                    chosen = folded(env, stream, "--tid" if view == "thread" else "--pid", name[3])
                else:
                    chosen = stacks
                if inverted == "true":
                    chosen = [(f[::-1], c) for f, c in chosen]
                for frame, count in widest_path(chosen, 3):
                    b.key("ArrowUp")
                    wanted = f"{frame} {100 * count / whole:.2f} % "
                    check(text(b, "detail").startswith(wanted),
                          f"by {view}, inverted {inverted}: {text(b, 'detail')}, not {wanted}")
        no_faults(b, path)


@test
def search_tells_the_share(env):
    stream = env.made("demo")
    stacks = folded(env, stream)
    whole = sum(c for _, c in stacks)
    path = page(env, stream)
    with look() as b:
        b.open(path)
        for what, regex in (("handle", "handle"), ("/^(fib|write)$/", "^(fib|write)$"), ("zzz", "zzz")):
            hit = sum(c for frames, c in stacks if any(re.search(regex, f) for f in frames))
            for view in ("merged", "thread"):
                choose(b, "view", view)
                search(b, what)
                share = float(text(b, "matched").split()[0])
                check(abs(share - 100 * hit / whole) < 0.006,
                      f"{what} by {view}: {share}, not {100 * hit / whole}")
        equal(text(b, "heat-title"), "Timeline of what matches", "title of the timeline")
        b.key("Escape")
        equal(text(b, "heat-title"), "Timeline", "title of the timeline after Escape")
        equal(text(b, "matched"), "", "matched after Escape")
        no_faults(b, path)


@test
def weight_is_the_same_in_every_view(env):
    """Each view holds all samples: its root is 100 %, and self times add up to that."""
    path = page(env, env.made("names"))
    with look() as b:
        b.open(path)
        whole = samples(b)
        for view in ("merged", "process", "thread"):
            for inverted in ("false", "true"):
                choose(b, "view", view)
                b.run(f"(() => {{ const e = document.getElementById('inverted');"
                      f"if (e.checked !== {inverted}) e.click(); }})()")
                equal(samples(b), whole, f"samples by {view}, inverted {inverted}")
                b.run("document.getElementById('graph').focus()")
                check("100.00 %" in text(b, "detail"), text(b, "detail"))
                own = sum(s for s, _ in table(b).values())
                check(abs(own - 100) < 0.005 * len(table(b)) + 0.01, f"self adds up to {own} %")
        no_faults(b, path)


@test
def range_of_time_shows_its_samples(env):
    stream = env.made("big", 20000, 400)
    path = page(env, stream)
    with look() as b:
        b.open(path)
        x, y, width, _ = place(b, "heat")
        b.drag((x + 100, y + 30), (x + width / 2, y + 60), (x + width * 0.6, y + 90))
        begin, end = map(float, re.findall(r"([\d.]+) s", text(b, "range")))
        check(0 < begin < end, text(b, "range"))
        # the tools' own filter takes samples up to the end, and that one too
        stacks = folded(env, stream, "--time", f"{begin}s..{end - 1e-9:.9f}s")
        wanted = shares(stacks)
        equal(samples(b), sum(c for _, c in stacks), "samples in the range")
        for function, (own, total) in table(b).items():
            check(abs(own - wanted[function][0]) < 0.006 and abs(total - wanted[function][1]) < 0.006,
                  f"{function}: {own, total}, not {wanted[function]}")
        b.run("document.getElementById('whole').click()")
        equal(samples(b), 20000, "samples of the whole recording")
        no_faults(b, path)


@test
def range_by_keyboard(env):
    path = page(env, env.made("big", 20000, 400))
    with look() as b:
        b.open(path)
        b.run("document.getElementById('heat').focus()")
        for key in ("ArrowRight", "Enter", "ArrowRight", "ArrowRight", "Enter"):
            b.key(key)
        check("–" in text(b, "range"), text(b, "range"))
        check(0 < samples(b) < 20000, text(b, "summary"))
        b.key("Escape")
        equal(samples(b), 20000, "samples after Escape")
        no_faults(b, path)


@test
def counts_of_a_range_are_right_on_average(env):
    """Values that differ are kept in five digits: the whole as a range is near the exact sums."""
    path = page(env, env.made("counts"))
    with look() as b:
        b.open(path)
        for name in b.run("Array.from(document.querySelectorAll('#tabs button'), (t) => t.textContent)"):
            b.run(f"Array.from(document.querySelectorAll('#tabs button')).find((t) => t.textContent === "
                  f"'{name}').click()")
            number = r": (?:about )?([\d.,]+)"
            exact = float(re.search(number, text(b, "summary"))[1].replace(",", ""))
            x, y, width, height = place(b, "heat")
            b.drag((x + 56, y + 1), (x + width - 2, y + height - 20))
            about = float(re.search(number, text(b, "summary"))[1].replace(",", ""))
            check(abs(about - exact) <= 0.02 * exact, f"{name}: {about} of {exact}")
            b.run("document.getElementById('whole').click()")
        no_faults(b, path)


HOSTILE = '</script><img src=x onerror=alert(1)>&"\'\x1b[31m\n'


@test
def hostile_names_stay_text(env):
    stream = env.made("demo") # one thread's name has an escape, a newline and no UTF-8
    path = page(env, stream, "--title", HOSTILE)
    with open(path, encoding="utf-8") as f: # and strict: all of it is UTF-8
        source = f.read()
    equal(source.count("</script>"), 2, "ends of scripts")
    check("\x1b" not in source and "onerror" not in source.split("<style>")[1], "a name is in the page's source")
    with look() as b:
        b.open(path)
        equal(text(b, "title"), HOSTILE.replace("\x1b", "?").replace("\n", "?"), "title")
        equal(b.run("document.querySelectorAll('img').length"), 0, "images")
        no_faults(b, path)
    env.tool("flamegraph", "--svg", "--title", HOSTILE, "-e", "page-faults", "--by", "thread", "-o",
             "hostile.svg", stream)
    root = xml.etree.ElementTree.parse(env.path("hostile.svg")).getroot()
    equal([t.text for t in root.iter(f"{SVG}text")][0], HOSTILE.replace("\x1b", "?").replace("\n", "?"),
          "title of the picture")


@test
def page_allows_no_network(env):
    with open(page(env, env.made("demo")), encoding="utf-8") as f:
        source = f.read()
    check("default-src 'none'" in source, "no policy")
    check(not re.search(r'\b(src|href)\s*=', source) and "@import" not in source, "it refers to a file")


@test
def same_stream_same_page(env):
    stream = env.made("demo")
    with open(page(env, stream), "rb") as a, open(page(env, stream, name="again.html"), "rb") as b:
        check(a.read() == b.read(), "two pages of one stream differ")


@test
def filters_are_kept(env):
    stream = env.made("demo")
    options = ("--comm", "server", "--user")
    path = page(env, stream, *options)
    with look() as b:
        b.open(path)
        equal(samples(b), sum(c for _, c in folded(env, stream, *options)), "samples")
        check("server" in text(b, "facts"), "the page does not say what it leaves out")
        no_faults(b, path)


@test
def empty_recordings_are_pages_too(env):
    for kind in ("empty", "nothing", "idle"):
        path = page(env, env.made(kind))
        with look() as b:
            b.open(path)
            check(b.run("document.getElementById('message').hidden"), text(b, "message"))
            no_faults(b, path)


@test
def narrow_and_dark(env):
    """Nothing sticks out at 400 pixels, and text can be read in both schemes."""
    path = page(env, env.made("counts"))
    for dark in (False, True):
        with look(width=400, height=800, dark=dark) as b:
            b.open(path)
            check(b.run("document.documentElement.scrollWidth") <= 400, "it is wider than the window")
            ground, ink = b.run("(() => { const s = getComputedStyle(document.body);"
                                "return [s.backgroundColor, s.color]; })()")
            light = [sum(map(int, re.findall(r"\d+", c)[:3])) for c in (ground, ink)]
            check((light[0] < light[1]) == dark and abs(light[0] - light[1]) > 400, f"{ink} on {ground}")
            no_faults(b, path)


@test(alone=True)
def a_million_samples(env):
    """The page stays below 5 MB, and a click draws anew in less than 100 ms."""
    stream = env.made("big", 1000000, 20000)
    path = page(env, stream)
    check(os.path.getsize(path) < 5e6, f"{os.path.getsize(path)} bytes")
    with look() as b:
        b.open(path)
        equal(samples(b), 1000000, "samples")
        clicks = b.run("""(() => {
            const graph = document.getElementById("graph");
            const times = [];
            for (let i = 0; i < 12; i++) {
                const r = graph.getBoundingClientRect();
                const start = performance.now();
                graph.dispatchEvent(new MouseEvent("click", { clientX: r.x + 300,
                    clientY: r.bottom - (i % 2 ? 9 : 45), bubbles: true }));
                times.push(performance.now() - start);
            }
            return times.sort((a, b) => a - b);
        })()""")
        check(clicks[6] < 100, f"a click took {clicks[6]:.0f} ms")
        x, y, width, _ = place(b, "heat")
        start = time.monotonic()
        b.drag((x + 100, y + 30), (x + width * 0.6, y + 90))
        spent = time.monotonic() - start
        check(spent < 2, f"a range took {spent:.1f} s")
        no_faults(b, path)


@test
def picture_has_the_widths(env):
    stream = env.made("demo")
    whole = sum(c for _, c in folded(env, stream, "-w"))
    for options in ((), ("--inverted",), ("--by", "process")):
        env.tool("flamegraph", "--svg", *options, "-o", "x.svg", stream)
        root = xml.etree.ElementTree.parse(env.path("x.svg")).getroot()
        rows = collections.defaultdict(list)
        for frame in root.iter(f"{SVG}g"):
            box = frame.find(f"{SVG}rect")
            rows[float(box.get("y"))].append((float(box.get("x")), float(box.get("width"))))
        roots = sum(w for _, w in rows[min(rows) if "--inverted" in options else max(rows)])
        check(abs(roots - 1180) < 1, f"{options}: the roots are {roots} wide, of {whole}")
        for row in rows.values():
            row.sort()
            for (x, width), (beside, _) in zip(row, row[1:]):
                check(x + width < beside + 0.02, f"{options}: frames at {x} and {beside} overlap")


@test
def usage(env):
    stream = env.made("demo")
    for options, message in (("--by", "colour"), "not 'colour'"), (("--event", "none"), "no event 'none'"):
        done = env.run(os.path.join(env.bin, "profiler-flamegraph"), *options, stream, status=None)
        check(done.returncode in (1, 2) and message in done.stderr, done.stderr)


if __name__ == "__main__":
    sys.exit(toolbox.main())
