"""Agent `iac-engineer`: finds the layers of a package, draws them, and locks them with a test that runs from now on.

    python3 tools/map_layers.py postage

Writes docs/layers.md (a graph that forges draw), layers.json (the lock) and tests/test_layers.py. Then it proves
that the lock holds: it plants imports that lead up, one at a time, in a copy of the package and runs the
new test there, which must fail.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MOST_BREACHES = 20
Graph = dict[str, list[str]]

TEST = '''"""Nobody imports what stands above. Written by tools/map_layers.py; the layers are in layers.json."""

import ast
import json
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent


class LayersTest(unittest.TestCase):
    def test_imports_lead_down(self):
        lock = json.loads((ROOT / "layers.json").read_text(encoding="utf-8"))
        for module, layer in lock["layers"].items():
            tree = ast.parse((ROOT / lock["package"] / f"{module}.py").read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(lock["package"]):
                    inner = node.module.split(".")[1:]
                    for name in inner or [alias.name for alias in node.names]:
                        self.assertLess(lock["layers"].get(name, -1), layer, f"{module} imports {name}")
'''


def read_graph(package: Path) -> Graph:
    """Which modules of the package each one imports."""
    graph: Graph = {}
    for module in sorted(package.glob("[!_]*.py")):
        found: set[str] = set()
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package.name:
                found |= set((node.module or "").split(".")[1:] or [alias.name for alias in node.names])
        graph[module.stem] = sorted(found)
    return graph


def find_layers(graph: Graph) -> dict[str, int]:
    """The layer of each module: 0 imports none of the others. Raises ValueError when imports go round in a circle."""
    layers: dict[str, int] = {}
    while len(layers) < len(graph):
        ready = [name for name in graph if name not in layers and all(each in layers for each in graph[name])]
        if not ready:
            raise ValueError(f"a circle among {sorted(graph.keys() - layers.keys())}")
        layers |= {name: 1 + max((layers[each] for each in graph[name]), default=-1) for name in ready}
    return layers


def draw(graph: Graph, layers: dict[str, int]) -> str:
    """The layers as a page with a Mermaid graph."""
    rows = ["# Layers", "", "Imports lead down only; `tests/test_layers.py` sees to it.", "", "```mermaid", "graph TD"]
    for layer in sorted(set(layers.values()), reverse=True):
        names = [name for name in graph if layers[name] == layer]
        rows += [f"  subgraph layer {layer}", *(f"    {name}" for name in names), "  end"]
    rows += [f"  {name} --> {each}" for name in graph for each in graph[name]]
    return "\n".join([*rows, "```", ""])


def write_files(root: Path, package: str, graph: Graph, layers: dict[str, int]) -> None:
    """The page, the lock, and the test."""
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / "layers.md").write_text(draw(graph, layers), encoding="utf-8")
    lock = json.dumps({"package": package, "layers": layers}, indent=2) + "\n"
    (root / "layers.json").write_text(lock, encoding="utf-8")
    (root / "tests" / "test_layers.py").write_text(TEST, encoding="utf-8")


def holds(root: Path) -> bool:
    """Whether the layers test passes in `root`."""
    test = [sys.executable, "-B", "-m", "unittest", "-q", "tests.test_layers"]
    return subprocess.run(test, cwd=root, capture_output=True, check=False).returncode == 0


def prove(root: Path, package: str, layers: dict[str, int]) -> int:
    """Plant imports that lead up, one at a time, in a copy; each must be found. How many were tried."""
    up = [(low, high) for low in layers for high in layers if low != high and layers[low] <= layers[high]]
    chosen = up[:: -(-len(up) // MOST_BREACHES)]
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "copy")
        for part in (package, "tests"):
            shutil.copytree(root / part, copy / part)
        shutil.copy(root / "layers.json", copy)
        assert holds(copy), "the layers do not hold as they are"
        for low, high in chosen:
            module = copy / package / f"{low}.py"
            source = module.read_text(encoding="utf-8")
            module.write_text(f"{source}\nfrom {package} import {high}\n", encoding="utf-8")
            assert not holds(copy), f"{low} importing {high} went unnoticed"
            module.write_text(source, encoding="utf-8")
            print(f"{low} importing {high}: noticed", flush=True)
    return len(chosen)


def main(package: str) -> None:
    root = Path.cwd()
    graph = read_graph(root / package)
    layers = find_layers(graph)
    write_files(root, package, graph, layers)
    tried = prove(root, package, layers)
    print(f"{len(layers)} modules in {max(layers.values()) + 1} layers; {tried} breaches tried, all noticed")


if __name__ == "__main__":
    main(sys.argv[1])
