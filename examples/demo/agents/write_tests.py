"""Agent `test-author`: turns docstring examples into unit tests, and measures them by mutation.

    python3 tools/write_tests.py postage

One tests/test_<module>.py for every module that the task's description names (all, when it names none). Then it
changes each module in small ways (a comparison, a number, an operator), one at a time in a copy, and runs that
module's tests against the change: tests that notice are worth having. Where a change goes unnoticed it looks for a
call, near the examples, whose answer differs, and adds it as a test of what the code does today.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from mutants import Mutant, find_mutants

MOST_MUTANTS = 2
MOST_CPU_SECONDS = 1
MOST_SECONDS = 60


class Case(NamedTuple):
    """A call and its answer, both as source."""

    function: str
    call: str
    answer: str


def read_cases(source: str) -> list[Case]:
    """The docstring examples of a module's functions that answer something."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return [
        Case(function.name, example.source.strip(), example.want.strip())
        for function in functions
        for example in doctest.DocTestParser().get_examples(ast.get_docstring(function) or "")
        if example.want
    ]


def render(package: str, module: str, cases: list[Case]) -> str:
    """A test module with one test per function."""
    functions = list(dict.fromkeys(case.function for case in cases))
    called = {name.id for case in cases for name in ast.walk(ast.parse(case.call)) if isinstance(name, ast.Name)}
    names = ", ".join(sorted(called & set(functions)))
    rows = [f'"""What {package}.{module} answers. Written by tools/write_tests.py from its examples."""', ""]
    rows += ["import unittest", "", f"from {package}.{module} import {names}", "", ""]
    rows += [f"class {module.title().replace('_', '')}Test(unittest.TestCase):"]
    for function in functions:
        rows += [f"    def test_{function}(self):"]
        rows += [f"        self.assertEqual({case.call}, {case.answer})" for case in cases if case.function == function]
        rows += [""]
    return "\n".join([*rows[:-1], ""])


def notices(package: str, module: str, mutant: Mutant) -> bool:
    """Whether the module's tests fail (or never end) when the module's code is the mutant's."""
    program = (
        "import importlib, resource, sys, types, unittest\n"
        # CPU time, because a change that loops for ever must end the same on a busy machine.
        f"resource.setrlimit(resource.RLIMIT_CPU, ({MOST_CPU_SECONDS}, {MOST_CPU_SECONDS}))\n"
        f"importlib.import_module({package!r})\n"
        f"changed = types.ModuleType({f'{package}.{module}'!r})\n"
        f"sys.modules[changed.__name__] = changed\n"
        "exec(compile(sys.stdin.read(), 'mutant', 'exec'), changed.__dict__)\n"
        f"unittest.main({f'tests.test_{module}'!r}, argv=['test'], verbosity=0)\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-S", "-c", program],
            input=mutant.source,
            text=True,
            capture_output=True,
            check=False,
            timeout=MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def find_telling_case(package: str, module: str, cases: list[Case], mutant: Mutant) -> Case | None:
    """A call near the examples that the code and the mutant answer differently."""
    real = vars(importlib.import_module(f"{package}.{module}"))
    changed: dict[str, object] = {"__name__": "mutant"}
    exec(compile(mutant.source, "mutant", "exec"), changed)  # noqa: S102 - this project's own code, changed a little
    for case in cases:
        if case.function != mutant.function:
            continue
        for call in _neighbours(case.call):
            answer = _answer(call, real)
            if answer is not None and answer != _answer(call, changed):
                return Case(case.function, call, answer)
    return None


def _neighbours(call: str) -> list[str]:
    """The call with one whole number in it changed a little, to a limit, or to something round."""
    numbers = [node for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Constant) and type(node.value) is int]
    found: list[str] = []
    for number in numbers:
        before, after = call[: number.col_offset], call[number.end_col_offset :]
        value = int(call[number.col_offset : number.end_col_offset])
        found += [f"{before}{near}{after}" for near in (value + 1, value - 1, 0, 1, 50, 250, 1000, value * 2)]
    return [each for each in found if "-" not in each and each != call]


def _answer(call: str, names: dict[str, object]) -> str | None:
    try:
        return repr(eval(call, dict(names)))  # noqa: S307 - as above
    except Exception:  # noqa: BLE001 - a neighbour that makes no sense is no test
        return None


def cover(root: Path, package: str, module: str) -> tuple[int, int]:
    """Write a module's tests and measure them; (changes noticed, changes tried)."""
    source = (root / package / f"{module}.py").read_text(encoding="utf-8")
    cases = read_cases(source)
    tests = root / "tests" / f"test_{module}.py"
    tests.write_text(render(package, module, cases), encoding="utf-8")
    mutants, noticed = find_mutants(source)[:MOST_MUTANTS], 0
    for mutant in mutants:
        if notices(package, module, mutant):
            noticed += 1
            continue
        telling = find_telling_case(package, module, cases, mutant)
        if telling is not None:
            cases.append(telling)
            tests.write_text(render(package, module, cases), encoding="utf-8")
            noticed += notices(package, module, mutant)
    print(f"{module}: {len(cases)} assertions, {noticed} of {len(mutants)} changes noticed", flush=True)
    return noticed, len(mutants)


def choose_modules(package: Path, description: str) -> list[str]:
    """The package's modules that the description names; all of them when it names none."""
    every = sorted(module.stem for module in package.glob("[!_]*.py"))
    named = set(re.findall(r"\w+", description))
    return [module for module in every if module in named] or every


def main(package: str) -> None:
    root = Path.cwd()
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    modules = choose_modules(root / package, os.environ.get("PARALLEL_WORKERS_DESCRIPTION", ""))
    scores = [cover(root, package, module) for module in modules]
    noticed, tried = (sum(score) for score in zip(*scores, strict=True))
    subprocess.run([sys.executable, "-B", "-m", "unittest", "-q"], cwd=root, check=True)
    print(f"{noticed} of {tried} changes to the code are noticed by the new tests")


if __name__ == "__main__":
    main(sys.argv[1])
