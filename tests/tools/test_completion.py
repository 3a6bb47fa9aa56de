# SPDX-License-Identifier: Apache-2.0
"""test_completion.py - what bash offers at the command lines of the recorder and the tools."""
import glob
import os
import re
import sys

import toolbox
from toolbox import check, equal, test

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "../../tools/completion.bash")


def complete(env, *words):
    """What is offered for the last of the words; the others stand before it."""
    line = " ".join(f"'{word}'" for word in words)
    done = env.run("bash", "--norc", "-c", f"""
        . '{SCRIPT}'
        COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}
        _profiler '{words[0]}' '{words[-1]}' '{words[-2]}'
        printf '%s\\n' "${{COMPREPLY[@]}}" """)
    equal(done.stderr, "", "what completion says on stderr")
    return done.stdout.split("\n")[:-1]


def programs(env):
    paths = glob.glob(os.path.join(env.bin, "profiler*"))
    return sorted(os.path.basename(path) for path in paths if not path.endswith("-jail"))


@test
def every_option_of_help_is_offered(env):
    for program in programs(env):
        text = env.run(program, "--help").stdout
        # However help writes them; in an example an option stands behind the program's name.
        options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.M))
        check({"--help", "--version"} <= options, f"{program} --help: {text}")
        equal(set(complete(env, program, "--")), options, f"{program} --")


@test
def an_option_is_told_by_its_beginning(env):
    equal(complete(env, "profiler-report", "--in"), ["--inverted"], "--in")
    equal(complete(env, "profiler-report", "-w"), ["-w"], "-w")
    equal(complete(env, "profiler", "--hw"), ["--hw-events"], "--hw")
    equal(complete(env, "profiler-report", "--nonsense"), [""], "--nonsense")


@test
def values_of_options(env):
    equal(complete(env, "profiler-report", "--by", "c"), ["comm", "cgroup", "container", "cpu"],
          "--by c")
    equal(complete(env, "profiler", "--call-graph", "d"), ["dwarf"], "--call-graph d")
    check(str(os.getpid()) in complete(env, "profiler", "-p", str(os.getpid())), "-p PID")
    os.mkdir(env.path("folder"))
    with open(env.path("file"), "w", encoding="ascii"):
        pass
    equal(complete(env, "profiler-folded", "--debug-dir", "f"), ["folder"], "--debug-dir f")
    equal(sorted(complete(env, "profiler", "-o", "f")), ["file", "folder"], "-o f")
    equal(complete(env, "profiler", "--hz", ""), [""], "nothing is known of --hz")


@test
def streams_and_tools(env):
    for name in ("one.prof", "two.prof", "other"):
        with open(env.path(name), "w", encoding="ascii"):
            pass
    equal(complete(env, "profiler-report", "--json", "o"), ["one.prof"], "a stream")
    tools = [name[len("profiler-"):] for name in programs(env) if name != "profiler"]
    equal(set(complete(env, "profiler", "")) & set(tools), set(tools), "tools")
    equal(complete(env, "profiler", "repo"), ["report"], "profiler repo")
    equal(complete(env, "profiler", "report", "--inv"), ["--inverted"], "profiler report --inv")
    equal(complete(env, "profiler", "report", "t"), ["two.prof"], "profiler report t")


@test
def behind_the_recorders_options_is_a_command(env):
    for words in (["--", "ech"], ["--hz", "1000", "--", "ech"], ["-q", "ech"], ["ls", "ech"]):
        check("echo" in complete(env, "profiler", *words), f"profiler {' '.join(words)}")
    check("--by" not in complete(env, "profiler", "--", "ls", "--"), "options of another program")


if __name__ == "__main__":
    sys.exit(toolbox.main())
