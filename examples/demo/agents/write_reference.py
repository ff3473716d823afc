"""Agent `docs`: a reference of every public function, with its examples and where it is used.

    python3 tools/write_reference.py postage

Writes docs/reference.md and links it from README.md. Every example on the page is run as it stands on the page,
and every link must lead to a heading.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import sys
from pathlib import Path

LINK = "\nSee the [reference](docs/reference.md).\n"


def functions_of(tree: ast.Module) -> list[ast.FunctionDef]:
    """The public functions of a module."""
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


def users_of(name: str, home: str, trees: dict[str, ast.Module]) -> list[str]:
    """The modules that import a function by name, or its module and then call it as an attribute."""
    found: list[str] = []
    for module, tree in trees.items():
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        by_name = any(node.module == home and any(alias.name == name for alias in node.names) for node in imports)
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        by_module = name in attributes and any(
            f"{node.module}.{alias.name}" == home for node in imports for alias in node.names
        )
        if by_name or by_module:
            found.append(module)
    return found


def render(package: str, trees: dict[str, ast.Module]) -> str:
    """The page."""
    rows = [f"# {package}: reference", ""]
    rows += [f"- [{module}](#{module}): {ast.get_docstring(tree)}" for module, tree in trees.items()]
    for module, tree in trees.items():
        rows += ["", f"## {module}", "", f"{ast.get_docstring(tree)}"]
        for function in functions_of(tree):
            said, _, examples = (ast.get_docstring(function) or "").partition("\n\n")
            users = ", ".join(f"[{user}](#{user})" for user in users_of(function.name, f"{package}.{module}", trees))
            rows += ["", f"### {function.name}({ast.unparse(function.args)})", "", said]
            rows += ["", f"Used by {users}."] if users else []
            rows += ["", "```python", examples, "```"] if examples else []
    return "\n".join([*rows, ""])


def prove(package: str, page: str) -> int:
    """Run the examples on the page and follow its links; how many examples. Raises when something is wrong."""
    headings = {heading.strip() for heading in re.findall(r"^## (\w+)", page, re.MULTILINE)}
    broken = set(re.findall(r"\]\(#(\w+)\)", page)) - headings
    assert not broken, f"links lead nowhere: {broken}"
    tried = 0
    for module, section in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL):
        names = vars(importlib.import_module(f"{package}.{module}"))
        examples = section.replace("```", "")
        test = doctest.DocTestParser().get_doctest(examples, dict(names), module, "docs/reference.md", 0)
        results = doctest.DocTestRunner().run(test)
        assert not results.failed, f"an example of {module} does not hold on the page"
        tried += results.attempted
        print(f"{module}: {results.attempted} examples hold on the page", flush=True)
    return tried


def main(package: str) -> None:
    root = Path.cwd()
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    modules = sorted((root / package).glob("[!_]*.py"))
    trees = {module.stem: ast.parse(module.read_text(encoding="utf-8")) for module in modules}
    page = render(package, trees)
    tried = prove(package, page)
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / "reference.md").write_text(page, encoding="utf-8")
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    if LINK not in text:
        readme.write_text(text + LINK, encoding="utf-8")
    print(f"{len(trees)} modules, {tried} examples")


if __name__ == "__main__":
    main(sys.argv[1])
