"""Files and functions stay small enough to be read at one go."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).parents[2]
PACKAGES = ("parallel_workers", "flows", "blocks", "deployments", "tests", "benchmarks", "examples")
FILES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if "__pycache__" not in path.parts and path.stat().st_size
]


def lengths_of_functions(path: Path) -> dict[str, int]:
    """Lines of each function in a file, by `path:line name`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_files() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > 400} == {}
    assert median(lines.values()) <= 100


def test_functions() -> None:
    lengths = {name: length for path in FILES for name, length in lengths_of_functions(path).items()}
    assert {name: length for name, length in lengths.items() if length > 50} == {}
    assert quantiles(lengths.values(), n=10)[-1] <= 30
