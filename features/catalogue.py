"""The catalogue entry of a feature, defined next to the code that computes it.

The entries are printed to docs/features.md.
"""

from dataclasses import dataclass
from typing import Literal

from store.vocabulary import Family


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the model frame."""

    name: str
    unit: str
    meaning: str
    source: str
    knowable: str
    """From when the value of a row is known, in words."""
    explains: Family
    """The cause named to planners when the feature moves a forecast."""
    monotone: Literal[-1, 0, 1] = 0
    """-1 where a higher value may never raise the forecast."""


def as_markdown(families: "dict[str, tuple[Feature, ...]]") -> str:
    """Return the catalogue as a page of Markdown, one table a family."""
    parts = [
        "# Features",
        "",
        (
            "Generated from the catalogue by `make docs`; do not edit. "
            "One row of the model frame is one destination at one"
        ),
        (
            "forecast origin and one target month. "
            "A dash means the forecast may move either way with the feature, `falls`"
        ),
        "that a higher value never raises it. `magnetcast explain` counts it to what it is",
        "told as.",
    ]
    for family, entries in families.items():
        parts += [
            "",
            f"## {family}",
            "",
            "| feature | unit | meaning | source | knowable | told as | effect |",
        ]
        parts.append("| --- | --- | --- | --- | --- | --- | --- |")
        parts += [
            f"| `{e.name}` | {e.unit} | {e.meaning} | {e.source} | {e.knowable} | {e.explains} | "
            f"{'falls' if e.monotone < 0 else '-'} |"
            for e in entries
        ]
    return "\n".join(parts) + "\n"
