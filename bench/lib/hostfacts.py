# SPDX-License-Identifier: Apache-2.0
"""hostfacts.py - what machine, in what state, and what build a figure is of.

facts() describes the machine now; Watch() says what happened to it meanwhile (steal); build() the
build. differences() names what makes two machines not comparable: the facts of COMPARABLE, of
which fingerprint() is a short digest. Frequency and load are noted but compared by nobody: they
change from minute to minute.
"""
import glob
import hashlib
import os
import platform
import re
import subprocess

COMPARABLE = ("architecture", "cpu", "cpus", "caches", "memory_gb", "kernel", "virtualised",
              "governor")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
STEAL = 7  # of the numbers in /proc/stat


def read(path):
    """The text of a file, "" where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read().strip()
    except OSError:
        return ""


def cpu_model(cpuinfo):
    """x86 has a name, arm64 the numbers of the maker and the part."""
    name = re.search(r"^model name\s*:\s*(.*)", cpuinfo, re.M)
    if name:
        family = [re.search(rf"^{key}\s*:\s*(\d+)", cpuinfo, re.M)
                  for key in ("cpu family", "model")]
        return name[1] + "".join(f" {found[1]}" for found in family if found)
    parts = sorted(set(re.findall(r"^CPU part\s*:\s*(\w+)", cpuinfo, re.M)))
    maker = re.search(r"^CPU implementer\s*:\s*(\w+)", cpuinfo, re.M)
    return f"{maker[1]} {'+'.join(parts)}" if maker else "unknown"


def caches():
    """The caches of CPU 0, as "L1d 32K, L1i 32K, L2 1024K"."""
    found = []
    for folder in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(read(f"{folder}/type"), "")
        found.append(f"L{read(f'{folder}/level')}{kind} {read(f'{folder}/size')}")
    return ", ".join(found) or "unknown"


def mhz(cpuinfo):
    khz = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    if khz:
        return round(int(khz) / 1000)
    found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", cpuinfo, re.M)
    return round(float(found[1])) if found else 0


def facts():
    cpuinfo = read("/proc/cpuinfo")
    total = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.M)
    return {
        "architecture": platform.machine(),
        "cpu": cpu_model(cpuinfo),
        "cpus": os.cpu_count(),
        "caches": caches(),
        "memory_gb": round(int(total[1]) / 1e6) if total else 0,
        "kernel": platform.release(),
        "virtualised": "yes" if re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.M) else "no",
        "governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "none",
        "mhz": mhz(cpuinfo),
        "load": round(os.getloadavg()[0], 2),
    }


def fingerprint(host):
    text = "\n".join(f"{key}={host.get(key)}" for key in COMPARABLE)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(one, other):
    """["cpu: A there, B here", ...]: why figures of the two must not be compared."""
    return [f"{key}: {one.get(key)}, and {other.get(key)}" for key in COMPARABLE
            if one.get(key) != other.get(key)]


class Watch:
    """What the hypervisor took since the watch was made."""

    def __init__(self):
        self.begin = self.jiffies()

    @staticmethod
    def jiffies():
        return [int(x) for x in read("/proc/stat").split("\n")[0].split()[1:9]]

    def steal_percent(self):
        passed = [now - then for now, then in zip(self.jiffies(), self.begin)]
        return round(100 * passed[STEAL] / max(1, sum(passed)), 2)


def git(*words):
    """What git says of this tree; "" where it is none, or git is missing."""
    try:
        done = subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, *words],
                              capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def build(folder):
    """Commit and changes of the tree, and how CMake built the folder."""
    cache = read(os.path.join(folder, "CMakeCache.txt"))

    def entry(name):
        found = re.search(rf"^{name}:[A-Z]+=(.*)", cache, re.M)
        return found[1] if found else ""

    compiler = entry("CMAKE_C_COMPILER")
    version = subprocess.run([compiler, "--version"], capture_output=True,
                             text=True).stdout.split("\n")[0] if compiler else ""
    kind = entry("CMAKE_BUILD_TYPE")
    flags = " ".join(filter(None, [entry("CMAKE_C_FLAGS"),
                                   entry(f"CMAKE_C_FLAGS_{kind.upper()}")]))
    return {"commit": git("rev-parse", "--short=12", "HEAD") or "unknown",
            "dirty": bool(git("status", "--porcelain", "-uno")),
            "type": kind, "compiler": version, "flags": flags}
