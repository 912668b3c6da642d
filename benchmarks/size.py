"""How large the code is, beside its budgets: `make size`.

Product code is what lies in the six packages; `__init__` modules count as modules, but not among
those that lie side by side in a folder. A function's lines are those of its signature, docstring
and body.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PRODUCT: Final = ("store", "sources", "features", "models", "service", "flows")
MOST_LINES: Final = 300
"""Lines a module may have."""

MOST_MODULES: Final = 20
"""Modules that may lie side by side in a folder."""

DIALECT: Final = re.compile(r"\b(told|stand|standing|says)\b", re.IGNORECASE)
"""Words of the old dialect; docs/glossary.md has those of the field."""


@dataclass(frozen=True, slots=True)
class Module:
    """A Python file: its path below the project and its text."""

    path: Path
    text: str

    @property
    def lines(self) -> int:
        """Return how many lines it has."""
        return self.text.count("\n")

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Yield the parts of its syntax tree that are of some kinds."""
        return (node for node in ast.walk(ast.parse(self.text)) if isinstance(node, kinds))


def modules_below(*folders: str) -> list[Module]:
    """Return the modules below folders of the project, by path."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Module(path.relative_to(ROOT), path.read_text(encoding="utf-8")) for path in paths]


def long_modules(modules: Sequence[Module]) -> dict[str, int]:
    """Return the lines of each module that has too many, the longest first."""
    found = {str(one.path): one.lines for one in modules if one.lines > MOST_LINES}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def folder_sizes(modules: Sequence[Module]) -> Counter[str]:
    """Return how many modules lie side by side in each folder."""
    return Counter(str(one.path.parent) for one in modules if one.path.name != "__init__.py")


def repeated_classes(modules: Sequence[Module]) -> dict[str, int]:
    """Return how many classes share a name, by name, where more than one does."""
    names = Counter(node.name for one in modules for node in one.nodes(ast.ClassDef))
    return {name: times for name, times in sorted(names.items()) if times > 1}


def function_lengths(modules: Sequence[Module]) -> list[int]:
    """Return the lines of each function."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.end_lineno - node.lineno + 1 for one in modules for node in one.nodes(*kinds)]


def dialect_words(modules: Sequence[Module]) -> Counter[str]:
    """Return how often each word of the old dialect is left."""
    return Counter(word.lower() for one in modules for word in DIALECT.findall(one.text))


def counts() -> Iterator[tuple[str, int, int | None, str]]:
    """Yield what is counted, its count, its budget if it has one, and what is behind it."""
    product = modules_below(*PRODUCT)
    lengths = function_lengths(product)
    folder, most = folder_sizes(product).most_common(1)[0]
    long, repeated, words = (
        long_modules(product), repeated_classes(product), dialect_words(product)
    )  # fmt: skip
    yield "product lines", sum(one.lines for one in product), 42_000, ""
    yield "product modules", len(product), 300, ""
    yield f"modules over {MOST_LINES} lines", len(long), 0, first_few(long)
    yield "most modules side by side in a folder", most, MOST_MODULES, folder
    yield "function lines, median", round(median(lengths)), None, ""
    yield "function lines, 90th percentile", round(quantiles(lengths, n=10)[-1]), 23, ""
    yield "class names used for two things", len(repeated), 0, first_few(repeated)
    yield "words of the old dialect", words.total(), 0, first_few(words)
    for folder, budget in (("tests", 30_000), ("benchmarks", 5_500)):
        yield f"{folder} lines", sum(one.lines for one in modules_below(folder)), budget, ""


def first_few(found: dict[str, int], most: int = 5) -> str:
    """Return the first names with their counts."""
    names = [f"{name} {count}" for name, count in list(found.items())[:most]]
    return ", ".join(names + ["..."] * (len(found) > most))


def main() -> None:
    print(f"{'':40}{'now':>8}{'budget':>9}")
    for what, count, budget, detail in counts():
        limit = "" if budget is None else f"{budget:,}"
        over = "over" if budget is not None and count > budget else ""
        print(f"{what:40}{count:>8,}{limit:>9}  {over:6}{detail}".rstrip())


if __name__ == "__main__":
    main()
