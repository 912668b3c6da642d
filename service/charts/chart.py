"""What every chart is: one Vega-Lite description, the rows it draws and what it says in words.

The browser draws the description, and ``service.charts.stills`` makes pictures of it. Colours are
the page's variables ``--c-NAME``, so that a page in the dark needs no other chart.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from textwrap import wrap
from typing import Any, Final

import pandas as pd

from service.http.responses import Record
from service.language.choice import language
from service.language.formats import dated, locale_of
from service.language.phrases import gettext

COLOURS: Final[dict[str, str]] = {
    "ink": "#1b1f24",
    "muted": "#57606a",
    "grid": "#e3e6ea",
    "paper": "#fffffe",
    "past": "#f7f0dd",
    "band80": "#a6cce6",
    "band50": "#69abd7",
    "median": "#00507d",
    "history": "#34393f",
    "faint": "#9aa3ad",
    "doubt": "#dcdfe3",
    "restrictive": "#d55e00",
    "easing": "#009e73",
    "earlier": "#8a4a76",
    "tariff": "#6b5300",
    "scenario": "#9a2257",
    "scenario80": "#edbdd0",
}
"""Okabe-Ito hues and tints of a light page."""

DARK_COLOURS: Final[dict[str, str]] = {
    "ink": "#e6e9ed",
    "muted": "#a3adb8",
    "grid": "#2e353d",
    "paper": "#171b20",
    "past": "#2c281c",
    "band80": "#265478",
    "band50": "#3579a9",
    "median": "#b5defa",
    "history": "#d5dae0",
    "faint": "#77828d",
    "doubt": "#39414a",
    "restrictive": "#e8762c",
    "easing": "#1cb88b",
    "earlier": "#d99ac3",
    "tariff": "#d8b94a",
    "scenario": "#ff8fbb",
    "scenario80": "#6b2546",
}
"""The same names for a dark page."""

Spec = dict[str, Any]
"""Part of a Vega-Lite description."""

NARROW: Final = "width < 460"
"""Vega's expression for a phone."""

_SHORT_LINES: Final = "width < 640"
"""Where a line of title or subtitle would not fit whole."""

_TITLE_LETTERS: Final = (80, 36)
_LETTERS: Final = (125, 54)
"""Letters on a line of title and of subtitle: wide, and on a phone."""

_LETTERS_PX: Final = 11

_MID_MONTH: Final = pd.Timedelta(days=15)
"""A month's tonnes are drawn in its middle, so an event of the 4th stands before them."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart, whoever draws it."""

    description: Spec
    """Vega-Lite, whole in itself."""
    rows: tuple[Record, ...]
    """What it draws, for a table."""

    @property
    def label(self) -> str:
        """Return what it shows, for those who cannot see it."""
        return str(self.description["description"])

    @property
    def document(self) -> str:
        return _json(self.description)

    @property
    def still(self) -> str:
        """Return the description without the layers that only answer the pointer."""
        layers = [one for one in self.description["layer"] if "params" not in one]
        return _json({**self.description, "layer": layers})


def _json(description: Spec) -> str:
    text = json.dumps(description, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", r"\u003c")  # of data nothing may look like a tag


@dataclass(frozen=True, slots=True)
class Mark:
    """One line of a legend."""

    words: str
    shape: str
    """A symbol of Vega; ``line`` is a stroke."""
    stroke: str = "none"
    fill: str = "none"
    dash: tuple[float, float] = (1, 0)


def chart(
    layers: Iterable[Spec],
    *,
    title: str,
    about: Sequence[str],
    label: str,
    rows: Iterable[Record],
    height: float,
    legend: Sequence[Mark] = (),
    params: Sequence[Spec] = (),
) -> Chart:
    """Return a chart as wide as what holds it.

    Args:
        about: Sentences below the title; the last names the source.
    """
    drawn = [one for one in layers if one["data"]["values"]]
    datasets, shown = _shared([*drawn, *([legend_layer(legend)] if legend else [])])
    description = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": label,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 2, "top": 2, "right": 6, "bottom": 2},
        **({"title": _title(title, about)} if title else {}),
        "datasets": datasets,
        "params": list(params),
        "layer": shown,
        "config": config(),
    }
    return Chart(description, tuple(rows))


def _shared(layers: Sequence[Spec]) -> tuple[Spec, list[Spec]]:
    """Return rows by name and the layers with these names: rows of several stand there once."""
    found: dict[int, tuple[str, object]] = {}
    named = []
    for one in layers:
        rows = one["data"]["values"]
        name, _ = found.setdefault(id(rows), (f"rows{len(found)}", rows))
        named.append({**one, "data": {"name": name}})
    return dict(found.values()), named


def config() -> Spec:
    """Return the looks that all charts have, and how the language writes numbers and months."""
    return {**_CONFIG, "locale": _locale(language())}


def source_line(as_of: pd.Timestamp) -> str:
    """Return source, date and licence, which stand inside every chart."""
    return gettext(
        "Source: magnetcast, from figures of China Customs and its partners; forecast as of "
        "%(day)s. Free to quote with this line.",
        day=dated(as_of, "day"),
    )


def ink(name: str) -> str:
    """Return a colour by its name, as the page defines it."""
    return f"var(--c-{name})"


def layer(mark: str | Spec, values: Sequence[Mapping[str, Any]], **encoding: Spec) -> Spec:
    """Return a layer over rows of its own."""
    drawn = {"type": mark} if isinstance(mark, str) else mark
    return {
        "data": {"values": values},
        "mark": {"aria": False, **drawn},
        "encoding": encoding,
    }


def field(name: str, kind: str = "quantitative", **more: Any) -> Spec:  # noqa: ANN401 - of Vega-Lite
    """Return the encoding of a field."""
    return {"field": name, "type": kind, **more}


def value(given: object) -> Spec:
    """Return the encoding of a constant."""
    return {"value": given}


def time_axis(name: str = "t", *, ticks: int | Spec | None = None, **scale: Any) -> Spec:  # noqa: ANN401
    """Return the encoding of months, named with the year beneath January."""
    month = "utcFormat(datum.value, '%b')"
    axis: Spec = {
        "title": None,
        "grid": False,
        "labelExpr": f"utcmonth(datum.value) == 0 ? "
        f"[{month}, utcFormat(datum.value, '%Y')] : {month}",
    }
    if ticks is not None:
        axis["tickCount"] = ticks
    return field(name, "temporal", scale={"type": "utc", "nice": False, **scale}, axis=axis)


def month_names() -> Spec:
    """Return the axis of months that are names, ``YYYY-MM``."""
    day = "utcParse(datum.label, '%Y-%m')"
    return {
        "title": None,
        "labelAngle": 0,
        "labelOverlap": True,
        "labelExpr": f"[utcFormat({day}, '%b'), utcFormat({day}, '%Y')]",
    }


def tonnes_axis(name: str = "y", ticks: int | None = None, **scale: Any) -> Spec:  # noqa: ANN401
    """Return the encoding of tonnes from zero; one of several charts in a sheet needs ``ticks``."""
    count = ticks or {"expr": "height / 50"}
    axis = {"title": None, "format": ",.0f", "tickCount": count}
    return field(name, scale=scale, axis=axis)


def share_axis(name: str, *, title: str | None = None, **scale: Any) -> Spec:  # noqa: ANN401
    """Return the encoding of shares of one."""
    return field(name, scale=scale, axis={"title": title, "format": ".0%", "tickCount": 5})


def instant(moment: pd.Timestamp) -> int:
    """Return a moment as Vega counts time."""
    plain = moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment
    return int((plain - pd.Timestamp("1970-01-01")) // pd.Timedelta(milliseconds=1))


def middle(month: pd.Timestamp) -> int:
    """Return where the tonnes of a month are drawn."""
    return instant(month + _MID_MONTH)


def amount(tonnes: float) -> float | None:
    """Return tonnes to the kilogram, None where they are not known."""
    return None if pd.isna(tonnes) else round(float(tonnes), 3)


def wrapped(text: str, letters: int) -> list[str]:
    """Return text on lines; characters of Chinese, Japanese and Korean are twice as wide."""
    if language() in ("ja", "zh"):
        letters //= 2
        return [text[at : at + letters] for at in range(0, len(text), letters)]
    return wrap(text, letters // 2 if language() == "ko" else letters)


def _title(title: str, about: Sequence[str]) -> Spec:
    """Return title and subtitle, on shorter lines where the chart is narrow."""
    found = {"text": _by_width([title], letters=_TITLE_LETTERS)}
    return found | ({"subtitle": _by_width(about, letters=_LETTERS)} if about else {})


def _by_width(sentences: Sequence[str], *, letters: tuple[int, int]) -> Spec:
    wide, narrow = (
        [line for sentence in sentences for line in wrapped(sentence, most)] for most in letters
    )
    lines = (json.dumps(one, ensure_ascii=False) for one in (narrow, wide))
    return {"expr": f"{_SHORT_LINES} ? {' : '.join(lines)}"}


def legend_layer(marks: Sequence[Mark]) -> Spec:
    """Return a layer that draws nothing and explains the marks of the others."""
    words = [mark.words for mark in marks]

    def scaled(values: list[Any]) -> Spec:
        legend = {
            "orient": "bottom",
            "direction": "vertical",
            "title": None,
            "columns": {"expr": f"{NARROW} ? 1 : width < 800 ? 2 : 4"},
        }
        scale = {"domain": words, "range": values}
        return field("words", "nominal", scale=scale, legend=legend)

    return layer(
        {"type": "point", "filled": True, "opacity": 1, "x": -99, "clip": True},
        [{"words": words[0]}],
        shape=scaled(["M-1,0L1,0" if mark.shape == "line" else mark.shape for mark in marks]),
        stroke=scaled([mark.stroke for mark in marks]),
        fill=scaled([mark.fill for mark in marks]),
        strokeDash=scaled([list(mark.dash) for mark in marks]),
    )


@cache
def _locale(code: str) -> Spec:
    """Return how Vega writes numbers and months in a language."""
    found = locale_of(code)
    symbols = found.number_symbols["latn"]
    months, days = found.months["stand-alone"], found.days["stand-alone"]
    return {
        "number": {
            "decimal": symbols["decimal"],
            "thousands": symbols["group"],
            "grouping": [3],
            "currency": ["", ""],
        },
        "time": {
            "dateTime": "%x %X", "date": "%x", "time": "%X", "periods": ["AM", "PM"],
            "days": [days["wide"][(day - 1) % 7] for day in range(7)],
            "shortDays": [days["abbreviated"][(day - 1) % 7] for day in range(7)],
            "months": [months["wide"][month] for month in range(1, 13)],
            "shortMonths": [
                dated(pd.Timestamp(2020, month, 1), "bare month") for month in range(1, 13)
            ],
        },
    }  # fmt: skip


_TEXT: Final = {"labelFontSize": _LETTERS_PX, "titleFontSize": _LETTERS_PX, "titleFontWeight": 400}

_CONFIG: Final[Spec] = {
    "background": ink("paper"),
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        **_TEXT,
        "aria": False,
        "labelColor": ink("ink"),
        "titleColor": ink("muted"),
        "gridColor": ink("grid"),
        "domainColor": ink("muted"),
        "tickColor": ink("muted"),
        "labelOverlap": True,
        "labelBound": 12,
    },
    "axisY": {"domain": False, "ticks": False},
    "legend": {
        **_TEXT,
        "aria": False,
        "labelColor": ink("ink"),
        "labelLimit": 320,
        "columnPadding": 18,
        "symbolSize": 110,
        "symbolStrokeWidth": 2,
        "offset": 8,
    },
    "title": {
        "aria": False,
        "anchor": "start",
        "frame": "bounds",
        "fontSize": 14,
        "color": ink("ink"),
        "subtitleColor": ink("muted"),
        "subtitleFontSize": _LETTERS_PX,
        "subtitlePadding": 4,
        "offset": 10,
    },
    "point": {"opacity": 1},
    "text": {"fontSize": _LETTERS_PX, "color": ink("ink")},
}
