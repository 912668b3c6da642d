"""The page of an attribution in the documentation."""

from collections.abc import Iterable, Sequence
from typing import Final

import pandas as pd

from flows.analysis.attribution import MOST_DRAWN, months_in_words, months_of, sentences, titled
from models.event_study import Attribution
from publication.words import signed_tonnes, tonnes
from store.vocabulary import WORLD

NOTES: Final = """\
- *Lost* is the counterfactual path minus exports during the fall, *recovered* what exceeded
  the path after it (a minus: still below it), *displaced* what unaffected destinations received
  above their own paths during the fall.
- The fall lasts from the month of the announcement to the last one before exports are back in the
  80% band of a single month.
- Bands of what is missing come from the same computation at earlier placebo dates without a strong
  act; *rank* is the event's place among them. Medians of parts need not add up to the median of the
  sum."""

_PARTS: Final = {"fall": "the fall", "first": "first months", "after": "after", "all": "all months"}


def attribution_page(found: Attribution, *, picture: str, made_by: str) -> str:
    """Return the page in Markdown."""
    act = found.act
    blocks = [
        f"# Effect of the act of {act.announced:%-d %B %Y}",
        (
            f"Affecting {act.named}: {act.summary} Exports as known "
            f"on {found.as_of:%-d %B %Y}; this page is written by `{made_by}`."
        ),
        "\n".join(f"- {sentence}" for sentence in sentences(found)),
        f"![With and without the act of {act.announced:%-d %B %Y}]({picture})",
        "## Totals",
        _totals(found),
        "## By month",
        *_months(found),
        "## How to read it",
        NOTES,
    ]
    return "\n\n".join(blocks) + "\n"


def _totals(found: Attribution) -> str:
    rows = [
        (
            titled(str(row["destination"])),
            _PARTS[str(row["part"])],
            months_in_words(row["first_period"], row["last_period"]),
            tonnes(row["path_t"]),
            tonnes(row["exports_t"]),
            _with_band(row, "missing"),
            f"{row['rank']} of {row['dates'] + 1}",
        )
        for _, row in found.totals.iterrows()
        if row["part"] != "all" or row["destination"] in (found.touched, WORLD)
    ]
    head = (
        "exports to", "part", "months", "path without it, t", "exports, t", "missing, t (80% band)",
        "rank",
    )  # fmt: skip
    return _markdown(head, rows)


_MONTH_HEAD: Final = (
    "month", "exports, t", "kind", "without: p10", "p50", "p90", "lost", "recovered", "displaced",
    "missing since (80% band)",
)  # fmt: skip


def _months(found: Attribution) -> Iterable[str]:
    for name in found.main(MOST_DRAWN):
        yield f"**{titled(name)}**"
        yield _markdown(_MONTH_HEAD, [_month(row) for _, row in months_of(found, name).iterrows()])


def _month(row: pd.Series) -> tuple[str, ...]:
    doubt = f" ± {tonnes(row['exports_stderr_t'])}" if row["kind"] == "estimated" else ""
    return (
        str(row["period"]),
        tonnes(row["exports_t"]) + doubt,
        str(row["kind"]),
        *(tonnes(row[f"without_{level}"]) for level in ("p10", "p50", "p90")),
        *(signed_tonnes(row[f"{name}_t"]) for name in ("lost", "recovered", "displaced")),
        _with_band(row, "cumulated"),
    )


def _with_band(row: pd.Series, name: str) -> str:
    value, low, high = (signed_tonnes(row[f"{name}_{end}"]) for end in ("t", "p10", "p90"))
    return f"{value} ({low} to {high})"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
