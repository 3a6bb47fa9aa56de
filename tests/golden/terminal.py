#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""terminal.py - the tools in a terminal, and on outputs that end or are full.

Works on demo.prof, names.prof, counts.prof and big.prof in the current folder.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time


def in_terminal(command, columns=80, stdin=False, **environment):
    """Output on a terminal of so many columns, with the colours still in it; exit status."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    process = subprocess.Popen(command, stdin=slave if stdin else subprocess.DEVNULL, stdout=slave,
                               stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm",
                                                            **environment})
    os.close(slave)
    output = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError: # the other end is closed
            break
        if not data:
            break
        output += data
    os.close(master)
    error = process.stderr.read().decode()
    process.stderr.close()
    return output.decode().replace("\r\n", "\n"), process.wait(), error


def widest(text):
    return max(len(line) for line in re.sub("\033\\[[0-9;]*m", "", text).splitlines())


def check_report():
    plain = subprocess.run(("profiler-report", "demo.prof"), check=True, stdin=subprocess.DEVNULL,
                           capture_output=True).stdout.decode()
    assert "\033" not in plain
    assert "std::map<a, b>::find(\"x\\y\")" in subprocess.run(
        ("profiler-report", "-e", "page-faults", "demo.prof"), check=True,
        capture_output=True).stdout.decode()
    text, status, _ = in_terminal(("profiler-report", "demo.prof"))
    assert status == 0 and "\033[31m" in text
    for columns in 80, 71, 60:
        text, status, _ = in_terminal(("profiler-report", "demo.prof"), columns)
        assert status == 0 and widest(text) <= columns, (columns, widest(text), text)
    text, _, _ = in_terminal(("profiler-report", "demo.prof"), 200, COLUMNS="70")
    assert widest(text) <= 70, text
    for columns in 60, 80, 100, 200:
        text, _, _ = in_terminal(("profiler-report", "counts.prof"), columns)
        assert widest(text) <= columns, text
        assert ("IPC" in text) == (columns > 60) and ("branch/ki" in text) == (columns > 80), text
    for by in "comm", "cpu", "stack":
        text, _, _ = in_terminal(("profiler-report", "--by", by, "counts.prof"))
        assert widest(text) <= 80 and "IPC" in text, text
    for stream in "demo.prof", "names.prof", "counts.prof":
        text, _, _ = in_terminal(("profiler-report", "--stats", stream))
        assert widest(text) <= 80, text
    for by in "pid", "tid", "comm", "cgroup", "container", "cpu", "mapping", "source":
        text, _, _ = in_terminal(("profiler-report", "--by", by, "names.prof"))
        assert widest(text) <= 80, text
        if by == "cgroup": # the end of a path tells more than its beginning
            assert re.search(r"  ~.*d5e6f7\.scope$", text, re.M), text
    for quiet in {"NO_COLOR": "1"}, {"TERM": "dumb"}:
        text, status, _ = in_terminal(("profiler-report", "demo.prof"), 1000, **quiet)
        assert text == plain, text


def check_pprof():
    text, status, error = in_terminal(("profiler-pprof", "demo.prof"))
    assert (text, status) == ("", 2), (text, status)
    assert error == ("profiler-pprof: compressed data not written to a terminal; "
                     "redirect it or use -o FILE\n"), error
    text, status, _ = in_terminal(("profiler-pprof", "-o", "terminal.pb.gz", "demo.prof"))
    assert (text, status) == ("", 0), (text, status)


def check_stdin():
    for tool in "profiler-folded", "profiler-report":
        text, status, error = in_terminal((tool,), stdin=True)
        assert (text, status) == ("", 2) and "stdin is a terminal" in error, (text, status, error)


TOOLS = (("profiler-folded", "big.prof"), ("profiler-report", "--json", "big.prof"),
         ("profiler-report", "big.prof"), ("profiler-pprof", "big.prof"))


def check_progress():
    """Long work is told of on a terminal, and nothing of that stays there."""
    with open("big.prof", "rb") as file:
        data = file.read()
    for wait in 0, 1.5:
        master, slave = pty.openpty()
        process = subprocess.Popen(("profiler-folded",), stdin=subprocess.PIPE, stderr=slave,
                                   stdout=subprocess.DEVNULL)
        os.close(slave)
        process.stdin.write(data[:len(data) // 2])
        process.stdin.flush()
        time.sleep(wait)
        process.stdin.write(data[len(data) // 2:])
        process.stdin.close()
        assert process.wait() == 0
        try:
            told = os.read(master, 65536).decode()
        except OSError:
            told = ""
        os.close(master)
        if wait:
            assert re.match(r"\rprofiler-folded: reading, [0-9,]+ bytes\033\[K", told), told
            assert told.endswith("\r\033[K"), told
        else:
            assert told == "", told


def check_closed():
    """The reader went away before anything was written: no word, no failure, no signal."""
    for command in TOOLS:
        reader, writer = os.pipe()
        os.close(reader)
        result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        assert (result.returncode, result.stderr) == (0, b""), (command, result)


def check_full():
    for command in TOOLS:
        with open("/dev/full", "wb") as full:
            result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
        assert result.returncode == 1, (command, result)
        assert b"No space left on device" in result.stderr, (command, result)
        assert len(result.stderr.splitlines()) == 1, (command, result)


check_report()
check_pprof()
check_stdin()
check_progress()
check_closed()
check_full()
