"""Builds the wheel: everything lies in ``magnetcast``, so that it collides with no other package.

In the repository the rooms are top-level packages. In the wheel they are below
``magnetcast._internal``, and each import of a room is rewritten where the syntax tree says it
stands (docs/adr/0043). An editable install is left alone.
"""

import ast
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PUBLIC: Final = "magnetcast"
ROOMS: Final = ("store", "sources", "features", "models", "publication", "service", "flows")
INTERNAL: Final = f"{PUBLIC}._internal"
BESIDE: Final = ("data", "scenarios")
"""What the rooms read beside themselves, below ``store.settings.PROJECT_ROOT``."""


class WheelHook(BuildHookInterface[Any]):
    """Hatchling's hook for the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the rewritten packages aside and have them included; an editable wheel has none."""
        if version == "editable":
            return
        self._folder = Path(mkdtemp(prefix="magnetcast-wheel-"))
        write_packages(Path(self.root), self._folder)
        build_data["force_include"][str(self._folder / PUBLIC)] = PUBLIC

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was written aside."""
        del build_data, artifact_path
        if version != "editable":
            shutil.rmtree(self._folder)


def write_packages(root: Path, out: Path) -> None:
    """Write ``magnetcast`` as the wheel has it into a folder.

    Raises:
        ValueError: A module names a room in a way that cannot be rewritten.
    """
    inside = out.joinpath(*INTERNAL.split("."))
    for name in (*ROOMS, *BESIDE):
        _copy(root / name, inside / name)
    _copy(root / PUBLIC, out / PUBLIC)
    (inside / "__init__.py").write_text('"""No part of the public API."""\n', encoding="utf-8")
    modules = _modules(root)
    for path in sorted((out / PUBLIC).rglob("*.py")):
        path.write_bytes(rewritten(path.read_bytes(), modules, path.relative_to(out)))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
        shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def _modules(root: Path) -> frozenset[str]:
    """Return the names of all modules of the rooms."""
    paths = [path.relative_to(root) for room in ROOMS for path in (root / room).rglob("*.py")]
    parts = [path.with_suffix("").parts for path in paths]
    return frozenset(".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts)


def rewritten(source: bytes, modules: frozenset[str], path: Path) -> bytes:
    """Return a module with every import of a room pointed at ``magnetcast._internal``.

    Args:
        source: The module; nothing else of it changes.
        modules: Names of all modules of the rooms.
        path: For messages.

    Raises:
        ValueError: It imports a room under the room's own name, or names a module in a text.
    """
    tree = ast.parse(source)
    _check_texts(tree, modules, path)
    lines = source.splitlines(keepends=True)
    for line, column, name in sorted(_names(tree, path), reverse=True):
        text = lines[line - 1]
        at = text.index(name.encode(), column)
        lines[line - 1] = text[:at] + f"{INTERNAL}.".encode() + text[at:]
    return b"".join(lines)


def _names(tree: ast.Module, path: Path) -> Iterator[tuple[int, int, str]]:
    """Yield line, column and module of each import of a room; the name is the next such text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _is_of_room(node.module or ""):
            yield node.lineno, node.col_offset + len("from"), node.module or ""
        elif isinstance(node, ast.Import):
            for one in node.names:
                if not _is_of_room(one.name):
                    continue
                if one.asname is None:
                    raise ValueError(
                        f"{path}, line {one.lineno}: `import {one.name}` binds a room's own name. "
                        f"Expected `from ... import ...` or `import {one.name} as ...`."
                    )
                yield one.lineno, one.col_offset, one.name


def _is_of_room(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in ROOMS


def _check_texts(tree: ast.Module, modules: frozenset[str], path: Path) -> None:
    """Refuse texts that name a module: what imports by them would not find it in the wheel."""
    shown = _docstrings(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node in shown:
            continue
        words = node.value.replace(":", " ").split()
        if any("." in word and word.rstrip(".") in modules for word in _after_import(words)):
            raise ValueError(
                f"{path}, line {node.lineno}: the text {node.value!r} names a module, which has "
                f"another name in the wheel. Expected one made from __name__ or __package__."
            )


def _after_import(words: Sequence[str]) -> Sequence[str]:
    """Return the words that a text may import by: its first, and those after -m, from, import."""
    before = ("", *words)
    return [
        word
        for place, word in enumerate(words)
        if (place == 0 and len(words) <= 2) or before[place] in {"-m", "from", "import"}  # noqa: PLR2004
    ]


def _docstrings(tree: ast.Module) -> set[ast.AST]:
    """Return the texts that stand alone: docstrings, and those below constants."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
