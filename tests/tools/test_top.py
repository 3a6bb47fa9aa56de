#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_top.py - profiler-top on a terminal made here: what stands on the screen, what keys do, and
that the terminal is as it was, however it ends.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata

import toolbox
from toolbox import check, equal, skip, test

SEQUENCE = re.compile(r"\x1b(?:\[([?>]?)([0-9;]*)([@A-Za-z])|[()][0-9A-B]|[=>78M])")


class Screen:
    """What a terminal like xterm would show: enough of it for what ncurses writes."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.alternate = False
        self.rest = ""
        self.last = " "
        self.region = (0, rows - 1)
        self.plain = "" # what was written outside of the alternate screen

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.cells)

    def line(self, row):
        return "".join(self.cells[row]).rstrip()

    def feed(self, text):
        text = self.rest + text
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = SEQUENCE.match(text, at)
                if not match:
                    if len(text) - at < 20:
                        break # more of it is to come
                    raise AssertionError(f"not known here: {text[at:at + 20]!r}")
                self.escape(*match.groups())
                at = match.end()
                continue
            self.put(text[at])
            at += 1
        self.rest = text[at:]

    def put(self, c):
        if not self.alternate:
            self.plain += c
        if c == "\r":
            self.column = 0
        elif c == "\n":
            self.down()
        elif c == "\b":
            self.column = max(0, self.column - 1)
        elif c >= " ":
            if self.column >= self.columns:
                self.column = 0
                self.down()
            self.cells[self.row][self.column] = self.last = c
            self.column += 2 if unicodedata.east_asian_width(c) in "WF" else 1

    def down(self):
        if self.row == self.region[1]:
            self.scroll(self.region[0], 1)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def scroll(self, top, count):
        bottom = self.region[1]
        for _ in range(abs(count)):
            if count > 0:
                del self.cells[top]
                self.cells.insert(bottom, [" "] * self.columns)
            else:
                del self.cells[bottom]
                self.cells.insert(top, [" "] * self.columns)

    def escape(self, private, numbers, final):
        if final is None:
            return
        n = [int(x) if x else 0 for x in numbers.split(";")] if numbers else []
        one = max(n[0] if n else 1, 1)
        line = self.cells[self.row]
        if private:
            if final in "hl" and n and n[0] in (47, 1047, 1049):
                self.alternate = final == "h"
        elif final in "Hf":
            self.row = min(max((n[0] if n else 1), 1), self.rows) - 1
            self.column = min(max((n[1] if len(n) > 1 else 1), 1), self.columns) - 1
        elif final == "A":
            self.row = max(self.row - one, 0)
        elif final == "B":
            self.row = min(self.row + one, self.rows - 1)
        elif final == "C":
            self.column = min(self.column + one, self.columns - 1)
        elif final == "D":
            self.column = max(self.column - one, 0)
        elif final in "G`":
            self.column = min(one, self.columns) - 1
        elif final == "d":
            self.row = min(one, self.rows) - 1
        elif final == "J":
            self.erase(n[0] if n else 0)
        elif final == "K":
            start, end = ((self.column, self.columns), (0, self.column + 1),
                          (0, self.columns))[n[0] if n else 0]
            line[start:end] = [" "] * (min(end, self.columns) - start)
        elif final == "X":
            end = min(self.column + one, self.columns)
            line[self.column:end] = [" "] * (end - self.column)
        elif final == "P":
            del line[self.column:self.column + one]
            line += [" "] * (self.columns - len(line))
        elif final == "@":
            line[self.column:self.column] = [" "] * one
            del line[self.columns:]
        elif final == "b":
            for _ in range(one):
                self.put(self.last)
        elif final == "L":
            self.scroll(self.row, -one)
        elif final == "M":
            self.scroll(self.row, one)
        elif final == "S":
            self.scroll(self.region[0], one)
        elif final == "T":
            self.scroll(self.region[0], -one)
        elif final == "r":
            self.region = ((n[0] - 1, n[1] - 1) if len(n) > 1 else (0, self.rows - 1))
        elif final not in "mlht":
            raise AssertionError(f"not known here: {numbers}{final}")

    def erase(self, what):
        for row in range(self.rows):
            for column in range(self.columns):
                before = (row, column) < (self.row, self.column)
                if what == 2 or (what == 0 and not before) or (what == 1 and before):
                    self.cells[row][column] = " "


class Terminal:
    """A program on a terminal of its own, as a shell would start it."""

    def __init__(self, env, *command, rows=24, columns=80, stdin=None, term="xterm"):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.screen = Screen(rows, columns)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command, stdin=slave if stdin is None else stdin, stdout=slave, stderr=slave,
            cwd=env.temp, env=dict(env.environ, TERM=term), preexec_fn=own_terminal)

    def read(self, seconds):
        """Takes over what is written within this time; False once nobody can write any more."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.screen.feed(data.decode("utf-8", "replace"))
        return True

    def wait_for(self, pattern, seconds=10):
        """Reads until the screen has it, and has been drawn to its end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.05)
            if re.search(pattern, self.screen.text(), re.M):
                self.read(0.1)
                return
        check(False, f"not on the screen: {pattern}:\n{self.screen.text()}")

    def wait_gone(self, pattern, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.1)
            if not re.search(pattern, self.screen.text(), re.M):
                return
        check(False, f"still on the screen: {pattern}:\n{self.screen.text()}")

    def type(self, keys):
        os.write(self.master, keys.encode())

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen = Screen(rows, columns)
        self.screen.alternate = True
        self.process.send_signal(signal.SIGWINCH)

    def end(self, seconds=10):
        """The exit status; the terminal has to be as it was."""
        limit = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < limit:
            self.read(0.05)
        check(self.process.poll() is not None, "does not end: " + self.screen.text())
        self.read(0.1)
        check(not self.screen.alternate, "the terminal is left in the alternate screen")
        equal(termios.tcgetattr(self.slave)[:4], self.before[:4], "modes of the terminal")
        os.close(self.slave)
        os.close(self.master)
        return self.process.returncode


def top(env):
    return os.path.join(env.bin, "profiler-top")


def on_file(env, path, *words, **options):
    with open(path, "rb") as stream:
        return Terminal(env, top(env), *words, stdin=stream, **options)


def shares(screen):
    """By function: self in the window, total in it, self of all, total of all."""
    lines = re.findall(r"^ *([\d.]+)% +([\d.]+)% \| +([\d.]+)% +([\d.]+)% .*  (\S+)", screen.text(),
                       re.M)
    return {line[4]: tuple(map(float, line[:4])) for line in lines}


@test
def says_what_report_says(env):
    path = env.made("demo")
    report = env.json("report", "--by", "function", path)
    whole = report["events"][0]["samples"]
    terminal = on_file(env, path, rows=60, columns=120)
    terminal.wait_for("the recording has ended")
    shown = shares(terminal.screen)
    check(len(shown) > 3, terminal.screen.text())
    for function in report["functions"]:
        events = [e for e in function["events"] if e["event"] == "cpu-clock"]
        if not events or function["name"].startswith("["):
            continue
        want = [100 * events[0][key] / whole for key in ("self", "total")]
        got = shown[function["name"]][2:]
        check(all(abs(a - b) < 0.01 for a, b in zip(got, want)),
              f"{function['name']}: {got}, not {want}")
    check(re.search("^ledger: .* expected = .* written", terminal.screen.text(), re.M),
          terminal.screen.text())
    terminal.type("q")
    equal(terminal.end(), 0, "exit status")
    check("samples in" in terminal.screen.plain and "expected =" in terminal.screen.plain,
          f"no closing line: {terminal.screen.plain!r}")


@test
def keys(env):
    terminal = on_file(env, env.made("demo"), columns=100)
    terminal.wait_for("the recording has ended")
    terminal.type("h")
    terminal.wait_for("any key goes back")
    terminal.type("x")
    terminal.wait_for("by self")
    terminal.type("t")
    terminal.wait_for("by total")
    totals = [x[1] for x in shares(terminal.screen).values()]
    equal(totals, sorted(totals, reverse=True), "order by total")
    terminal.type("n")
    terminal.wait_for("by name")
    names = list(shares(terminal.screen))
    equal(names, sorted(names), "order by name")
    terminal.type("s/PARSE")
    terminal.wait_for("^/PARSE")
    equal(list(shares(terminal.screen)), ["parse"], "what the filter shows")
    terminal.type("\r")
    terminal.wait_for("only PARSE")
    terminal.type("/\x1b")
    terminal.wait_gone("only PARSE")
    terminal.type("e")
    terminal.wait_for("^context-switches: 18 samples")
    terminal.type("p")
    terminal.wait_for(r"\[paused\]")
    first = terminal.screen.line(4)
    terminal.type("p\x1bOB") # the arrow down
    terminal.wait_gone(re.escape(first))
    terminal.type("q")
    equal(terminal.end(), 0, "exit status")


@test
def sizes(env):
    for rows, columns in ((24, 80), (7, 60), (3, 20), (2, 10), (1, 1), (50, 300)):
        terminal = on_file(env, env.made("demo"), rows=rows, columns=columns)
        terminal.read(0.4)
        text = terminal.screen.text()
        if columns >= 20 and rows >= 3:
            check(re.search(r"35\.71% +35\.71% .*par", text), f"{rows} x {columns}: {text}")
            check("self" in text, f"{rows} x {columns}: {text}")
        terminal.resize(24, 80)
        terminal.wait_for("^profiler-top: ")
        terminal.wait_for("^h help|has ended")
        terminal.resize(4, 30)
        terminal.wait_for("^ *self +total +function$")
        terminal.type("q")
        equal(terminal.end(), 0, f"exit status at {rows} x {columns}")


@test
def filters_of_all_tools(env):
    path = env.made("demo")
    terminal = on_file(env, path, "--kernel")
    terminal.wait_for("the recording has ended")
    want = env.json("report", "--kernel", path)["events"][0]["samples"]
    terminal.wait_for(f"cpu-clock.*: {want} samples")
    terminal.type("q")
    terminal.end()


@test
def window_moves(env):
    """A stream whose last moments are in other functions than its beginning."""
    last = env.made("demo") # of a sixth of a second
    env.tool("cat", "--end-to-end", env.made("big", 20000, 40), last, "-o", env.path("late.prof"))
    seen = []
    for window in "1", "60":
        terminal = on_file(env, env.path("late.prof"), "--window", window, columns=120, rows=60)
        terminal.wait_for(f"last {window} s")
        terminal.wait_for("has ended")
        shown = shares(terminal.screen)
        check(all(x[0] <= x[1] + 0.01 and x[2] <= x[3] + 0.01 for x in shown.values()),
              terminal.screen.text())
        seen.append(shown["parse"])
        terminal.type("q")
        terminal.end()
    check(seen[0][0] > 5 * seen[0][2] > 0, f"in the window and since the start: {seen[0]}")
    equal(seen[1][:2], seen[1][2:], "in a window that is longer than all")
    equal(seen[0][2:], seen[1][2:], "since the start")


@test
def a_stream_that_is_still_written(env):
    """What has come is shown before the rest is there; the window is of the stream's time."""
    with open(env.made("demo"), "rb") as file:
        data = file.read()
    reader, writer = os.pipe()
    terminal = Terminal(env, top(env), stdin=reader)
    os.close(reader)
    terminal.wait_for("waiting for the recorder")
    os.write(writer, data[:len(data) // 2])
    terminal.wait_for("parse")
    check("has ended" not in terminal.screen.text(), terminal.screen.text())
    os.write(writer, data[len(data) // 2:])
    os.close(writer)
    terminal.wait_for("the recording has ended")
    terminal.type("q")
    equal(terminal.end(), 0, "exit status")


@test
def a_stream_that_breaks_off(env):
    with open(env.made("demo"), "rb") as file:
        data = file.read()
    reader, writer = os.pipe()
    terminal = Terminal(env, top(env), stdin=reader)
    os.close(reader)
    os.write(writer, data[:len(data) // 2])
    terminal.wait_for("parse")
    os.close(writer)
    equal(terminal.end(), 1, "exit status")
    check("its recorder has died" in terminal.screen.plain, terminal.screen.plain)


@test
def signals(env):
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        reader, writer = os.pipe()
        terminal = Terminal(env, top(env), stdin=reader)
        os.close(reader)
        with open(env.made("demo"), "rb") as file:
            os.write(writer, file.read())
        terminal.wait_for("parse")
        terminal.process.send_signal(number)
        if number == signal.SIGINT: # what is still to come is waited for
            terminal.wait_for("ending the recording")
        os.close(writer)
        equal(terminal.end(), 0, f"exit status after signal {number}")


@test
def hostile_names(env):
    terminal = on_file(env, env.made("names"), columns=200, rows=60)
    terminal.wait_for("the recording has ended")
    check("\x1b" not in terminal.screen.text(), "an escape sequence in a name")
    terminal.type("q")
    terminal.end()
    terminal = on_file(env, env.made("names"), "--sort", "name")
    terminal.wait_for("by name")
    terminal.type("q")
    terminal.end()


def record_on(env, *words, **options):
    if os.geteuid() != 0:
        skip("recording needs root")
    check(os.path.exists(os.path.join(env.bin, "profiler")), "no recorder is built")
    return Terminal(env, top(env), "--window", "2", "--hz", "500", *words, **options)


@test
def starts_the_recorder(env):
    mix = os.path.join(env.build, "workloads", "mix")
    terminal = record_on(env, "--", mix, columns=110)
    terminal.wait_for("compress_block", 15)
    terminal.read(2.5)
    shown = shares(terminal.screen)
    check(30 < shown["compress_block"][0] < 60, terminal.screen.text())
    check(re.search("^ledger: .* 0 dropped", terminal.screen.text(), re.M), terminal.screen.text())
    terminal.type("q")
    terminal.end()
    check(re.search(r"profiler: \d+ samples in .* dropped", terminal.screen.plain),
          f"the recorder's closing line: {terminal.screen.plain!r}")


@test
def ctrl_c_ends_the_recorder_in_order(env):
    terminal = record_on(env)
    terminal.wait_for(r"ledger: [\d,]+ expected", 15)
    terminal.type("\x03")
    equal(terminal.end(), 0, "exit status")
    check(re.search(r"profiler: \d+ samples in .* dropped", terminal.screen.plain),
          f"the recorder's closing line: {terminal.screen.plain!r}")


@test
def the_recorder_dies(env):
    terminal = record_on(env)
    terminal.wait_for(r"ledger: [\d,]+ expected", 15)
    children = env.run("ps", "-o", "pid=,comm=", "--ppid", terminal.process.pid).stdout.split("\n")
    pid = next(int(x.split()[0]) for x in children if x.endswith("profiler"))
    os.kill(pid, signal.SIGKILL)
    equal(terminal.end(), 128 + signal.SIGKILL, "exit status")


@test
def the_recorder_refuses(env):
    terminal = record_on(env, "-e", "no-such-event")
    equal(terminal.end(), 1, "exit status")
    check("cannot open event 'no-such-event'" in terminal.screen.plain, terminal.screen.plain)


@test
def a_pipe_from_the_recorder(env):
    """Its progress line is on the same terminal, and spoils nothing."""
    if os.geteuid() != 0:
        skip("recording needs root")
    terminal = Terminal(env, "sh", "-c", f"{env.bin}/profiler --hz 500 | {top(env)}", columns=100)
    terminal.wait_for(r"ledger: [\d,]+ expected", 15)
    terminal.read(2)
    check(terminal.screen.line(0).startswith("profiler-top: "), terminal.screen.text())
    terminal.type("\x03")
    terminal.end()


@test
def refusals(env):
    run = env.run(top(env), status=2, stdin="")
    check("stdout is not a terminal; profiler-report" in run.stderr, run.stderr)
    run = env.run(top(env), "--window", "61", status=2, stdin="")
    check("at most 60" in run.stderr, run.stderr)
    run = env.run(top(env), "--sort", "colour", status=2, stdin="")
    check("self, total or name" in run.stderr, run.stderr)
    run = env.run(top(env), env.made("demo"), status=2, stdin="")
    check("reads a stream from stdin" in run.stderr, run.stderr)
    terminal = on_file(env, env.made("demo"), term="no-such-terminal")
    equal(terminal.end(), 1, "exit status")
    check("terminals of type 'no-such-terminal'" in terminal.screen.plain, terminal.screen.plain)
    terminal = on_file(env, "/dev/null")
    equal(terminal.end(), 1, "exit status on an empty stream")


if __name__ == "__main__":
    sys.exit(toolbox.main())
