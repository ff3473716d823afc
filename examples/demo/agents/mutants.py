"""Small changes to Python code that tests ought to notice."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
}


class Mutant(NamedTuple):
    """A module's source with one change, in one function."""

    function: str
    source: str


def find_mutants(source: str) -> list[Mutant]:
    """One mutant per comparison, whole number and operator in the module's functions, limits first."""
    tree = ast.parse(source)
    found: list[tuple[int, Mutant]] = []
    for index, node in enumerate(ast.walk(tree)):
        function = _function_of(tree, node)
        change = _change(node)
        if function is not None and change is not None:
            changed = copy.deepcopy(tree)
            _apply(next(each for at, each in enumerate(ast.walk(changed)) if at == index))
            found.append((change, Mutant(function, ast.unparse(changed))))
    return [mutant for _, mutant in sorted(found, key=lambda each: each[0])]


def _function_of(tree: ast.Module, node: ast.AST) -> str | None:
    for function in _functions(tree):
        if any(each is node for statement in function.body for each in ast.walk(statement)):
            return function.name
    return None


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in tree.body if isinstance(node, ast.FunctionDef))


def _change(node: ast.AST) -> int | None:
    """How soon this node is to be changed (0 first); None when it cannot be."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARISONS:
        return 0
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return 1
    return 2 if isinstance(node, ast.Constant) and type(node.value) is int else None


def _apply(node: ast.AST) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = _COMPARISONS[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp):
        node.op = _OPERATORS[type(node.op)]()
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        node.value += 1
