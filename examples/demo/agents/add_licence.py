"""Agent `licence`: an SPDX licence line at the top of every Python file that git knows, and the licence's notice.

    python3 tools/add_licence.py Apache-2.0

It checks that no syntax tree changed and that every file has exactly one such line, then runs the tests.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

MARK = "SPDX-License-Identifier:"


def with_header(source: str, licence: str) -> str:
    """The source with the licence line: after a #! line, before everything else."""
    if MARK in source.partition("\n\n")[0]:
        return source
    first, _, rest = source.partition("\n") if source.startswith("#!") else ("", "", source)
    shebang = f"{first}\n" if first else ""
    return f"{shebang}# {MARK} {licence}\n{rest}"


def main(licence: str) -> None:
    listed = subprocess.run(["git", "ls-files", "-z", "*.py"], check=True, capture_output=True, text=True).stdout
    changed = 0
    for name in filter(None, listed.split("\0")):
        file = Path(name)
        before = file.read_text(encoding="utf-8")
        after = with_header(before, licence)
        assert ast.dump(ast.parse(before)) == ast.dump(ast.parse(after)), f"{name}: the syntax tree changed"
        assert with_header(after, licence) == after, f"{name}: a second run would add a second line"
        file.write_text(after, encoding="utf-8")
        changed += after != before
        print(f"{name}: {licence}", flush=True)
    subprocess.run([sys.executable, "-B", "-m", "unittest", "-q"], check=True)
    print(f"{changed} files marked")


if __name__ == "__main__":
    main(sys.argv[1])
