"""Agent `changelog`: newest version first, changes in the order of Keep a Changelog, nothing twice.

    python3 tools/sort_changelog.py CHANGELOG.md

It checks that no entry is lost and that the result does not depend on the order it found.
"""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
SHUFFLES = 500
Versions = dict[str, dict[str, list[str]]]


def read(text: str) -> tuple[str, Versions]:
    """The title, and entries by version heading and kind."""
    title, versions, entries = "", Versions(), list[str]()
    for row in text.splitlines():
        if row.startswith("## "):
            kinds = versions.setdefault(row[3:].strip(), {})
        elif row.startswith("### "):
            entries = kinds.setdefault(row[4:].strip(), [])
        elif row.startswith("- "):
            entries.append(row[2:].strip())
        elif row.startswith("# "):
            title = row[2:].strip()
    return title, versions


def write(title: str, versions: Versions) -> str:
    """The changelog in order."""
    rows = [f"# {title}"]
    for version in sorted(versions, key=_number, reverse=True):
        rows += ["", f"## {version}"]
        for kind in sorted(versions[version], key=KINDS.index):
            rows += ["", f"### {kind}", *(f"- {entry}" for entry in sorted(set(versions[version][kind])))]
    return "\n".join(rows) + "\n"


def _number(heading: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", heading.split(maxsplit=1)[0]))


def shuffled(title: str, versions: Versions, chance: random.Random) -> str:
    """The same changelog in any other order."""
    rows = [f"# {title}"]
    for version in chance.sample(list(versions), len(versions)):
        rows += ["", f"## {version}"]
        for kind in chance.sample(list(versions[version]), len(versions[version])):
            entries = versions[version][kind]
            rows += [f"### {kind}", *(f"- {entry}" for entry in chance.sample(entries, len(entries)))]
    return "\n".join(rows)


def _entries(text: str) -> set[tuple[str, str, str]]:
    _, versions = read(text)
    return {
        (version, kind, entry) for version, kinds in versions.items() for kind, each in kinds.items() for entry in each
    }


def main(name: str) -> None:
    file = Path(name)
    before = file.read_text(encoding="utf-8")
    title, versions = read(before)
    after = write(title, versions)
    assert _entries(before) == _entries(after), "an entry was lost"
    chance = random.Random(0)  # noqa: S311 - repeatable on purpose
    for _ in range(SHUFFLES):
        assert write(*read(shuffled(title, versions, chance))) == after, "the result depends on the order before"
    file.write_text(after, encoding="utf-8")
    print(f"{len(versions)} versions, {len(_entries(after))} entries; same result from {SHUFFLES} other orders")


if __name__ == "__main__":
    main(sys.argv[1])
