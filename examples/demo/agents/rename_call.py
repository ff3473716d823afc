"""Agent `codemod`: moves every caller of `calc_price` to `quote`, whose arguments come in another order.

    python3 tools/rename_call.py postage

`calc_price(grams, zone, express)` becomes `quote(zone, grams, express=…)`, wherever and under whatever name a
module imported it; then the deprecated function goes. Calls are found in the syntax tree, not by their spelling.
Last it runs every docstring example with deprecation warnings as errors.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HOME_MODULE, OLD, NEW = "postage.rates", "calc_price", "quote"
_PARAMETERS = ("grams", "zone", "express")


class Edit(NamedTuple):
    """Replace the source between two offsets (in characters)."""

    begin: int
    end: int
    text: str


class Text:
    """A module's source, and where in it a node of its syntax tree stands."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tree = ast.parse(source)
        self._rows = [0]
        for row in source.splitlines(keepends=True):
            self._rows.append(self._rows[-1] + len(row))

    def span(self, node: ast.expr | ast.stmt | ast.alias) -> tuple[int, int]:
        """First and one-past-last offset of a node. The package is ASCII, so columns are characters."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        begin = self._rows[node.lineno - 1] + node.col_offset
        return begin, self._rows[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.expr) -> str:
        """The source of a node."""
        return self.source[slice(*self.span(node))]

    def apply(self, edits: list[Edit]) -> str:
        """The source with all edits done, last first so that offsets hold."""
        source = self.source
        for begin, end, text in sorted(edits, reverse=True):
            source = source[:begin] + text + source[end:]
        return source


def migrate(source: str, *, is_home: bool) -> str:
    """The module with every call migrated; in the module that defines it, without the deprecated function."""
    text = Text(source)
    names = {OLD} if is_home else _names_of_old(text.tree)
    edits = [_new_import(text, alias) for alias in _imports(text.tree)]
    edits += [edit for node in ast.walk(text.tree) if (edit := _new_call(text, node, names))]
    migrated = text.apply(edits)
    return _drop_old(migrated) if is_home else migrated


def _imports(tree: ast.Module) -> list[ast.alias]:
    froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == HOME_MODULE)
    return [alias for node in froms for alias in node.names if alias.name == OLD]


def _names_of_old(tree: ast.Module) -> set[str]:
    return {alias.asname or alias.name for alias in _imports(tree)}


def _new_import(text: Text, alias: ast.alias) -> Edit:
    return Edit(*text.span(alias), NEW + (f" as {alias.asname}" if alias.asname else ""))


def _new_call(text: Text, node: ast.AST, names: set[str]) -> Edit | None:
    """The edit for a call of the old function: by a name it was imported as, or as an attribute of its module."""
    if not isinstance(node, ast.Call):
        return None
    called = node.func
    if isinstance(called, ast.Name) and called.id in names:
        new = NEW if called.id == OLD else called.id
    elif isinstance(called, ast.Attribute) and called.attr == OLD:
        new = f"{text.of(called.value)}.{NEW}"
    else:
        return None
    given = dict(zip(_PARAMETERS, map(text.of, node.args), strict=False))
    given |= {word.arg: text.of(word.value) for word in node.keywords if word.arg}
    express = f", express={given['express']}" if "express" in given else ""
    return Edit(*text.span(node), f"{new}({given['zone']}, {given['grams']}{express})")


def _drop_old(source: str) -> str:
    """Without the deprecated function, and without an import that only it used."""
    rows = source.splitlines(keepends=True)
    old = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == OLD)
    source = "".join(rows[: old.lineno - 1]).rstrip() + "\n" + "".join(rows[old.end_lineno :])
    tree = ast.parse(source)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.Import) and not any((alias.asname or alias.name) in used for alias in node.names):
            source = source.replace(f"{ast.unparse(node)}\n", "", 1)
    return source


def run_examples(package: Path) -> None:
    """Run every docstring example of every module, deprecation warnings being errors; raises when one fails."""
    program = (
        "import doctest, importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    found = doctest.testmod(importlib.import_module(name))\n"
        "    print(f'{name}: {found.attempted} lines of examples, {found.failed} fail', flush=True)\n"
        "    assert not found.failed\n"
    )
    names = [f"{package.name}.{module.stem}" for module in sorted(package.glob("[!_]*.py"))]
    strict = [sys.executable, "-W", "error::DeprecationWarning", "-c", program, *names]
    subprocess.run(strict, check=True, cwd=package.parent)


def main(package: str) -> None:
    folder = Path(package)
    for module in sorted(folder.glob("*.py")):
        source = module.read_text(encoding="utf-8")
        migrated = migrate(source, is_home=f"{folder.name}.{module.stem}" == HOME_MODULE)
        if migrated != source:
            module.write_text(migrated, encoding="utf-8")
            print(f"{module}: migrated", flush=True)
        left = [node for node in ast.walk(ast.parse(migrated)) if isinstance(node, ast.Name) and node.id == OLD]
        assert not left, f"{module} still names {OLD}"
    run_examples(folder.absolute())


if __name__ == "__main__":
    main(sys.argv[1])
