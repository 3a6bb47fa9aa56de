# SPDX-License-Identifier: Apache-2.0
"""history.py - all results of a machine in one SQLite file, to compare with and to plot.

A session is one bench/run: some results of one build, taken together. Tables:

    session   id, begun, commit_id, dirty, fingerprint (of the machine), label (or NULL)
    result    session, suite, json (the whole object of results.py)
    value     session, suite, grp, name, role, measure, unit, better, median, low, high, count:
              one line for each row of a result, so that sqlite3 alone answers questions:

    sqlite3 build/bench/history.sqlite "SELECT s.begun, s.commit_id, v.median FROM value v
        JOIN session s ON s.id = v.session WHERE grp = 'push' AND name = 'profiler'
        AND measure = 'time' ORDER BY s.id"

The label "baseline" is on at most one session a machine. PRAGMA user_version is the schema's.
"""
import json
import os
import sqlite3

import hostfacts
import results
import summary

VERSION = 1
BASELINE = "baseline"
SCHEMA = """
CREATE TABLE session (id INTEGER PRIMARY KEY, begun TEXT NOT NULL, commit_id TEXT NOT NULL,
    dirty INTEGER NOT NULL, fingerprint TEXT NOT NULL, label TEXT);
CREATE TABLE result (session INTEGER NOT NULL REFERENCES session(id), suite TEXT NOT NULL,
    json TEXT NOT NULL, PRIMARY KEY (session, suite));
CREATE TABLE value (session INTEGER NOT NULL REFERENCES session(id), suite TEXT NOT NULL,
    grp TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, measure TEXT NOT NULL,
    unit TEXT NOT NULL, better TEXT NOT NULL, median REAL NOT NULL, low REAL NOT NULL,
    high REAL NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (session, suite, grp, name, measure));
"""


class Unusable(Exception):
    """The file cannot be used, or has not what was asked for; the message says why."""


class History:
    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        try:
            self.db = sqlite3.connect(path)
            (version,) = self.db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self.db.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version = {VERSION};COMMIT;")
            elif version != VERSION:
                raise Unusable(f"{path}: history of schema {version}, this is for {VERSION}; "
                               "name another file with --history")
        except sqlite3.Error as error:
            raise Unusable(f"{path}: {error}") from error

    def add(self, found, label=None):
        """Appends a session of these results (one a suite); its id."""
        host, build = found[0]["host"], found[0]["build"]
        mark = hostfacts.fingerprint(host)
        with self.db:
            if label:
                self.db.execute("UPDATE session SET label = NULL WHERE label = ? AND "
                                "fingerprint = ?", (label, mark))
            session = self.db.execute(
                "INSERT INTO session (begun, commit_id, dirty, fingerprint, label) VALUES "
                "(?, ?, ?, ?, ?)", (min(r["begun"] for r in found), build.get("commit", "unknown"),
                                    bool(build.get("dirty")), mark, label)).lastrowid
            for result in found:
                results.check(result)
                self.db.execute("INSERT INTO result VALUES (?, ?, ?)",
                                (session, result["suite"], json.dumps(result)))
                self.db.executemany(
                    "INSERT INTO value VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(session, result["suite"], row["group"], row["name"], row["role"],
                      row["measure"], row["unit"], row["better"], *summary.estimate(row),
                      len(row["values"])) for row in result["rows"]])
        return session

    def sessions(self, fingerprint=None):
        """[(id, begun, commit, dirty, label)], the oldest first; of one machine if it is named."""
        return self.db.execute(
            "SELECT id, begun, commit_id, dirty, label FROM session "
            "WHERE ? IS NULL OR fingerprint = ? ORDER BY id",
            (fingerprint, fingerprint)).fetchall()

    def results(self, session):
        """{suite: result} of a session."""
        return {suite: json.loads(text) for suite, text in self.db.execute(
            "SELECT suite, json FROM result WHERE session = ? ORDER BY rowid", (session,))}

    def find(self, name):
        """The id of the newest session that is called so: baseline, last, or a commit."""
        if name == "last":
            where, words = "1", ()
        elif name == BASELINE:
            where, words = "label = ?", (name,)
        else:
            where, words = "commit_id LIKE ? || '%'", (name,)
        (found,) = self.db.execute(f"SELECT max(id) FROM session WHERE {where}", words).fetchone()
        if found is None:
            raise Unusable(f"{self.path}: no session '{name}'; bench/run makes one"
                           + (", with --save-baseline" if name == BASELINE else ""))
        return found

    def series(self, fingerprint):
        """{(suite, group, measure): {name: [(session, median, low, high)]}} of a machine."""
        found = {}
        for suite, grp, measure, name, *point in self.db.execute(
                "SELECT suite, grp, measure, name, session, median, low, high FROM value "
                "JOIN session ON session.id = value.session WHERE fingerprint = ? "
                "ORDER BY session", (fingerprint,)):
            found.setdefault((suite, grp, measure), {}).setdefault(name, []).append(tuple(point))
        return found
