"""Who may import whom, what may be loaded when, and names that would shadow somebody else's module."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUTER_PACKAGES = ("flows", "blocks", "deployments")


def module_names(folder: Path) -> list[str]:
    """Dotted names of all modules below a package folder."""
    names = (path.relative_to(ROOT).with_suffix("") for path in sorted(folder.rglob("*.py")))
    return [".".join(name.parts).removesuffix(".__init__") for name in names]


DOMAIN = [
    name
    for name in module_names(ROOT / "parallel_workers")
    if not name.startswith("parallel_workers.cli") and not name.endswith("__main__")
]


def loaded_after_importing(modules: list[str], looked_for: tuple[str, ...]) -> list[str]:
    """Which of the packages looked for are loaded in a new process that has imported the modules."""
    script = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(*(name for name in {looked_for!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_domain_loads_neither_prefect_nor_the_outer_packages() -> None:
    assert loaded_after_importing(DOMAIN, ("prefect", *OUTER_PACKAGES)) == []


def test_the_command_line_answers_without_loading_what_is_slow() -> None:
    slow = ("prefect", "pydantic", "fastapi", "sqlalchemy", "git", "yaml", "rich")
    assert loaded_after_importing(["parallel_workers.cli.main"], slow) == []


@pytest.mark.parametrize("package", OUTER_PACKAGES)
def test_no_module_shadows_another(package: str) -> None:
    """Prefect puts the folder of a flow's file first on sys.path: a `queue.py` there would replace Python's own."""
    taken = set(sys.stdlib_module_names) | set(packages_distributions())
    ours = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert ours - {"__init__", "__main__"}, "there is something to check"
    assert ours & taken == set()


def test_what_is_used_of_prefects_internals_is_in_one_file() -> None:
    internal = re.compile(r"prefect\.(flow_engine|task_engine|_internal|server)\b|\b_block_document|pause_reschedule=")
    folders = ("flows", "blocks", "parallel_workers")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    using = {str(path.relative_to(ROOT)) for path in files if internal.search(path.read_text(encoding="utf-8"))}
    assert using == {"flows/prefect_internals.py"}
