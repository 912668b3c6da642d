"""Places of a module where one fault can be put, by mutmut's operators and four of our own.

Left out are faults that any run stumbles over (a value replaced by None), and sentences.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation import mutators

SWAPPED: Final = {
    "any": "all", "all": "any", "max": "min", "min": "max", "median": "max", "first": "last",
    "last": "first", "floor": "ceil", "ceil": "floor", "ge": "gt", "gt": "ge", "le": "lt",
    "lt": "le", "eq": "ne", "ne": "eq", "isna": "notna", "notna": "isna", "union": "intersection",
    "intersection": "union", "head": "tail", "tail": "head", "cummax": "cummin",
    "maximum": "minimum", "minimum": "maximum",
}  # fmt: skip
"""Functions and methods that take the same arguments and mean something else."""

SENTENCES: Final = {"gettext", "ngettext", "message", "Sentence", "echo", "field"}
"""Calls whose arguments are words, or that say how a class is built."""


def condition_negated(node: cst.If | cst.While) -> Iterator[cst.CSTNode]:
    test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield node.with_changes(test=cst.UnaryOperation(cst.Not(), test))


def statement_dropped(node: cst.SimpleStatementLine) -> Iterator[cst.CSTNode]:
    body = node.body[0]
    is_call = isinstance(body, cst.Expr) and isinstance(body.value, cst.Call)
    if is_call or isinstance(body, cst.AugAssign):
        yield node.with_changes(body=[cst.Pass()])


def argument_dropped(node: cst.Call) -> Iterator[cst.CSTNode]:
    for at, argument in enumerate(node.args):
        if argument.keyword is not None:
            yield node.with_changes(args=[*node.args[:at], *node.args[at + 1 :]])


def function_swapped(node: cst.Call) -> Iterator[cst.CSTNode]:
    name = node.func.attr if isinstance(node.func, cst.Attribute) else node.func
    if isinstance(name, cst.Name) and name.value in SWAPPED:
        yield node.with_deep_changes(name, value=SWAPPED[name.value])


OPERATORS: Final[tuple[tuple[Any, Callable[[Any], Iterable[cst.CSTNode]]], ...]] = (
    (cst.BaseNumber, mutators.operator_number),
    (cst.Name, mutators.operator_name),
    (cst.UnaryOperation, mutators.operator_remove_unary_ops),
    (cst.Call, mutators.operator_symmetric_string_methods_swap),
    (cst.CSTNode, mutators.operator_keywords),
    (cst.CSTNode, mutators.operator_swap_op),
    (cst.IfExp, mutators.operator_if_exp),
    ((cst.If, cst.While), condition_negated),
    (cst.SimpleStatementLine, statement_dropped),
    (cst.Call, argument_dropped),
    (cst.Call, function_swapped),
)


@dataclass(frozen=True, eq=False)
class Place:
    """One fault in one file."""

    path: Path
    line: int
    """Where the statement that changes begins; a condition's body is not part of it."""
    last_line: int
    module: cst.Module
    before: cst.CSTNode
    after: cst.CSTNode

    def code(self) -> str:
        """Return the file with the fault."""
        changed = self.module.deep_replace(self.before, self.after)
        assert isinstance(changed, cst.Module)
        return changed.code

    def change(self) -> tuple[int, str, str]:
        """Return the first line that differs, as it is and with the fault."""
        pairs = zip(self.module.code.splitlines(), self.code().splitlines(), strict=False)
        for number, (old, new) in enumerate(pairs, start=1):
            if old != new:
                return number, old.strip(), new.strip()
        return self.line, "", ""


class _Visitor(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, path: Path, module: cst.Module) -> None:
        super().__init__()
        self.path, self.module = path, module
        self.places: list[Place] = []
        self.spans: list[tuple[int, int]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _is_skipped(node):
            return False
        position: Any = self.get_metadata(PositionProvider, node, None)
        if isinstance(node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            last = position.end.line
            if isinstance(node, cst.BaseCompoundStatement):
                body: Any = self.get_metadata(PositionProvider, node.body, position)
                last = max(position.start.line, body.start.line - 1)
            self.spans.append((position.start.line, last))
        line, last = self.spans[-1] if self.spans else (1, 1)
        for kind, operator in OPERATORS:
            if isinstance(node, kind):
                for after in operator(node):
                    self.places.append(Place(self.path, line, last, self.module, node, after))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            self.spans.pop()


def _is_skipped(node: cst.CSTNode) -> bool:
    if isinstance(node, (cst.Annotation, cst.Decorator, cst.Raise, cst.Import, cst.ImportFrom)):
        return True
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Name)
        and node.func.value in SENTENCES
    )


def places_of(path: Path) -> list[Place]:
    """Return all places of a module, in the order of its lines."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    visitor = _Visitor(path, wrapper.module)
    wrapper.visit(visitor)
    return visitor.places
