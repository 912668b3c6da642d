"""How large the code is: `make size`, a report that fails nothing.

Product code is what lies in the eight packages.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median, quantiles
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PRODUCT: Final = (
    "store", "sources", "features", "models", "publication", "service", "flows", "magnetcast",
)  # fmt: skip

DIALECT: Final = re.compile(
    r"\b(told|(?:un)?felt|speaks|rungs?|strange|ladder|lessons?|standpoint|"
    r"what came|who may answer|came to grief)\b",
    re.IGNORECASE,
)
"""Home-made words; docs/glossary.md has those of the field."""

VAGUE_NAMES: Final = re.compile(
    r"found|known|own|made|one|seen|kept|said|given|asked|left|came|told|begun|drawn|chosen|counted|"
    r"settled|fresh|whole|others|more|listed|now|then|taken|stated|done|ready|there|here|both|"
    r"all_of|what|whom?|how|why|these|those|them|it|that|this"
)
"""Participles, pronouns and adverbs, which as names of variables say nothing of what they hold."""


@dataclass(frozen=True)
class Module:
    """A Python file: its path below the project and its text."""

    path: Path
    text: str

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Yield the parts of its syntax tree that are of some kinds."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))

    def public_constants(self) -> Iterator[str]:
        """Yield the names in capitals that it defines for others."""
        for node in self.tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else node
            target = target.target if isinstance(target, ast.AnnAssign) else target
            if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z][A-Z0-9_]+", target.id):
                yield target.id


def modules_below(*folders: str) -> list[Module]:
    """Return the modules below folders of the project, by path."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [Module(path.relative_to(ROOT), path.read_text(encoding="utf-8")) for path in paths]


def repeated(names: Iterator[str]) -> dict[str, int]:
    """Return how often each name occurs that occurs more than once, the most frequent first."""
    return {name: times for name, times in Counter(names).most_common() if times > 1}


def function_lengths(modules: Sequence[Module]) -> list[int]:
    """Return the lines of each function, with signature and docstring."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.end_lineno - node.lineno + 1 for one in modules for node in one.nodes(*kinds)]


def dialect_words(modules: Sequence[Module]) -> Counter[str]:
    """Return how often each home-made word is left."""
    return Counter(word.lower() for one in modules for word in DIALECT.findall(one.text))


def vague_names(modules: Sequence[Module]) -> Counter[str]:
    """Return how often each vague name is assigned, looped over or taken as a parameter."""
    nodes = [node for module in modules for node in module.nodes(ast.Name, ast.arg)]
    names = (
        node.arg if isinstance(node, ast.arg) else node.id
        for node in nodes
        if isinstance(node, ast.arg) or isinstance(node.ctx, ast.Store)
    )
    return Counter(name for name in names if VAGUE_NAMES.fullmatch(name))


def counts() -> Iterator[tuple[str, int, str]]:
    """Yield what is counted, its count, and what is behind it."""
    product = modules_below(*PRODUCT)
    classes = repeated(node.name for one in product for node in one.nodes(ast.ClassDef))
    constants = repeated(name for one in product for name in one.public_constants())
    words = dialect_words(product)
    vague = vague_names(product)
    lengths = function_lengths(product)
    yield "product lines", sum(one.lines for one in product), ""
    yield "product modules", len(product), ""
    yield "classes", sum(1 for one in product for _ in one.nodes(ast.ClassDef)), ""
    yield from concepts(product)
    yield "function lines, median", round(median(lengths)), ""
    yield "function lines, 90th percentile", round(quantiles(lengths, n=10)[-1]), ""
    yield "class names used for two things", len(classes), first_few(classes)
    yield "constants with two homes", len(constants), first_few(constants)
    yield "home-made words", words.total(), first_few(words)
    yield "vague names", vague.total(), first_few(dict(vague.most_common()))
    for folder in ("tests", "benchmarks"):
        yield f"{folder} lines", sum(one.lines for one in modules_below(folder)), ""


def concepts(product: Sequence[Module]) -> Iterator[tuple[str, int, str]]:
    """Yield how much there is to know: verbs and their options, settings, computed addresses."""
    text = {module.path.as_posix(): module for module in product}
    commands = (module.text for path, module in text.items() if path.startswith("flows/cli/"))
    verbs = re.search(r"VERBS.*?\n}", text["flows/cli/command_line.py"].text, re.DOTALL)
    settings = re.findall(r"^    [a-z_]+: ", text["store/settings.py"].text, re.MULTILINE)
    addresses = re.search(r"QUESTIONS.*?\)", text["service/app.py"].text, re.DOTALL)
    yield "verbs", len(re.findall(r'"[a-z-]+"[,)]', verbs[0])), ""
    yield "options and arguments", sum(t.count("Parameter(") for t in commands), ""
    yield "settings", len(settings), ""
    yield "addresses that are computed", len(re.findall(r'"', addresses[0])) // 2 + 2, ""


def first_few(found: dict[str, int], most: int = 5) -> str:
    """Return the first names with their counts."""
    names = [f"{name} {count}" for name, count in list(found.items())[:most]]
    return ", ".join(names + ["..."] * (len(found) > most))


def main() -> None:
    """Print the table."""
    for what, count, detail in counts():
        print(f"{what:36}{count:>8,}  {detail}".rstrip())


if __name__ == "__main__":
    main()
