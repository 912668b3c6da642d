"""The fan chart of one destination: history, forecast with its bands, policy events."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import ndtri

from publication.charts.chart import (
    DASHED,
    NARROW,
    Chart,
    Mark,
    Spec,
    amount,
    band,
    chart,
    dots,
    ink,
    instant,
    layer,
    line,
    rows_of,
    time_axis,
    tonnes_axis,
)
from publication.charts.fan import Fan, alt_text, forecast_words
from publication.language.formats import dated, separated
from publication.language.phrases import act_words, gettext, marked
from publication.tables import Record
from publication.words import model_words, name_of, tonnes
from store.publications.panels import STDERR_BAND
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

BANDS: Final = (("p10", "p90", "band80"), ("p25", "p75", "band50"))
"""Lower, upper and colour, in drawing order: widest first."""

_NARROW_MONTHS: Final = 24
"""Months before the forecast on a phone."""

_FAR_MONTHS: Final = 60
_LANE_PX: Final = 15
_CROWDED_PX: Final = 44
"""Distance of the marks of a lane, with their words."""

_CUTOFF: Final = (5, 3)
_SHAPES: Final = {"restrictive": "triangle-down", "easing": "triangle-up", "tariff": "square"}
"""Marks of the lanes of events, from the top."""
_BASES: Final = {
    "observed": marked("published"),
    "derived": marked("computed from published figures"),
    "estimated": marked("estimated"),
}
"""How a past month is known, in words."""


def fan_chart(fan: Fan, rivals: pd.DataFrame | None = None) -> Chart:
    """Chart of one destination, which can be moved back to its first month.

    Args:
        rivals: Forecasts by others, as ``Planning.rivals_of``.
    """
    by_name = _within(fan, rivals)
    layers = [
        *backdrop(fan),
        *_forecast(fan),
        *_earlier(fan),
        *history_layers(fan),
        *_rivals(by_name),
        *_labels(fan),
        _months(fan),
        *_strip(fan),
    ]
    about = gettext(
        "Tonnes a month: the median, with the bands that should hold 50 and 80%% of outcomes."
    )
    status = fan.status
    model = gettext("; ").join(map(model_words, status.split("; ")))
    return over_months(
        fan, layers, title=title_of(fan), about=[about] if status == "champion" else [about, model],
        label=alt_text(fan), rows=_rows(fan, by_name), height=250,
        params=_chosen_window(fan), y=_own_axis(fan, by_name),
    )  # fmt: skip


def _own_axis(fan: Fan, by_name: Mapping[str, pd.DataFrame]) -> Spec | None:
    """Axis up to our own figures where a forecast by another lies above them; it is cut off."""
    own = [fan.history["tonnes"], fan.later["tonnes"], fan.forecast["p90"]]
    top = float(pd.concat(own).max())
    is_above = any(part["tonnes"].gt(top).any() for part in by_name.values())
    return tonnes_axis(domainMax=top, zero=True) if is_above else None


_MOST_RIVALS: Final = 4
"""Names drawn; the table has all."""


def _within(fan: Fan, rivals: pd.DataFrame | None) -> dict[str, pd.DataFrame]:
    """Forecasts by others within the chart, by name."""
    if rivals is None:
        return {}
    shown = rivals.loc[rivals["period"].between(fan.start, fan.end, inclusive="left")]
    return {str(name): part for name, part in list(shown.groupby("name"))[:_MOST_RIVALS]}


def _rivals(by_name: Mapping[str, pd.DataFrame]) -> Iterator[Spec]:
    """Thin line through the months of each other, with its name at the end."""
    for name, part in by_name.items():
        rows = [{**row, "name": name} for row in rows_of(part, "tonnes")]
        yield line(rows, "tonnes", "scenario", 1)
        yield dots(rows, "tonnes", 14, fill="scenario", stroke="scenario", opacity=1)
        yield layer("text", rows[-1:], y="tonnes:Q", text="name:N", color="scenario", align="left",
                    dx=5, fontSize=10)  # fmt: skip


def title_of(fan: Fan) -> str:
    """Title of a chart: commodity and destination."""
    return gettext(
        "%(name)s: %(goods)s from China",
        name=name_of(fan.destination),
        goods=fan.publication.commodity_words,
    )


def over_months(
    fan: Fan,
    layers: Sequence[Spec],
    *,
    every_px: int = 55,
    y: Spec | None = None,
    **options: Any,  # noqa: ANN401
) -> Chart:
    """Chart of the months from the parameter ``start`` to the last one forecast."""
    # As an expression: of a plain number Vega's interpreter makes no date.
    window: Spec = {"domainMin": {"expr": "start"}, "domainMax": {"expr": str(instant(fan.end))}}
    x = time_axis(every_px, **window)
    clipped = [{**spec, "mark": {"clip": True, **spec["mark"]}} for spec in layers]
    return chart(clipped, as_of=fan.as_of, x=x, y=y or tonnes_axis(), **options)


def window(fan: Fan) -> Spec:
    """First month shown, which fits the width of the chart."""
    narrow = fan.cutoff_end - pd.DateOffset(months=_NARROW_MONTHS)
    return {"name": "start", "expr": f"{NARROW} ? {instant(narrow)} : {instant(fan.start)}"}


def _chosen_window(fan: Fan) -> list[Spec]:
    """First month shown: the usual one, or as the reader chooses."""
    first = fan.history["period"].min() if len(fan.history) else fan.start
    far = max(first, fan.cutoff_end - pd.DateOffset(months=_FAR_MONTHS))
    choice = {
        "input": "select",
        "name": gettext("Show the months since") + " ",
        "options": [0, instant(far), instant(first)],
        "labels": [gettext("the usual start"), dated(far, "month"), dated(first, "month")],
    }
    usual = window(fan)
    return [
        {"name": "since", "value": 0, "bind": choice},
        {**usual, "expr": f"since ? since : ({usual['expr']})"},
    ]


def backdrop(fan: Fan) -> list[Spec]:
    """Shading of past months without published figures, and a line at the cutoff."""
    passed: list[Record] = []
    for month in pd.date_range(fan.cutoff_end, fan.as_of, freq="MS", inclusive="left"):
        if month in fan.published_later.index:
            continue
        start, end = instant(month), instant(min(month + pd.DateOffset(months=1), fan.as_of))
        if passed and passed[-1]["to"] == start:
            passed[-1]["to"] = end
        else:
            passed.append({"t": start, "to": end})
    return [
        layer("rect", passed, x2="to", fill="past"),
        layer("rule", [{"t": instant(fan.cutoff_end)}], strokeDash=_CUTOFF, stroke="muted"),
    ]


def _forecast(fan: Fan) -> list[Spec]:
    """Bands, widest first, and the median, joined to the last month of the history."""
    rows = rows_of(with_bridge(fan), *QUANTILE_COLUMNS)
    return [*(band(rows, *columns) for columns in BANDS), line(rows, "p50", "median")]


def _earlier(fan: Fan) -> list[Spec]:
    """Medians published before, as thin lines in the background."""
    rows = [
        {**row, "of": str(number)}
        for number, part in enumerate(fan.earlier)
        for row in rows_of(part, "p50")
    ]
    return [line(rows, "p50", "earlier", 1, strokeDash=DASHED, detail="of:N")]


def history_layers(fan: Fan, size: int = 32) -> list[Spec]:
    """Months up to the cutoff as a line; observed and derived months as dots, also later ones."""
    dots_of_months = dot_layers(pd.concat([fan.history, fan.later]), size)
    if fan.history.empty:
        return dots_of_months
    # A missing month has an empty row, so that the line breaks there.
    by_month = fan.history.set_index("period")
    months = pd.date_range(by_month.index.min(), by_month.index.max(), freq="MS", name="period")
    return [*month_layers(by_month.reindex(months).reset_index()), *dots_of_months]


def month_layers(months: pd.DataFrame) -> list[Spec]:
    """Line through months, dashed to and from estimated ones, with their error band."""
    error = STDERR_BAND * months["stderr_t"].fillna(0.0)
    low = (months["tonnes"] - error).clip(lower=0.0)
    fixed = months["tonnes"].where(months["kind"] != "estimated")
    levels = months.assign(low=low, high=months["tonnes"] + error, settled=fixed)
    rows = rows_of(levels, "tonnes", "low", "high", "settled")
    layers = [
        band(rows, "low", "high", "doubt"),
        line(rows, "tonnes", "faint", 1.4, strokeDash=DASHED),
    ]
    return [*layers, line(rows, "settled", "faint", 1.4)] if fixed.notna().any() else layers


def dot_layers(months: pd.DataFrame, size: int = 32) -> list[Spec]:
    """Dot for each observed month, hollow for derived months."""
    return [
        dots(rows_of(months.loc[months["kind"] == kind], "tonnes"), "tonnes", size, fill=fill,
             stroke="history", strokeWidth=1.2, opacity=1)
        for kind, fill in (("observed", "history"), ("derived", "paper"))
    ]  # fmt: skip


def _months(fan: Fan) -> Spec:
    """Invisible marks with the sentence of each month, for pointers and screen readers."""
    rows = [
        {"t": instant(month), "to": instant(month + pd.DateOffset(months=1)), "says": says}
        for month, says in _sayings(fan)
    ]
    shade = {"condition": {"param": "pointed", "value": 0.1, "empty": False}, "value": 0}
    pointed = {"type": "point", "on": "pointerover", "clear": "pointerout"}
    shades = layer("rect", rows, x2="to", says=True, fill="ink", opacity=shade)
    return {**shades, "params": [{"name": "pointed", "select": pointed}]}


def _sayings(fan: Fan) -> Iterator[tuple[pd.Timestamp, str]]:
    """Each month with its figure or forecast in words."""
    observed = fan.later.loc[fan.later["kind"] == "observed"]
    for row in pd.concat([fan.history, observed]).to_dict("records"):
        says = gettext(
            "%(month)s: %(tonnes)s t, %(basis)s",
            month=dated(row["period"], "long month"),
            tonnes=tonnes(row["tonnes"]),
            basis=gettext(_BASES[str(row["kind"])]),
        )
        yield row["period"], says
    for row in fan.forecast.loc[~fan.forecast["period"].isin(observed["period"])].to_dict(
        "records"
    ):
        yield row["period"], forecast_words(row)


def _strip(fan: Fan) -> list[Spec]:
    """Events above the plot at their days, in a lane for each direction and for tariffs.

    Those that crowd in a lane are one mark at the first day, which says them all.
    """
    events: list[Record] = [
        {
            "t": instant(marker.when),
            "lane": marker.direction,
            "name": str(marker.number),
            "says": f"{marker.days}; {marker.state}: {act_words(marker.title)}",
            "fill": marker.direction if marker.in_force else "paper",
        }
        for marker in fan.markers
    ]
    steps: list[Record] = [
        {
            "t": instant(step.when), "lane": "tariff", "name": step.letter, "fill": "tariff",
            "says": "; ".join([dated(step.when, "day"), *step.changes]),
        }
        for step in fan.steps
    ]  # fmt: skip
    lanes = dict.fromkeys(name for name in _SHAPES for row in events + steps if row["lane"] == name)
    lifts = {name: -13 - _LANE_PX * at for at, name in enumerate(reversed(lanes))}
    events, steps = (
        [
            {
                **row, "fill": ink(row["fill"]), "stroke": ink(row["lane"]),
                "shape": _SHAPES[row["lane"]], "lift": lifts[row["lane"]],
            }
            for row in rows
        ]
        for rows in (events, steps)
    )  # fmt: skip
    rows = events + steps
    is_shown: Spec = {"filter": "datum.t >= start"}
    rules = [
        layer("rule", events, stroke="stroke:raw", strokeDash=[1, 2], opacity=0.7),
        layer("rule", rows, stroke="stroke:raw", y={"value": -5}, y2={"value": 0}, clip=False),
    ]
    lift = {"field": "lift", "type": "quantitative", "scale": None}
    lane: Spec = {"x": "day:T", "y": lift, "tooltip": "says:N", "clip": False}
    clusters = [
        layer("point", rows, shape="shape:raw", stroke="stroke:raw", fill="fill:raw", size=100,
              filled=True, says=True, **lane),
        layer("text", rows, text="name:N", align="left", dx=8, baseline="middle", **lane),
    ]  # fmt: skip
    return [
        *({**spec, "transform": [is_shown]} for spec in rules),
        *({**spec, "transform": [is_shown, *_clustered(fan)]} for spec in clusters),
    ]


def _clustered(fan: Fan) -> list[Spec]:
    """Transforms that join the events of a lane nearer to the one before than ``_CROWDED_PX``."""
    by_day: Spec = {"groupby": ["lane"], "sort": [{"field": "t"}]}
    near = f"(datum.t - datum.before) * width < {_CROWDED_PX} * ({instant(fan.end)} - start)"
    first, last = "datum.members[0].name", "peek(datum.members).name"
    count = "length(datum.members)"
    has_gap = f"toNumber({last}) - toNumber({first}) >= {count}"
    between = f"{count} < 3 ? ', ' : {has_gap} ? '\\u2026' : '\\u2013'"
    computed = {
        "day": "datum.members[0].t",
        "name": f"{count} > 1 ? {first} + ({between}) + {last} : {first}",
        "says": "join(pluck(datum.members, 'says'), '\\n')",
        "fill": "indexof(pluck(datum.members, 'fill'), datum.stroke) < 0"
        " ? datum.members[0].fill : datum.stroke",
    }
    return [
        {"window": [{"op": "lag", "field": "t", "as": "before"}], **by_day},
        {"calculate": f"datum.before && {near} ? 0 : 1", "as": "begins"},
        {"window": [{"op": "sum", "field": "begins", "as": "cluster"}], **by_day},
        {
            "aggregate": [{"op": "values", "as": "members"}],
            "groupby": ["lane", "lift", "stroke", "shape", "cluster"],
        },
        *({"calculate": expression, "as": name} for name, expression in computed.items()),
    ]  # fmt: skip


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
    levels = np.maximum(float(last["tonnes"]) + error * ndtri(QUANTILES), 0.0)
    bridge = pd.DataFrame([[last["period"], *levels]], columns=columns)
    return pd.concat([bridge, rows], ignore_index=True)


def _labels(fan: Fan) -> Iterator[Spec]:
    """What the marks are, in words beside them; the last published month with its number."""
    past = pd.concat([fan.history, fan.later])
    past = past.loc[past["period"].ge(fan.start)]
    doubtful = past.loc[past["kind"].eq("estimated")]
    published = past.loc[past["kind"].eq("observed")]
    ahead, earlier = fan.ahead, fan.earlier[-1:]
    labels = [
        (ahead[len(ahead) // 2 :], "p50", "median", gettext("forecast")),
        (ahead[len(ahead) // 2 :], "p90", "median", gettext("8 in 10")),
        (doubtful[-3:], "tonnes", "muted", gettext("estimated")),
        *(
            (part[len(part) // 3 :], "p50", "earlier", gettext("published before"))
            for part in earlier
        ),
    ]
    for rows, level, colour, words in labels:
        yield _label(rows[:1], level, words, color=colour)
    for row in published[-1:].to_dict("records"):
        words = f"{dated(row['period'], 'month')}: {tonnes(row['tonnes'])} t"
        yield _label(published[-1:], "tonnes", words, dy=14, fontWeight="bold")


def _label(month: pd.DataFrame, level: str, words: str, **looks: Any) -> Spec:  # noqa: ANN401
    rows = rows_of(month, level, words=lambda _: words)
    return layer("text", rows, y=f"{level}:Q", text="words:N", **{"dy": -8, **looks})


def known_marks() -> list[Mark]:
    """Legend of the marks of past months."""
    doubt = gettext("estimated month (±%(errors)s std. errors)", errors=separated(str(STDERR_BAND)))
    return [
        Mark(gettext("published month"), "circle", "history", "history"),
        Mark(gettext("derived from other figures"), "circle", "history", "paper"),
        Mark(doubt, "square", "faint", "doubt", DASHED),
    ]


def passed_mark(fan: Fan) -> list[Mark]:
    """Legend of the shading of unpublished past months, empty if there are none."""
    words = gettext("past, figure not loaded")
    return [Mark(words, "square", fill="past")] if fan.as_of > fan.cutoff_end else []


def _rows(fan: Fan, by_name: Mapping[str, pd.DataFrame] = MappingProxyType({})) -> Iterator[Record]:
    """Months drawn: how each is known, or whose forecast it is."""
    rivals = (part.assign(kind=name) for name, part in by_name.items())
    months = pd.concat([fan.history, fan.later, fan.forecast.assign(kind="forecast"), *rivals])
    for row in months.reindex(columns=["period", "kind", *_LEVELS]).to_dict("records"):
        levels = {name: amount(row[name]) for name in _LEVELS}
        yield {"period": f"{row['period']:%Y-%m}", "basis": row["kind"], **levels}


_LEVELS: Final = ("tonnes", "stderr_t", "p10", "p25", "p50", "p75", "p90")
