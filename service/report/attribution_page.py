"""An attribution as a page of text: sentences, picture, tables."""

from collections.abc import Iterable, Sequence
from typing import Final

import pandas as pd

from service.report.attribution_chart import AttributionView, called, months_in_words
from service.report.attribution_words import sentences
from service.wording import signed_tonnes, tonnes

NOTES: Final = """\
- *Lost* is the counterfactual path minus actual exports during the fall, *recovered* what came
  above the path after it (a minus: still below it), *displaced* what unaffected destinations
  received above their own paths during the fall.
- The fall lasts from the month of the announcement to the last one before exports are back in the
  80% band of a single month.
- Bands of what is missing come from the same computation at earlier placebo dates without a strong
  act; *rank* is the event's place among them, *rank with shocks* that among all earlier dates.
  Medians of parts need not add up to the median of the sum."""

SHOWN: Final = 4
"""Series whose months are listed; the file of the table has all."""

PARTS: Final = {"fall": "the fall", "first": "first months", "after": "after", "all": "all months"}
WAYS: Final = {
    "as_of": "forecast before",
    "synthetic": "synthetic control",
    "less_hit": "less affected",
}


def attribution_page(view: AttributionView, *, picture: str, made_by: str) -> str:
    """Return the page in Markdown.

    Args:
        view: The attribution.
        picture: Address of the chart, relative to the page.
        made_by: The command that writes it again.
    """
    blocks = [
        f"# Effect of {view.event_id}",
        (
            f"{view.announced:%-d %B %Y}, affecting {view.named}: {view.summary} Exports as known "
            f"on {view.as_of:%-d %B %Y}; this page is written by `{made_by}`."
        ),
        "\n".join(f"- {sentence}" for sentence in sentences(view)),
        f"![With and without {view.event_id}]({picture})",
        "## Totals",
        _totals(view),
        "## By month",
        *_months(view),
        "## How to read it",
        NOTES,
    ]
    return "\n\n".join(blocks) + "\n"


def _totals(view: AttributionView) -> str:
    rows = [
        (
            _title(str(row["destination"])),
            WAYS[str(row["way"])],
            PARTS[str(row["part"])],
            months_in_words(row["first_period"], row["last_period"]),
            tonnes(row["path_t"]),
            tonnes(row["actual_t"]),
            (
                f"{signed_tonnes(row['missing_t'])} ({signed_tonnes(row['missing_p10'])} to "
                f"{signed_tonnes(row['missing_p90'])})"
            ),
            f"{row['rank']} of {row['dates'] + 1}",
            f"{row['earlier_rank']} of {row['earlier_dates'] + 1}",
        )
        for _, row in view.totals.iterrows()
        if row["part"] != "all" or row["destination"] in (view.whole, "WLD")
    ]
    head = (
        "exports to", "way", "part", "months", "counterfactual, t", "actual, t",
        "missing, t (80% band)", "rank", "rank with shocks",
    )  # fmt: skip
    return _markdown(head, rows)


def _months(view: AttributionView) -> Iterable[str]:
    """Yield a table of the months of each main series."""
    for name in view.main(SHOWN):
        rows = view.table.loc[view.table["destination"] == name]
        yield f"**{_title(name)}**"
        yield _markdown(_MONTH_HEAD, [_month(row) for _, row in rows.iterrows()])


_MONTH_HEAD = (
    "month", "actual, t", "kind", "without: p10", "p50", "p90", "lost", "recovered", "displaced",
    "missing since (80% band)", "remade",
)  # fmt: skip


def _month(row: pd.Series) -> tuple[str, ...]:
    doubt = f" ± {tonnes(row['actual_stderr_t'])}" if row["kind"] == "estimated" else ""
    return (
        str(row["period"]),
        tonnes(row["actual_t"]) + doubt,
        str(row["kind"]),
        *(tonnes(row[f"without_{level}"]) for level in ("p10", "p50", "p90")),
        *(signed_tonnes(row[f"{name}_t"]) for name in ("lost", "recovered", "displaced")),
        (
            f"{signed_tonnes(row['cumulated_t'])} ({signed_tonnes(row['cumulated_p10'])} to "
            f"{signed_tonnes(row['cumulated_p90'])})"
        ),
        tonnes(row["synthetic_t"]),
    )


def _title(name: str) -> str:
    text = called(name)
    return text[0].upper() + text[1:]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
