# SPDX-License-Identifier: Apache-2.0
"""suite.py - one run of a suite, as the result object of results.py.

    with suite.Suite("fixed", args.build, args.json) as result:
        result.row("start", "profiler", "ours", "cpu", "ms", "less", times)
        result.note("verified: unknown before kernel 5.16")

The object is written when the block ends, unless by an exception; with no path nothing is. What a
bench says when it cannot measure is one line on stderr and exit status 2: bench/run shows it.
"""
import datetime
import time

import hostfacts
import results


class Suite:
    def __init__(self, name, build, path):
        self.name, self.build, self.path = name, build, path
        self.rows, self.notes = [], []

    def __enter__(self):
        self.host, self.watch = hostfacts.facts(), hostfacts.Watch()
        self.begun, self.start = datetime.datetime.now(datetime.timezone.utc), time.monotonic()
        return self

    def row(self, *fields, **extra):
        """The arguments of results.row()."""
        self.rows.append(results.row(*fields, **extra))

    def note(self, line):
        self.notes.append(line)

    def __exit__(self, kind, _error, _trace):
        if not self.path or kind:
            return
        self.host["steal_percent"] = self.watch.steal_percent()
        results.save({"schema": results.SCHEMA, "suite": self.name, "host": self.host,
                      "build": hostfacts.build(self.build),
                      "begun": self.begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                      "seconds": round(time.monotonic() - self.start, 1), "notes": self.notes,
                      "rows": self.rows}, self.path)
