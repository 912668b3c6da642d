"""The fan chart of one destination: history, forecast with its bands, policy events."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import ndtri

from publication.charts.chart import (
    DASHED,
    NARROW,
    Chart,
    Spec,
    amount,
    band,
    chart,
    dots,
    instant,
    layer,
    line,
    rows_of,
    time_axis,
    tonnes_axis,
    wrapped,
)
from publication.charts.fan import Fan, alt_text, forecast_words, heaviest
from publication.language.formats import dated
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
_LANE_PX: Final = 14
_TURNED: Final = 0.6
"""Part of the width from which the name of an event stands left of its day."""

_CUTOFF: Final = (5, 3)
_SHADE_LETTERS: Final = 8
_BASES: Final = {
    "observed": marked("published"),
    "derived": marked("computed from published figures"),
    "estimated": marked("estimated"),
}
"""How a past month is known, in words."""


def fan_chart(fan: Fan) -> Chart:
    """Chart of one destination, which can be moved back to its first month."""
    layers = [
        *backdrop(fan),
        *_forecast(fan),
        *_earlier(fan),
        *history_layers(fan),
        *history_labels(fan),
        *_labels(fan),
        _months(fan),
        *_events(fan),
    ]
    about = gettext(
        "Tonnes a month: the median, with the bands that should hold 50 and 80%% of outcomes."
    )
    status = fan.status
    model = gettext("; ").join(map(model_words, status.split("; ")))
    return over_months(
        fan, layers, title=title_of(fan), about=[about] if status == "champion" else [about, model],
        label=alt_text(fan), rows=_rows(fan), height=250,
        params=_chosen_window(fan),
    )  # fmt: skip


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
    """Shading of past months without published figures, named, and a line at the cutoff."""
    passed: list[Record] = []
    for month in pd.date_range(fan.cutoff_end, fan.as_of, freq="MS", inclusive="left"):
        if month in fan.published_later.index:
            continue
        start, end = instant(month), instant(min(month + pd.DateOffset(months=1), fan.as_of))
        if passed and passed[-1]["to"] == start:
            passed[-1]["to"] = end
        else:
            passed.append({"t": start, "to": end})
    middle = [{"t": (part["t"] + part["to"]) // 2} for part in passed[:1]]
    words = {"value": wrapped(gettext("not loaded"), _SHADE_LETTERS)}
    return [
        layer("rect", passed, x2="to", fill="past"),
        layer("rule", [{"t": instant(fan.cutoff_end)}], strokeDash=_CUTOFF, stroke="muted"),
        layer("text", middle, y={"value": {"expr": "height - 20"}}, text=words, color="muted"),
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


def _events(fan: Fan) -> Iterator[Spec]:
    """The few events of most weight by name, above the plot in lanes, the first one highest."""
    markers = heaviest(fan.markers)
    rows: list[Record] = [
        {
            "t": instant(marker.when),
            "lift": _LANE_PX * (at - len(markers)),
            "name": marker.name,
            "says": f"{marker.days}; {marker.state}: {act_words(marker.title)}",
        }
        for at, marker in enumerate(markers)
    ]
    lift = {"field": "lift", "type": "quantitative", "scale": None}
    place = f"(datum.t - start) / ({instant(fan.end)} - start)"
    rules = layer("rule", rows, y=lift, y2={"value": "height"}, stroke="muted", strokeDash=(1, 2),
                  clip=False)  # fmt: skip
    yield {**rules, "transform": [{"filter": f"{place} >= 0"}]}
    for align, side, part in (("left", 3, f"0, {_TURNED}"), ("right", -3, f"{_TURNED}, 1")):
        names = layer("text", rows, y=lift, text="name:N", align=align, dx=side, says=True,
                      baseline="top", clip=False)  # fmt: skip
        yield {**names, "transform": [{"filter": f"inrange({place}, [{part}])"}]}


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
    """What the lines and the band are, in words beside them."""
    ahead = fan.ahead
    late = ahead[len(ahead) // 2 :]
    yield highest(late, "p50", gettext("forecast"), color="median")
    yield highest(late, "p90", gettext("8 in 10"), color="median")
    for part in fan.earlier[-1:]:
        yield label(part[len(part) // 3 :][:1], "p50", gettext("published before"), color="earlier")


def history_labels(fan: Fan) -> Iterator[Spec]:
    """Words beside estimated months; the last published month with its number."""
    past = pd.concat([fan.history, fan.later])
    past = past.loc[past["period"].ge(fan.start)]
    published = past.loc[past["kind"].eq("observed")]
    # Above a line that rises, below one that falls; "estimated" is on the other side of it.
    is_above = bool(published["tonnes"][-2:].is_monotonic_increasing)
    error = past["stderr_t"].fillna(0.0) * (-STDERR_BAND if is_above else STDERR_BAND)
    edged = past.assign(edge=(past["tonnes"] + error).clip(lower=0.0))
    doubtful = edged.loc[past["kind"].eq("estimated")][-3:].sort_values("edge", ascending=is_above)
    words, dy = gettext("estimated"), 12 if is_above else -6
    yield label(doubtful[:1], "edge", words, color="muted", dy=dy, align="right")
    for row in published[-1:].to_dict("records"):
        words = f"{dated(row['period'], 'month')}: {tonnes(row['tonnes'])} t"
        beside = {"align": "right", "dy": -10 if is_above else 16}
        yield label(published[-1:], "tonnes", words, **beside, fontWeight="bold")


def highest(months: pd.DataFrame, level: str, words: str, **looks: Any) -> Spec:  # noqa: ANN401
    """Words above the highest of some months."""
    return label(months.sort_values(level)[-1:], level, words, **looks)


def label(month: pd.DataFrame, level: str, words: str, **looks: Any) -> Spec:  # noqa: ANN401
    """Words at a level of one month; outside the plot nothing of them is cut."""
    rows = rows_of(month, level, words=lambda _: words)
    text = layer("text", rows, y=f"{level}:Q", text="words:N", **{"dy": -8, "clip": False, **looks})
    return {**text, "transform": [{"filter": "datum.t >= start"}]}


def _rows(fan: Fan) -> Iterator[Record]:
    """Months drawn: how each is known."""
    months = pd.concat([fan.history, fan.later, fan.forecast.assign(kind="forecast")])
    for row in months.reindex(columns=["period", "kind", *_LEVELS]).to_dict("records"):
        levels = {name: amount(row[name]) for name in _LEVELS}
        yield {"period": f"{row['period']:%Y-%m}", "basis": row["kind"], **levels}


_LEVELS: Final = ("tonnes", "stderr_t", "p10", "p25", "p50", "p75", "p90")
