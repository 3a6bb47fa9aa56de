#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""prove_compare.py - shows that bench/compare finds a regression, and finds none where none is.

    bench/prove_compare.py [--times N] [--group NAME] [--measure NAME] [--jobs N]

Copies the tree into a temporary folder three times and builds target `micro` in each: as it is, as
it is again, and with parse_sample() of profiler/parse.h slower on purpose: it copies each event
before it looks at it. The first is measured once, as a baseline is; then the others in turn, N
times (10). Each measurement is compared with the baseline by bench/compare. Prints a line each time.
--measure time leaves all rows but those out, to see what times alone would have told.

Exit status 0 if the slower build was called worse and the other was not, each time; 1 if not, 2 if
it cannot be tried.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(HERE)
BUILDS = ("base", "same", "slower")
NAME = "parse_sample"
SLOWER = f"""
static inline const struct sample_event *{NAME}(const void *record, uint32_t bytes, uint32_t cpu)
{{
	static _Thread_local struct sample_event copy;

	if (bytes == sizeof(copy)) {{
		__builtin_memcpy(&copy, record, sizeof(copy));
		__asm__ volatile("" : : : "memory");
		return {NAME}_in_place(&copy, bytes, cpu);
	}}
	return {NAME}_in_place(record, bytes, cpu);
}}
"""


def make_slower(folder):
    """The function gets another name, and the one that copies its old one."""
    path = os.path.join(folder, "profiler/parse.h")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    found = re.search(rf"^static inline const struct sample_event \*{NAME}\(.*?^}}\n", text,
                      re.M | re.S)
    if not found:
        sys.exit(f"prove_compare: no {NAME}() in profiler/parse.h as this program knows it")
    slow = found[0].replace(f"{NAME}(", f"{NAME}_in_place(") + SLOWER
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(found[0], slow))


def build(folder, jobs):
    """A copy of the tree in the folder, built; ends the program if that fails."""
    for command in (["cmake", "-S", folder, "-B", f"{folder}/build", "-G", "Ninja",
                     "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
                    ["cmake", "--build", f"{folder}/build", "--target", "micro", "-j", str(jobs)]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"prove_compare: {' '.join(command)} failed:\n{done.stdout[-2000:]}"
                  f"{done.stderr[-2000:]}", file=sys.stderr)
            sys.exit(2)


def measure(folder, path, args):
    program = os.path.join(folder, "bench/micro/micro.py")
    done = subprocess.run([program, "--build", f"{folder}/build", "--group", args.group, "--json",
                           path], capture_output=True, text=True)
    if not os.path.exists(path):
        print(f"prove_compare: micro.py: {done.stderr[-2000:]}", file=sys.stderr)
        sys.exit(2)
    if args.measure:
        with open(path, encoding="utf-8") as f:
            result = json.load(f)
        result["rows"] = [row for row in result["rows"] if row["measure"] == args.measure]
        with open(path, "w", encoding="utf-8") as f:
            json.dump(result, f)


def compare(base, new):
    """(exit status, what got worse)"""
    done = subprocess.run([os.path.join(HERE, "compare"), base, new], capture_output=True,
                          text=True)
    if done.returncode == 2:
        print(f"prove_compare: {done.stderr or done.stdout}", file=sys.stderr)
        sys.exit(2)
    worse = re.findall(r"^worse +(\S+ %)? .*/([^/\s]+)$", done.stdout, re.M)
    return done.returncode, ", ".join(f"{measure} {change}" for change, measure in worse)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--group", default="parse")
    parser.add_argument("--measure", help="only rows of this measure")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    right = {"same": 0, "slower": 0}
    with tempfile.TemporaryDirectory(prefix="profiler-prove-") as work:
        for name in BUILDS:
            folder = os.path.join(work, name)
            shutil.copytree(TREE, folder, symlinks=True, ignore=shutil.ignore_patterns(
                ".git", "build", "*.prof", "__pycache__"))
            if name == "slower":
                make_slower(folder)
            build(folder, args.jobs)
        base = os.path.join(work, "base.json")
        measure(os.path.join(work, "base"), base, args)
        for i in range(args.times):
            told = []
            for name, wanted in (("same", 0), ("slower", 1)):
                path = os.path.join(work, f"{name}{i}.json")
                measure(os.path.join(work, name), path, args)
                status, worse = compare(base, path)
                right[name] += status == wanted
                told.append(f"{name}: {'worse' if status else 'not worse'}"
                            + (f" ({worse})" if worse else ""))
            print(f"{i + 1:3}  " + "; ".join(told), flush=True)
    print(f"the same code rebuilt was left alone {right['same']} of {args.times} times, the slower "
          f"was found {right['slower']}")
    return 0 if right == {"same": args.times, "slower": args.times} else 1


if __name__ == "__main__":
    sys.exit(main())
