"""The fan chart of one destination: history, forecast with its bands, policy events."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression
from scipy.stats import norm

from service.charts.chart import (
    NARROW,
    Chart,
    Mark,
    Spec,
    amount,
    chart,
    field,
    ink,
    instant,
    layer,
    middle,
    source_line,
    time_axis,
    tonnes_axis,
    value,
)
from service.charts.fan import Fan, alt_text, status_of
from service.http.responses import Record
from service.language.acts import act_words
from service.language.formats import dated, separated
from service.language.phrases import gettext, marked
from service.wording import model_words, name_of, tonnes
from store.publications.basis import STDERR_BAND
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

BANDS: Final = (("p10", "p90", "band80"), ("p25", "p75", "band50"))
"""Lower, upper and colour, in drawing order: widest first."""

DASHED: Final = (4, 3)
_NARROW_MONTHS: Final = 9
"""Months before the forecast on a phone."""

_FAR_MONTHS: Final = 60
_MARKER_PX: Final = 24
_LETTER_PX: Final = 15
_WIDE_PX: Final = 700
_NARROW_PX: Final = 280
"""Usual width of the plot, by which marks are kept apart."""

_SHAPES: Final = {"restrictive": "triangle-down", "easing": "triangle-up"}
_BASES: Final = {
    "observed": marked("published"),
    "derived": marked("computed from published figures"),
    "estimated": marked("estimated"),
}
"""How a past month is known, in words."""


def fan_chart(fan: Fan) -> Chart:
    """Return the chart of one destination, which can be moved back to its first month."""
    layers = [
        *backdrop(fan),
        *forecast_layers(fan),
        *_earlier(fan),
        *history_layers(fan),
        *_months(fan),
        *_markers(fan),
        *_steps(fan),
    ]
    status = status_of(fan.forecast)
    about = [
        gettext(
            "Tonnes a month: the median, with the bands that should hold 50 and 80%% of outcomes."
        )
    ]
    if status != "champion":
        about.append(gettext("; ").join(map(model_words, status.split("; "))))
    return chart(
        on_time(layers, fan),
        title=gettext(
            "%(name)s: %(goods)s from China", name=name_of(fan.destination), goods=fan.goods
        ),
        about=[*about, source_line(fan.as_of)],
        label=alt_text(fan),
        rows=_rows(fan),
        height=210,
        legend=_legend(fan),
        params=_chosen_window(fan),
    )


def small_chart(fan: Fan) -> Chart:
    """Return a small chart of one destination, to stand among others."""
    layers = [*backdrop(fan), *forecast_layers(fan), *history_layers(fan, size=8), *_months(fan)]
    return chart(
        on_time(layers, fan, ticks="width / 60"),
        title="",
        about=[],
        label=alt_text(fan),
        rows=_rows(fan),
        height=130,
        params=[{"name": "start", "value": instant(fan.start)}],
    )


def on_time(
    layers: Sequence[Spec], fan: Fan, *, ticks: str = "width / 55", y: Spec | None = None
) -> list[Spec]:
    """Return layers over the same months and tonnes."""
    # As an expression: of a plain number Vega's interpreter makes no date.
    scale: Spec = {"domainMin": {"expr": "start"}, "domainMax": {"expr": str(instant(fan.end))}}
    axes = {"x": time_axis(ticks={"expr": ticks}, **scale), "y": y or tonnes_axis()}
    return [
        {
            **one,
            "mark": {"clip": True, **one["mark"]},
            "encoding": {
                name: {**axes[name], **own} if name in axes and "field" in own else own
                for name, own in one["encoding"].items()
            },
        }
        for one in layers
    ]


def window(fan: Fan) -> Spec:
    """Return the first month shown, which fits the width of the chart."""
    narrow = fan.cutoff_end - pd.DateOffset(months=_NARROW_MONTHS)
    return {"name": "start", "expr": f"{NARROW} ? {instant(narrow)} : {instant(fan.start)}"}


def _chosen_window(fan: Fan) -> list[Spec]:
    """Return the first month shown: the usual one, or as the reader chooses."""
    first = fan.history["period"].min() if len(fan.history) else fan.start
    far = max(first, fan.cutoff_end - pd.DateOffset(months=_FAR_MONTHS))
    choice = {
        "input": "select",
        "name": gettext("Show the months since") + " ",
        "options": [0, instant(far), instant(first)],
        "labels": [
            gettext("the usual start"),
            dated(far, "month"),
            dated(first, "month"),
        ],
    }
    usual = window(fan)
    return [
        {"name": "since", "value": 0, "bind": choice},
        {**usual, "expr": f"since ? since : ({usual['expr']})"},
    ]


def backdrop(fan: Fan) -> list[Spec]:
    """Return the shading of what had passed but was not published, and the last month known."""
    edge, day = instant(fan.cutoff_end), instant(fan.as_of)
    line = {"type": "rule", "strokeDash": [5, 3], "stroke": ink("muted")}
    found = [layer(line, [{"t": edge}], x=field("t", "temporal"))]
    if day > edge:
        shade = {"type": "rect", "fill": ink("past")}
        rows = [{"t": edge, "to": day}]
        found.insert(0, layer(shade, rows, x=field("t", "temporal"), x2={"field": "to"}))
    return found


def forecast_layers(fan: Fan) -> list[Spec]:
    """Return the bands, widest first, and the median; they grow out of the last known month."""
    rows = [
        {"t": middle(row["period"]), **{name: amount(row[name]) for name in QUANTILE_COLUMNS}}
        for row in with_bridge(fan).to_dict("records")
    ]
    areas = [
        layer(
            {"type": "area", "fill": ink(colour)}, rows,
            x=field("t", "temporal"), y=field(low), y2={"field": high},
        )
        for low, high, colour in BANDS
    ]  # fmt: skip
    line = {"type": "line", "stroke": ink("median"), "strokeWidth": 2}
    return [*areas, layer(line, rows, x=field("t", "temporal"), y=field("p50"))]


def _earlier(fan: Fan) -> list[Spec]:
    """Return the medians published before, thin lines behind everything that is known now."""
    rows = [
        {"t": middle(row["period"]), "y": amount(row["p50"]), "of": str(number)}
        for number, part in enumerate(fan.earlier)
        for row in part.to_dict("records")
    ]
    if not rows:
        return []
    mark = {"type": "line", "stroke": ink("earlier"), "strokeWidth": 1, "strokeDash": DASHED}
    return [
        layer(mark, rows, x=field("t", "temporal"), y=field("y"), detail=field("of", "nominal"))
    ]


def history_layers(fan: Fan, size: int = 32) -> list[Spec]:
    """Return the months up to the cutoff; of later ones those that figures settle, as dots."""
    found = month_layers(_every_month(fan.history)) if len(fan.history) else []
    return [*found, *dot_layers(pd.concat([fan.history, fan.later]), size)]


def month_layers(months: pd.DataFrame) -> list[Spec]:
    """Return a line through months, dashed to and from estimated ones, with their doubt."""
    rows = []
    for row in months.to_dict("records"):
        level, error = (
            row["tonnes"],
            STDERR_BAND * (0.0 if pd.isna(row["stderr_t"]) else row["stderr_t"]),
        )
        rows.append(
            {
                "t": middle(row["period"]),
                "y": amount(level),
                "low": amount(max(level - error, 0.0)),
                "high": amount(level + error),
                "settled": None if row["kind"] == "estimated" else amount(level),
            }
        )
    band = {"type": "area", "fill": ink("doubt")}
    line = {"type": "line", "stroke": ink("faint"), "strokeWidth": 1.4}
    x = field("t", "temporal")
    found = [
        layer(band, rows, x=x, y=field("low"), y2={"field": "high"}),
        layer({**line, "strokeDash": DASHED}, rows, x=x, y=field("y")),
    ]
    if any(row["settled"] is not None for row in rows):
        found.append(layer(line, rows, x=x, y=field("settled")))
    return found


def dot_layers(months: pd.DataFrame, size: int = 32) -> list[Spec]:
    """Return a dot for each month that figures settle, hollow where they do so together."""
    found = []
    for kind, fill in (("observed", "history"), ("derived", "paper")):
        rows = [
            {"t": middle(row["period"]), "y": amount(row["tonnes"])}
            for row in months.loc[months["kind"] == kind].to_dict("records")
        ]
        mark = {
            "type": "point", "filled": True, "fill": ink(fill), "stroke": ink("history"),
            "strokeWidth": 1.2, "size": size, "opacity": 1,
        }  # fmt: skip
        if rows:
            found.append(layer(mark, rows, x=field("t", "temporal"), y=field("y")))
    return found


def _months(fan: Fan) -> list[Spec]:
    """Return what each month says under the pointer, and to a screen reader."""
    rows = [
        {"t": instant(month), "to": instant(month + pd.DateOffset(months=1)), "says": says}
        for month, says in _sayings(fan)
    ]
    spot = {"type": "rect", "fill": ink("ink"), "aria": True}
    says = field("says", "nominal")
    found = layer(
        spot, rows, x=field("t", "temporal"), x2={"field": "to"}, tooltip=says, description=says,
        opacity={"condition": {"param": "pointed", "value": 0.1, "empty": False}, "value": 0},
    )  # fmt: skip
    pointed = {"type": "point", "on": "pointerover", "clear": "pointerout"}
    return [{**found, "params": [{"name": "pointed", "select": pointed}]}]


def _sayings(fan: Fan) -> Iterator[tuple[pd.Timestamp, str]]:
    """Yield each month with what is known or forecast of it, in words."""
    settled = fan.later.loc[fan.later["kind"] == "observed"]
    for row in pd.concat([fan.history, settled]).to_dict("records"):
        yield (
            row["period"],
            gettext(
                "%(month)s: %(tonnes)s t, %(basis)s",
                month=dated(row["period"], "long month"),
                tonnes=tonnes(row["tonnes"]),
                basis=gettext(_BASES[str(row["kind"])]),
            ),
        )
    for row in fan.forecast.loc[~fan.forecast["period"].isin(settled["period"])].to_dict("records"):
        yield (
            row["period"],
            gettext(
                "%(month)s: median %(p50)s t, 80%% band %(p10)s to %(p90)s t.",
                month=dated(row["period"], "long month"),
                **{name: tonnes(row[name]) for name in ("p10", "p50", "p90")},
            ),
        )


def _markers(fan: Fan) -> list[Spec]:
    """Return numbered shapes in a lane above the plot, tied to their days."""
    places = _places(fan, [marker.when for marker in fan.markers], _MARKER_PX)
    rows = [
        {
            "day": instant(marker.when),
            "number": str(marker.number),
            "wide": wide,
            "narrow": narrow,
            "says": f"{dated(marker.when, 'day')}, {marker.state}: {act_words(marker.title)}",
            "shape": _SHAPES[marker.direction],
            "stroke": ink(marker.direction),
            "fill": ink(marker.direction if marker.in_force else "paper"),
            "ink": ink("paper" if marker.in_force else "ink"),
            "lift": -18 if marker.direction == "restrictive" else -13,
        }
        for marker, (wide, narrow) in zip(fan.markers, places, strict=True)
    ]
    if not rows:
        return []
    place = field("place", "temporal")
    raw: Spec = {"scale": None}
    return [
        {**one, "transform": _SHOWN}
        for one in (
            layer(
                {"type": "rule", "strokeDash": [1, 2], "opacity": 0.7}, rows,
                x=field("day", "temporal"), stroke=field("stroke", "nominal", **raw),
            ),
            layer(
                {"type": "rule", "clip": False, "opacity": 0.7}, rows,
                x=field("day", "temporal"), x2={"field": "place"}, y=value(0), y2=value(-9),
                stroke=field("stroke", "nominal", **raw),
            ),
            layer(
                {"type": "point", "clip": False, "size": 430, "opacity": 1, "filled": True}, rows,
                x=place, y=value(-16), shape=field("shape", "nominal", **raw),
                stroke=field("stroke", "nominal", **raw), fill=field("fill", "nominal", **raw),
                tooltip=field("says", "nominal"),
            ),
            layer(
                {"type": "text", "clip": False, "fontWeight": "bold", "baseline": "middle"}, rows,
                x=place, y=field("lift", **raw), text=field("number", "nominal"),
                color=field("ink", "nominal", **raw), tooltip=field("says", "nominal"),
            ),
        )
    ]  # fmt: skip


_SHOWN: Final = (
    {"filter": "datum.day >= start"},
    {"calculate": f"since ? datum.day : {NARROW} ? datum.narrow : datum.wide", "as": "place"},
)
"""Leaves out the days before the first month shown, and keeps the others apart."""


def _steps(fan: Fan) -> list[Spec]:
    """Return a letter on the time axis for each day on which a tariff changed."""
    places = _places(fan, [step.when for step in fan.steps], _LETTER_PX)
    rows = [
        {
            "day": instant(step.when), "wide": wide, "narrow": narrow, "letter": step.letter,
            "says": "; ".join([dated(step.when, "day"), *step.changes]),
        }
        for step, (wide, narrow) in zip(fan.steps, places, strict=True)
    ]  # fmt: skip
    if not rows:
        return []
    square = {"type": "point", "shape": "square", "size": 190, "filled": True}
    letter = {"type": "text", "fontWeight": "bold", "baseline": "middle", "color": ink("paper")}
    where = {"x": field("place", "temporal"), "y": value({"expr": "height - 8"})}
    says = field("says", "nominal")
    return [
        {**one, "transform": _SHOWN}
        for one in (
            layer({**square, "fill": ink("tariff")}, rows, **where, tooltip=says),
            layer(letter, rows, **where, text=field("letter", "nominal"), tooltip=says),
        )
    ]


def _places(fan: Fan, days: Sequence[pd.Timestamp], gap_px: float) -> list[tuple[float, float]]:
    """Return where marks of some days stand apart from each other: wide, and on a phone."""
    narrow = fan.cutoff_end - pd.DateOffset(months=_NARROW_MONTHS)
    return list(
        zip(
            _apart(days, fan.start, fan.end, gap_px / _WIDE_PX),
            _apart(days, narrow, fan.end, gap_px / _NARROW_PX),
            strict=True,
        )
    )


def _apart(
    days: Sequence[pd.Timestamp], first: pd.Timestamp, end: pd.Timestamp, gap: float
) -> list[float]:
    """Return places of sorted days; those before the first shown stay where they are.

    Args:
        gap: Distance of neighbours as a share of the axis.
    """
    low, high = instant(first), instant(end)
    gap *= high - low
    places = [float(instant(day)) for day in days]
    hidden = sum(place < low for place in places)
    shown = spread(places[hidden:], gap=gap, low=low + gap / 2, high=high - gap / 2)
    return [*places[:hidden], *shown]


def spread(positions: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Move sorted positions as little as possible so that neighbours keep ``gap`` between them.

    Least squares under an order constraint, solved exactly. With more positions than fit between
    ``low`` and ``high`` the gap shrinks to what fits.
    """
    count = len(positions)
    if not count:
        return []
    step = min(gap, (high - low) / max(count - 1, 1))
    offsets = np.arange(count) * step
    placed = isotonic_regression(np.asarray(positions) - offsets).x
    return list(np.clip(placed, low, high - offsets[-1]) + offsets)


def with_bridge(fan: Fan) -> pd.DataFrame:
    """Put the month before the first forecast in front of it, with its own uncertainty."""
    columns = ["period", *QUANTILE_COLUMNS]
    rows = fan.forecast[columns]
    if rows.empty or fan.history.empty:
        return rows
    last = fan.history.iloc[-1]
    if last["period"] + pd.DateOffset(months=1) != rows["period"].iloc[0]:
        return rows
    error = 0.0 if pd.isna(last["stderr_t"]) else float(last["stderr_t"])
    levels = np.maximum(float(last["tonnes"]) + error * norm.ppf(QUANTILES), 0.0)
    bridge = pd.DataFrame([[last["period"], *levels]], columns=columns)
    return pd.concat([bridge, rows], ignore_index=True)


def _every_month(history: pd.DataFrame) -> pd.DataFrame:
    """Give a missing month an empty row, so that the line breaks there."""
    months = pd.date_range(history["period"].min(), history["period"].max(), freq="MS")
    return history.set_index("period").reindex(months).rename_axis("period").reset_index()


def _legend(fan: Fan) -> list[Mark]:
    """Return what the marks mean, as far as there are any."""
    median = Mark(gettext("forecast, median"), "line", ink("median"))
    bands = [
        Mark(
            gettext("%(share)s band (%(low)s-%(high)s)", share=share, low=low, high=high),
            "square",
            fill=ink(colour),
        )
        for (low, high, colour), share in zip(BANDS[::-1], ("50%", "80%"), strict=True)
    ]
    found = [median, *bands, *known_marks()]
    if fan.earlier:
        words = gettext("medians published before")
        found.append(Mark(words, "line", ink("earlier"), dash=DASHED))
    last = dated(fan.cutoff_end - pd.DateOffset(months=1), "month")
    found.append(
        Mark(gettext("cutoff, end of %(month)s", month=last), "line", ink("muted"), dash=(5, 3))
    )
    if fan.as_of > fan.cutoff_end:
        found.append(Mark(gettext("past, not yet published"), "square", fill=ink("past")))
    states = sorted({(marker.direction, marker.in_force) for marker in fan.markers}, reverse=True)
    for direction, in_force in states:
        fill = ink(direction if in_force else "paper")
        words = gettext(_EVENTS[direction, in_force])
        found.append(Mark(words, _SHAPES[direction], ink(direction), fill))
    if fan.steps:
        words = gettext("tariff step (listed on the page)")
        found.append(Mark(words, "square", fill=ink("tariff")))
    return found


def known_marks() -> list[Mark]:
    """Return what the marks of past months mean."""
    doubt = gettext("estimated month (±%(errors)s std. errors)", errors=separated(str(STDERR_BAND)))
    return [
        Mark(gettext("observed month"), "circle", ink("history"), ink("history")),
        Mark(gettext("derived from other figures"), "circle", ink("history"), ink("paper")),
        Mark(doubt, "square", ink("faint"), ink("doubt"), DASHED),
    ]


_EVENTS: Final = {
    ("restrictive", True): marked("restrictive event"),
    ("restrictive", False): marked("restrictive, not (yet) in force"),
    ("easing", True): marked("easing event"),
    ("easing", False): marked("easing, not (yet) in force"),
}


def _rows(fan: Fan) -> Iterator[Record]:
    """Yield the months drawn: how each is known, or its forecast."""
    names = ("p10", "p25", "p50", "p75", "p90")
    for row in pd.concat([fan.history, fan.later]).to_dict("records"):
        known = {
            "period": f"{row['period']:%Y-%m}",
            "basis": row["kind"],
            "tonnes": amount(row["tonnes"]),
        }
        yield {**known, "stderr_t": amount(row["stderr_t"]), **dict.fromkeys(names)}
    for row in fan.forecast.to_dict("records"):
        ahead = {
            "period": f"{row['period']:%Y-%m}",
            "basis": "forecast",
            "tonnes": None,
            "stderr_t": None,
        }
        yield {**ahead, **{name: amount(row[name]) for name in names}}
