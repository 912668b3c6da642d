"""An attribution as sentences that a planner can quote, and a chart."""

import json
from pathlib import Path
from typing import Final

import pandas as pd

from flows.context.output import write_result
from models.event_study import HIT, OTHERS, Attribution
from publication.charts.chart import (
    COLOURS,
    Mark,
    Spec,
    band,
    config,
    explained,
    instant,
    layer,
    line,
    rows_of,
    time_axis,
    tonnes_axis,
    wrapped,
)
from publication.charts.fan_chart import dot_layers, month_layers
from publication.charts.stills import still
from publication.words import name_of, percent, signed_tonnes, tonnes
from store.errors import first_few
from store.publications.basis import STDERR_BAND
from store.vocabulary import DESTINATIONS, WORLD

MOST_DRAWN: Final = 4
"""Series that are drawn and whose months are listed; the file of the table has all."""

NAMED: Final = 5
"""Destinations named one by one in a sentence."""


def called(destination: str) -> str:
    """Names of series in words, also of those built for one event."""
    words = {HIT: "the destinations hit", OTHERS: "the other destinations", WORLD: "the world"}
    return words.get(destination) or name_of(destination)


def months_in_words(first: str, last: str) -> str:
    """``2025-04`` to ``2025-06`` as April-June 2025."""
    start, end = pd.Timestamp(first), pd.Timestamp(last)
    if start == end:
        return f"{start:%B %Y}"
    if start.year == end.year:
        return f"{start:%B}-{end:%B %Y}"
    return f"{start:%B %Y}-{end:%B %Y}"


def sentences(attribution: Attribution) -> list[str]:
    """Sentences on the fall, the months after it, displacement and uncertainty."""
    texts = [
        _fall(attribution),
        _companions(attribution),
        _after(attribution),
        _by_destination(attribution),
    ]
    return [text for text in (*texts, _displaced(attribution), _doubt(attribution)) if text]


def _fall(attribution: Attribution) -> str:
    row = attribution.total(attribution.touched, "fall")
    assert row is not None  # noqa: S101 - there are always months of the fall, or first ones
    months, where = (
        months_in_words(row["first_period"], row["last_period"]),
        called(attribution.touched),
    )
    eve = attribution.act.announced - pd.Timedelta(days=1)
    path = f"the path foreseen on {eve:%-d %B %Y}"
    if not attribution.fall:
        side = "below" if row["missing_t"] >= 0 else "above"
        return (
            f"No fall stands out: no single month of {months} lies below the 80% band of placebo "
            f"dates. Exports to {where} were {tonnes(abs(row['missing_t']))} t {side} {path} in "
            f"these months ({_band(row)})."
        )
    depth, rank, dates = attribution.depth
    as_deep = rank - 1 or "none"
    return (
        f"Exports to {where} lost {tonnes(row['missing_t'])} t in {months} against {path} "
        f"({_band(row)}), {percent(row['missing_t'] / row['path_t'])} of it: {depth:.1f} months of "
        f"exports. Of {dates - 1} earlier placebo dates {as_deep} had as deep a fall; their "
        "windows overlap."
    )


def _companions(attribution: Attribution) -> str:
    if not attribution.companions:
        return ""
    return (
        "Other strong acts on the same destinations were announced within a month before the event "
        f"or in the months shown: {first_few(attribution.companions)}. The path includes those "
        "announced before it; the effect of the others cannot be separated from this event's."
    )


def _after(attribution: Attribution) -> str:
    row = attribution.total(attribution.touched, "after")
    if row is None or not attribution.fall:
        return ""
    months, back = months_in_words(row["first_period"], row["last_period"]), -row["missing_t"]
    if back <= 0:
        return f"In {months} exports ran a further {tonnes(-back)} t below the path ({_band(row)})."
    sure = "; no sure sign that the loss was made up" if _holds_zero(row) else ""
    return f"In {months} exports exceeded the path by {tonnes(back)} t ({_gain(row)}){sure}."


def _by_destination(attribution: Attribution) -> str:
    names = attribution.largest("hit", NAMED)
    if len(names) < 2:  # noqa: PLR2004 - one destination is the whole
        return ""
    parts = (_named(attribution, name) for name in names)
    return f"Largest differences from their own paths in these months: {', '.join(parts)}."


def _displaced(attribution: Attribution) -> str:
    row = attribution.total(OTHERS, "fall")
    if row is None:
        return "The event affects every destination, so nothing is counted as displaced."
    verdict = "beyond what placebo dates show"
    if row["missing_t"] >= 0 or _holds_zero(row):
        verdict = "no sure sign of displacement"
    side = "less" if row["missing_t"] >= 0 else "more"
    top = ", ".join(_named(attribution, name) for name in attribution.largest("other", 3))
    return (
        f"The destinations it left alone received {tonnes(abs(row['missing_t']))} t {side} than "
        f"their own paths in the same months ({_gain(row)}), {verdict}; largest: {top}."
    )


def _doubt(attribution: Attribution) -> str:
    rows = attribution.table.loc[attribution.table["destination"].isin(DESTINATIONS)]
    counts = rows["kind"].value_counts()
    late, least, most = attribution.late
    return (
        f"Of {len(rows)} months by destination {counts.get('observed', 0)} are observed, "
        f"{counts.get('derived', 0)} derived and {counts.get('estimated', 0)} estimated; the bands "
        "include the error of estimates, which are drawn towards the past, so a fall can hide in "
        f"them. Before the event the data were {late} months late, at the placebo dates {least} to "
        f"{most}."
    )


def _named(attribution: Attribution, name: str) -> str:
    row = attribution.total(name, "fall")
    return "" if row is None else f"{called(name)} {signed_tonnes(-row['missing_t'])} t"


def _band(row: pd.Series) -> str:
    return f"80% band {_plain(row['missing_p10'])} to {_plain(row['missing_p90'])} t"


def _gain(row: pd.Series) -> str:
    return f"80% band {_plain(-row['missing_p90'])} to {_plain(-row['missing_p10'])} t"


def _plain(value: float) -> str:
    return tonnes(value) if value >= 0 else signed_tonnes(value)


def _holds_zero(row: pd.Series) -> bool:
    return bool(row["missing_p10"] <= 0.0 <= row["missing_p90"])


def titled(name: str) -> str:
    """Series in words, as a title."""
    text = called(name)
    return text[0].upper() + text[1:]


def attribution_png(attribution: Attribution) -> bytes:
    """Draw the months over the path without the event, and below what is missing, summed up."""
    names = attribution.main(MOST_DRAWN)
    firsts = pd.date_range(
        attribution.past["period"].min(), attribution.table["period"].max(), freq="MS"
    )
    span = instant(firsts[0]), instant(firsts[-1] + pd.DateOffset(months=1))
    x = time_axis(6, domain=[{"expr": str(edge)} for edge in span])
    paths = [_path(attribution, name, x) for name in names]
    paths[0]["layer"].append(explained(_LEGEND))
    columns = [
        {"vconcat": [path, _sum(attribution, name, x)], "spacing": 14}
        for name, path in zip(names, paths, strict=True)
    ]
    description = {
        "title": {
            "text": f"With and without the act of {attribution.act.announced:%-d %B %Y}",
            "subtitle": wrapped(attribution.act.summary, 48 * len(names)),
        },
        "hconcat": columns,
        "resolve": {"scale": {"color": "independent"}},
        "config": config(),
    }
    return still(json.dumps(description), "png", (COLOURS,))


def _path(attribution: Attribution, name: str, x: Spec) -> Spec:
    """Past months, by how each is known, over the path without the event and its band."""
    rows = rows_of(months_of(attribution, name), "without_p10", "without_p50", "without_p90")
    past = attribution.past.loc[attribution.past["destination"] == name]
    later = months_of(attribution, name).rename(
        columns={"exports_t": "tonnes", "exports_stderr_t": "stderr_t"}
    )
    months = past if len(past) else later.assign(period=pd.to_datetime(later["period"]))
    layers = [
        band(rows, "without_p10", "without_p90", "band80"),
        line(rows, "without_p50", "median"),
        *month_layers(months),
        *dot_layers(months, 24),
    ]
    return _panel(attribution, layers, x, titled(name), 200)


def _sum(attribution: Attribution, name: str, x: Spec) -> Spec:
    """Chart of tonnes missing since the event, cumulated, with their placebo band."""
    rows = rows_of(months_of(attribution, name), "cumulated_p10", "cumulated_t", "cumulated_p90")
    layers = [
        band(rows, "cumulated_p10", "cumulated_p90", "past"),
        *(line(rows, edge, "faint", 0.8) for edge in ("cumulated_p10", "cumulated_p90")),
        layer("rule", [{"y": 0}], x=None, y="y:Q", stroke="ink"),
        line(rows, "cumulated_t", "restrictive"),
    ]
    return _panel(attribution, layers, x, "Missing since then, tonnes", 130)


def _panel(attribution: Attribution, layers: list[Spec], x: Spec, title: str, height: int) -> Spec:
    day = [{"t": instant(attribution.act.announced)}]
    shown = [*layers, layer("rule", day, stroke="restrictive", strokeDash=(1, 2))]
    return {
        "title": {"text": title, "fontSize": 12},
        "width": 210,
        "height": height,
        "encoding": {"x": x, "y": tonnes_axis(4)},
        "layer": [spec for spec in shown if spec["data"]["values"]],
    }


_LEGEND: Final = (
    Mark("published month", "circle", "history", "history"),
    Mark("derived from other figures", "circle", "history", "paper"),
    Mark(f"estimated (±{STDERR_BAND} std. errors)", "square", fill="doubt"),
    Mark("path without the event", "line", "median"),
    Mark("80% band of the forecast", "square", fill="band80"),
    Mark("missing against the path", "line", "restrictive"),
    Mark("80% band from placebo dates", "square", "faint", "past"),
)


def months_of(attribution: Attribution, name: str) -> pd.DataFrame:
    """Months of one series."""
    return attribution.table.loc[attribution.table["destination"] == name]


def write_attribution(attribution: Attribution, folder: Path) -> list[str]:
    """Write tables and chart into a folder; return the files' names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (("attribution.csv", attribution.table), ("totals.csv", attribution.totals)):
        write_result(frame.round(3), out=folder / name, form="csv")
    (folder / "attribution.png").write_bytes(attribution_png(attribution))
    return ["attribution.csv", "totals.csv", "attribution.png"]
