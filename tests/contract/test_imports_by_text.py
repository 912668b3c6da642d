import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from store.settings import PROJECT_ROOT

ROOMS = (
    "store", "sources", "features", "models", "publication", "service", "flows", "magnetcast",
)  # fmt: skip
"""From the lowest to the highest."""


def imports_by_text(source: str, module: str, *, is_package: bool) -> Iterator[str]:
    """Yield the beginning of each module's name that a text imports, as far as it is fixed."""
    package = module if is_package else module.rpartition(".")[0]
    names = {"__name__": module, "__package__": package}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {
            "__import__",
            "import_module",
            "run_module",
        }:
            text = node.args[0]
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            fixed = ""
            for part in parts:
                if isinstance(part, ast.Constant):
                    fixed += str(part.value)
                elif isinstance(part, ast.FormattedValue) and ast.unparse(part.value) in names:
                    fixed += names[ast.unparse(part.value)]
                else:
                    break
            yield fixed


def faults(module: str, start: str, graph: grimp.ImportGraph) -> list[str]:
    """List what is wrong with a module that imports any whose name begins with ``start``."""
    room, other = module.split(".", maxsplit=1)[0], start.split(".", maxsplit=1)[0]
    if not start or (other in ROOMS and ROOMS.index(other) > ROOMS.index(room)):
        return [f"{module} climbs to {start or 'a name that nobody can tell'}"]
    reached = [name for name in graph.modules if name.startswith(start) and name != module]
    return [
        f"{module} and {name} import each other"
        for name in reached
        if graph.chain_exists(importer=name, imported=module)
    ]


def test_imports_by_text_neither_climb_nor_close_a_circle() -> None:
    graph = grimp.build_graph(*ROOMS)
    files = [path for room in ROOMS for path in (PROJECT_ROOT / room).rglob("*.py")]

    found = [(name, start) for path in files for name, start in _named(path)]

    assert {name for name, _ in found} >= {"magnetcast", "sources.providers"}
    assert [fault for name, start in found for fault in faults(name, start, graph)] == []


@pytest.mark.parametrize(
    ("module", "call", "fault"),
    [
        ("models.quantile_model", "import_module('magnetcast.verbs')", "climbs to magnetcast"),
        ("models.quantile_model", "importlib.import_module(name)", "nobody can tell"),
        ("store.months", "__import__(f'{__package__}.asof')", ""),
        ("store.errors", "import_module(f'{__package__}.database')", "import each other"),
    ],
)
def test_a_climb_and_a_circle_are_found(module: str, call: str, fault: str) -> None:
    graph = grimp.build_graph(*ROOMS)

    [start] = imports_by_text(call, module, is_package=False)

    found = faults(module, start, graph)
    assert (fault in found[0]) if fault else found == []


def _named(path: Path) -> Iterator[tuple[str, str]]:
    is_package = path.name == "__init__.py"
    file = path.parent if is_package else path.with_suffix("")
    module = ".".join(file.relative_to(PROJECT_ROOT).parts)
    for start in imports_by_text(path.read_text(encoding="utf-8"), module, is_package=is_package):
        yield module, start
