"""The charts of a scenario: both forecasts in one fan, and the difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from publication.charts.chart import (
    DASHED,
    Chart,
    Mark,
    Spec,
    band,
    dots,
    layer,
    line,
    rows_of,
    tonnes_axis,
)
from publication.charts.fan import Fan
from publication.charts.fan_chart import (
    backdrop,
    history_layers,
    known_marks,
    over_months,
    passed_mark,
    title_of,
    window,
)
from publication.language.formats import dated
from publication.language.phrases import gettext
from publication.tables import Record
from publication.words import signed_tonnes, tonnes
from service.scenario_pool import SIDES

_COLOURS: Final = {"base": ("median", "band80"), "scenario": ("scenario", "scenario80")}
"""Of the median and of the band."""

_SEEN_THROUGH: Final = 0.6


@dataclass(frozen=True, slots=True)
class Pair:
    """Both forecasts of one destination."""

    fan: Fan
    """As published, with the history."""
    table: pd.DataFrame
    """Rows of the answer about it, ``period`` as a naive first of the month."""
    base_label: str


def paired_chart(pair: Pair, label: str) -> Chart:
    """Chart of both forecasts over the history; ``label`` describes it in words."""
    rows = _rows(pair)
    layers = [*backdrop(pair.fan), *history_layers(pair.fan)]
    for side in SIDES:
        layers += _side(rows, side)
    return _chart(
        pair, [*layers, _pointed(rows, "scenario_p50")], label, rows, height=260,
        title=title_of(pair.fan), legend=_legend(pair),
    )  # fmt: skip


def difference_chart(pair: Pair, label: str) -> Chart:
    """Difference with its own band around zero."""
    rows = _rows(pair)
    layers = [
        band(rows, "difference_p10", "difference_p90", "scenario80", opacity=_SEEN_THROUGH),
        line(rows, "difference_mean", "scenario"),
        layer("rule", [{"y": 0}], x=None, y="y:Q", stroke="muted"),
        _pointed(rows, "difference_mean"),
    ]
    numbers = pair.table[["difference_p10", "difference_p90"]].to_numpy(float)
    # Less than a tonne is a quiet line.
    scale: Spec = {"domain": [-1.1, 1.1]} if np.abs(numbers).max() < 1.0 else {}
    return _chart(
        pair, layers, label, rows, height=130, title=gettext("difference, t"),
        y=tonnes_axis(**scale),
    )  # fmt: skip


def _chart(
    pair: Pair,
    layers: Sequence[Spec],
    label: str,
    rows: list[Record],
    **options: Any,  # noqa: ANN401
) -> Chart:
    columns = [name for name in rows[0] if name not in ("t", "says")]
    return over_months(
        pair.fan, layers, label=label, rows=rows, columns=columns, params=[window(pair.fan)],
        **options,
    )  # fmt: skip


def _side(rows: list[Record], side: str) -> list[Spec]:
    """80% band and the median of one of the two."""
    low, middle, high = (f"{side}_{level}" for level in ("p10", "p50", "p90"))
    colour, fill = _COLOURS[side]
    return [
        band(rows, low, high, fill, opacity=_SEEN_THROUGH, line=False),
        *(line(rows, edge, colour, 0.7) for edge in (low, high)),
        line(rows, middle, colour, strokeDash=DASHED if side == "base" else None),
    ]


def _pointed(rows: list[Record], at: str) -> Spec:
    """Invisible marks with the sentence of each month, for pointers and screen readers."""
    return dots(rows, at, 300, says=True, opacity=0)


def _rows(pair: Pair) -> list[Record]:
    names = [f"{side}_{level}" for side in SIDES for level in ("p10", "p50", "p90")]
    names += [f"difference_{level}" for level in ("p10", "mean", "p90")]
    return rows_of(
        pair.table,
        *names,
        says=lambda row: gettext(
            "%(month)s: median %(base)s t, with the scenario %(scenario)s t; difference of the "
            "means %(difference)s t.",
            month=dated(row["period"], "long month"),
            base=tonnes(row["base_p50"]),
            scenario=tonnes(row["scenario_p50"]),
            difference=signed_tonnes(row["difference_mean"]),
        ),
    )


def _legend(pair: Pair) -> list[Mark]:
    marks = []
    for side, words, dash in (
        ("base", pair.base_label, DASHED),
        ("scenario", gettext("scenario"), (1, 0)),
    ):
        colour, fill = _COLOURS[side]
        marks += [
            Mark(gettext("%(side)s, median", side=words), "line", colour, dash=dash),
            Mark(gettext("%(side)s, 80%% band", side=words), "square", colour, fill),
        ]
    return [*marks, *known_marks(), *passed_mark(pair.fan)]
