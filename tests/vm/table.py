# SPDX-License-Identifier: Apache-2.0
"""table.py - rows of `check` as one table: Markdown, and not wider than 100 columns."""
import re

# What is over a column; a cell that is not here has its name over it.
TITLES = {"list-events": "listed", "loads": "verified", "hardware": "PMU"}
SHORT = {"x86_64": "amd64", "aarch64": "arm64"}


def release(row):
    """6.12.117 of 6.12.117+deb13-cloud-amd64; Debian's 5.10.223 where its name has 5.10.0-32."""
    debian = re.search(r"Debian (\d+\.\d+\.\d+)", row["version"])
    return debian[1] if debian else re.match(r"[\d.]*\d", row["kernel"])[0]


def text(rows):
    names = list(dict.fromkeys(name for row in rows for name in row["cells"]))
    lines = [["kernel"] + [TITLES.get(n, n) for n in names]]
    for row in rows:
        who = f"{SHORT.get(row['arch'], row['arch'])} {release(row)}"
        who += row.get("note", "")
        cells = [row["cells"].get(n) for n in names]
        lines.append([who] + [c["text"] if c else "" for c in cells])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    lines.insert(1, ["-" * w for w in widths])
    # without blanks around the bars, or it would be wider
    return "\n".join("|" + "|".join(c.ljust(w) for c, w in zip(line, widths)) + "|"
                     for line in lines)
