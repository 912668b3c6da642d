"""The charts of a scenario: both forecasts in one fan, and the difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from service.charts.chart import (
    Chart,
    Mark,
    Spec,
    amount,
    chart,
    field,
    ink,
    layer,
    middle,
    source_line,
    tonnes_axis,
)
from service.charts.fan import Fan
from service.charts.fan_chart import (
    DASHED,
    backdrop,
    history_layers,
    known_marks,
    on_time,
    window,
)
from service.http.responses import Record
from service.language.formats import dated
from service.language.phrases import gettext
from service.scenarios import SIDES
from service.wording import name_of, signed_tonnes, tonnes

_LINES: Final = {"base": "median", "scenario": "scenario"}
_FILLS: Final = {"base": "band80", "scenario": "scenario80"}
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
    """Return both forecasts over the history; ``label`` says it in words."""
    rows = _rows(pair)
    layers = [*backdrop(pair.fan), *history_layers(pair.fan)]
    for side in SIDES:
        layers += _side(rows, side)
    layers.append(_pointed(rows, "scenario_p50"))
    return _chart(pair, on_time(layers, pair.fan), label, rows, legend=_legend(pair))


def difference_chart(pair: Pair, label: str) -> Chart:
    """Return the difference with its own band around zero."""
    rows = _rows(pair)
    x, ink_of = field("t", "temporal"), ink("scenario")
    band = {"type": "area", "fill": ink("scenario80"), "opacity": _SEEN_THROUGH}
    layers = [
        layer(band, rows, x=x, y=field("difference_p10"), y2={"field": "difference_p90"}),
        layer(
            {"type": "line", "stroke": ink_of, "strokeWidth": 2},
            rows,
            x=x,
            y=field("difference_mean"),
        ),
        layer({"type": "rule", "stroke": ink("muted")}, [{"y": 0}], y=field("y")),
        _pointed(rows, "difference_mean"),
    ]
    numbers = pair.table[["difference_p10", "difference_p90"]].to_numpy(float)
    # Less than a tonne is a quiet line.
    scale: Spec = {"domain": [-1.1, 1.1]} if np.abs(numbers).max() < 1.0 else {}
    shown = on_time(layers, pair.fan, y=tonnes_axis(**scale))
    return _chart(pair, shown, label, rows, height=130, title=gettext("difference, t"))


def _chart(
    pair: Pair,
    layers: Sequence[Spec],
    label: str,
    rows: list[Record],
    *,
    height: int = 260,
    title: str = "",
    legend: Sequence[Mark] = (),
) -> Chart:
    fan = pair.fan
    heading = gettext(
        "%(name)s: %(goods)s from China", name=name_of(fan.destination), goods=fan.goods
    )
    hidden = ("t", "says")
    return chart(
        layers,
        title=title or heading,
        about=[source_line(fan.as_of)],
        label=label,
        rows=[{name: row[name] for name in row if name not in hidden} for row in rows],
        height=height,
        legend=legend,
        params=[window(fan)],
    )


def _side(rows: list[Record], side: str) -> list[Spec]:
    """Return the 80% band and the median of one of the two."""
    x, colour = field("t", "temporal"), ink(_LINES[side])
    dashes = {"strokeDash": DASHED} if side == "base" else {}
    band = {"type": "area", "fill": ink(_FILLS[side]), "opacity": _SEEN_THROUGH, "line": False}
    line = {"type": "line", "stroke": colour, "strokeWidth": 2, **dashes}
    edges = [
        layer({"type": "line", "stroke": colour, "strokeWidth": 0.7}, rows, x=x, y=field(name))
        for name in (f"{side}_p10", f"{side}_p90")
    ]
    area = layer(band, rows, x=x, y=field(f"{side}_p10"), y2={"field": f"{side}_p90"})
    return [area, *edges, layer(line, rows, x=x, y=field(f"{side}_p50"))]


def _pointed(rows: list[Record], at: str) -> Spec:
    """Return what each month says under the pointer and to a screen reader."""
    says = field("says", "nominal")
    mark = {"type": "point", "filled": True, "size": 300, "opacity": 0, "aria": True}
    return layer(mark, rows, x=field("t", "temporal"), y=field(at), tooltip=says, description=says)


def _rows(pair: Pair) -> list[Record]:
    names = [f"{side}_{level}" for side in SIDES for level in ("p10", "p50", "p90")]
    names += [f"difference_{level}" for level in ("p10", "mean", "p90")]
    return [
        {
            "t": middle(row["period"]),
            "period": f"{row['period']:%Y-%m}",
            **{name: amount(row[name]) for name in names},
            "says": gettext(
                "%(month)s: median %(base)s t, with the scenario %(scenario)s t; difference of the "
                "means %(difference)s t.",
                month=dated(row["period"], "long month"),
                base=tonnes(row["base_p50"]),
                scenario=tonnes(row["scenario_p50"]),
                difference=signed_tonnes(row["difference_mean"]),
            ),
        }
        for row in pair.table.to_dict("records")
    ]


def _legend(pair: Pair) -> list[Mark]:
    found = []
    for side in SIDES:
        words = pair.base_label if side == "base" else gettext("scenario")
        dash = DASHED if side == "base" else (1, 0)
        colour = ink(_LINES[side])
        found += [
            Mark(gettext("%(side)s, median", side=words), "line", colour, dash=dash),
            Mark(gettext("%(side)s, 80%% band", side=words), "square", colour, ink(_FILLS[side])),
        ]
    found += known_marks()
    if pair.fan.as_of > pair.fan.cutoff_end:
        found.append(Mark(gettext("past, not yet published"), "square", fill=ink("past")))
    return found
