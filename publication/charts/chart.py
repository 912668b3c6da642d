"""What every chart is: one Vega-Lite description, the rows it draws and what it says in words.

The browser draws the description, by Vega; ``still`` makes a picture of it. Colours are the
page's variables ``--c-NAME``, so that a page in the dark needs no other chart.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from textwrap import wrap
from typing import Any, Final

import pandas as pd

from publication.language.formats import dated, locale_of
from publication.language.phrases import gettext, language
from publication.tables import Record

_PALETTE: Final = {
    "ink": ("#1b1f24", "#e6e9ed"),
    "muted": ("#57606a", "#a3adb8"),
    "grid": ("#e3e6ea", "#2e353d"),
    "paper": ("#fffffe", "#171b20"),
    "past": ("#f7f0dd", "#2c281c"),
    "band80": ("#a6cce6", "#265478"),
    "band50": ("#69abd7", "#3579a9"),
    "median": ("#00507d", "#b5defa"),
    "history": ("#34393f", "#d5dae0"),
    "faint": ("#9aa3ad", "#77828d"),
    "doubt": ("#dcdfe3", "#39414a"),
    "restrictive": ("#d55e00", "#e8762c"),
    "easing": ("#009e73", "#1cb88b"),
    "earlier": ("#8a4a76", "#d99ac3"),
    "tariff": ("#6b5300", "#d8b94a"),
    "scenario": ("#9a2257", "#ff8fbb"),
    "scenario80": ("#edbdd0", "#6b2546"),
}
"""Okabe-Ito hues and tints of a light page and of a dark one."""

COLOURS: Final = {name: light for name, (light, _) in _PALETTE.items()}
DARK_COLOURS: Final = {name: dark for name, (_, dark) in _PALETTE.items()}

Spec = dict[str, Any]
"""Part of a Vega-Lite description."""

_NARROWER: Final = "(containerSize()[0] ? containerSize()[0] < {} : width < {})"
"""By what holds the chart: what the plot's width changed around it would have no room."""

NARROW: Final = _NARROWER.format(540, 460)
"""Vega's expression for a phone."""

DASHED: Final = (4, 3)
_TITLE_LETTERS: Final = (80, 36)
_LETTERS: Final = (125, 54)
"""Letters on a line of title and of subtitle: wide, and on a phone."""

_LETTERS_PX: Final = 11
_SOURCE_PX: Final = 46
"""Pixels from the plot to the line of its source, below the months and years."""

_MONTH_MS: Final = 2_629_800_000

_KINDS: Final = {"T": "temporal", "Q": "quantitative", "N": "nominal", "O": "ordinal"}
_RAW: Final = {"type": "nominal", "scale": None}
_SAYS: Final = {"tooltip": "says:N", "description": "says:N"}


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart, whoever draws it."""

    description: Spec
    """Vega-Lite, whole in itself."""
    rows: tuple[Record, ...]
    """What it draws, for a table."""

    @property
    def label(self) -> str:
        """Description for readers who cannot see it."""
        return str(self.description["description"])

    @property
    def document(self) -> str:
        """Description as JSON, with its rows as a table for whoever saves them."""
        table = [[*self.rows[0]], *([*row.values()] for row in self.rows)] if self.rows else []
        about = {**self.description, "usermeta": {"table": table}}
        text = json.dumps(about, ensure_ascii=False, separators=(",", ":"))
        return text.replace("<", r"\u003c")  # of data nothing may look like a tag


def chart(
    layers: Iterable[Spec],
    *,
    title: str,
    as_of: pd.Timestamp,
    label: str,
    rows: Iterable[Record],
    height: float,
    columns: Sequence[str] = (),
    about: Sequence[str] = (),
    params: Sequence[Spec] = (),
    **axes: Spec,
) -> Chart:
    """Chart as wide as the element that holds it.

    Args:
        title: Empty for one among others, which names no source either.
        as_of: Day of its figures, which the line below the plot names beside their source.
        columns: Of ``rows`` as a table; none are all.
        about: Sentences below the title.
        axes: Encodings of all layers.
    """
    filled = [spec for spec in layers if spec["data"]["values"]]
    datasets, named_layers = _by_name([*filled, *([_source(as_of)] if title else [])])
    description = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": label,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 2, "top": 2, "right": 6, "bottom": 2},
        **({"title": _title(title, about)} if title else {}),
        "params": list(params),
        "encoding": axes,
        "datasets": datasets,
        "layer": named_layers,
        "config": config(),
    }
    table = [{name: row[name] for name in columns or row} for row in rows]
    return Chart(description, tuple(table))


def _by_name(layers: Sequence[Spec]) -> tuple[Spec, list[Spec]]:
    """Datasets by name, and layers that refer to them; shared rows are stored once."""
    rows = {id(spec["data"]["values"]): spec["data"]["values"] for spec in layers}
    names = {key: f"rows{number}" for number, key in enumerate(rows)}
    named_layers = [
        {**spec, "data": {"name": names[id(spec["data"]["values"])]}} for spec in layers
    ]
    return {names[key]: values for key, values in rows.items()}, named_layers


def config() -> Spec:
    """Looks that all charts have, and how the language writes numbers and months."""
    return {**_CONFIG, "locale": _locale(language())}


def _source(as_of: pd.Timestamp) -> Spec:
    """Line below the plot that names the source."""
    words = gettext(
        "Source: magnetcast, from figures of China Customs and its partners; forecast as of "
        "%(day)s. Free to quote with this line.",
        day=dated(as_of, "day"),
    )
    text = {"value": _by_width([words], letters=_LETTERS)}
    below = {"value": {"expr": f"height + {_SOURCE_PX}"}}
    return layer("text", [{}], x={"value": 0}, y=below, text=text, align="left", color="muted")


def ink(name: str) -> str:
    """Colour by its name, as the page defines it."""
    return f"var(--c-{name})" if name in COLOURS else name


def layer(mark: str, rows: Sequence[Record], *, says: bool = False, **channels: Any) -> Spec:  # noqa: ANN401 - of Vega-Lite
    """Layer of marks over rows.

    Args:
        says: Whether the rows' ``says`` is what a mark tells a pointer and a screen reader.
        channels: ``FIELD:T`` (or Q, N, O) is read from the rows, ``FIELD:raw`` is what they have
            as it stands, an object is an encoding; all else are properties of the marks, colours
            by name.
    """
    values = {"x": "t:T", **channels, **(_SAYS if says else {})}
    encoding = {
        name: channel for name, value in values.items() if (channel := _encoding(name, value))
    }
    looks = {
        name: ink(value) if isinstance(value, str) else value
        for name, value in values.items()
        if name not in encoding and value is not None
    }
    properties = {"aria": says, "type": mark, **looks}
    return {"data": {"values": rows}, "mark": properties, "encoding": encoding}


def _encoding(name: str, value: object) -> Spec | None:
    if isinstance(value, dict):
        return value
    if name in ("x2", "y2"):
        return {"field": value}
    field, colon, kind = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not colon:
        return None
    return {"field": field, **(_RAW if kind == "raw" else {"type": _KINDS[kind]})}


def line(rows: Sequence[Record], y: str, stroke: str, width: float = 2, **looks: Any) -> Spec:  # noqa: ANN401
    """Line through the months of rows."""
    return layer("line", rows, y=f"{y}:Q", stroke=stroke, strokeWidth=width, **looks)


def band(rows: Sequence[Record], low: str, high: str, fill: str, **looks: Any) -> Spec:  # noqa: ANN401
    """Area between two levels of months."""
    return layer("area", rows, y=f"{low}:Q", y2=high, fill=fill, **looks)


def dots(rows: Sequence[Record], y: str, size: float, **looks: Any) -> Spec:  # noqa: ANN401
    """Point for each row."""
    return layer("point", rows, y=f"{y}:Q", filled=True, size=size, **looks)


def time_axis(every_px: int = 55, **scale: Any) -> Spec:  # noqa: ANN401
    """Axis of months, each named once, with the year beneath January."""
    month = "utcFormat(datum.value, '%b')"
    named = f"utcmonth(datum.value) == 0 ? [{month}, utcFormat(datum.value, '%Y')] : {month}"
    months = f"(domain('x')[1] - domain('x')[0]) / {_MONTH_MS} * {every_px} / width"
    step = "".join(f"{months} <= {count} ? {count} : " for count in (1, 2, 3, 6))
    ticks: Spec = {"expr": f"{{interval: 'month', step: {step}12}}"}
    axis: Spec = {"title": None, "grid": False, "labelExpr": named, "tickCount": ticks}
    return {"scale": {"type": "utc", "nice": False, **scale}, "axis": axis}


def tonnes_axis(ticks: int | None = None, **scale: Any) -> Spec:  # noqa: ANN401
    """Axis of tonnes from zero; one of several charts in a sheet needs ``ticks``."""
    count = ticks or {"expr": "height / 50"}
    return {"scale": scale, "axis": {"title": None, "format": ",.0f", "tickCount": count}}


def share_axis(title: str | None = None, **scale: Any) -> Spec:  # noqa: ANN401
    """Axis of shares of one."""
    return {"scale": scale, "axis": {"title": title, "format": ".0%", "tickCount": 5}}


def instant(moment: pd.Timestamp) -> int:
    """Moment in milliseconds since 1970 (UTC), as Vega counts time."""
    plain = moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment
    return int((plain - pd.Timestamp("1970-01-01")) // pd.Timedelta(milliseconds=1))


def amount(tonnes: float) -> float | None:
    """Tonnes rounded to the kilogram, None if missing."""
    return None if pd.isna(tonnes) else round(float(tonnes), 3)


def rows_of(months: pd.DataFrame, *names: str, **computed: Callable[[Any], object]) -> list[Record]:
    """One row per month: time, tonnes of some columns, and values computed from its record.

    A month's tonnes are drawn in its middle, so an event of the 4th stands before them.
    """
    return [
        {
            "t": instant(month + pd.Timedelta(days=15)),
            "period": f"{month:%Y-%m}",
            **{name: amount(row[name]) for name in names},
            **{name: make(row) for name, make in computed.items()},
        }
        for row in months.to_dict("records")
        for month in [pd.Timestamp(row["period"])]
    ]


def wrapped(text: str, letters: int) -> list[str]:
    """Text wrapped into lines; Chinese, Japanese and Korean characters count double."""
    if language() in ("ja", "zh"):
        letters //= 2
        return [text[at : at + letters] for at in range(0, len(text), letters)]
    return wrap(text, letters // 2 if language() == "ko" else letters)


def _title(title: str, about: Sequence[str]) -> Spec:
    """Title and subtitle, wrapped into shorter lines on narrow charts."""
    return {
        "text": _by_width([title], letters=_TITLE_LETTERS),
        "subtitle": _by_width(about, letters=_LETTERS),
    }


def _by_width(sentences: Sequence[str], *, letters: tuple[int, int]) -> Spec:
    wide, narrow = (
        [line for sentence in sentences for line in wrapped(sentence, most)] for most in letters
    )
    lines = (json.dumps(rows, ensure_ascii=False) for rows in (narrow, wide))
    narrowed = _NARROWER.format(720, 640)
    return {"expr": f"{narrowed} ? {' : '.join(lines)}"}


@cache
def _locale(code: str) -> Spec:
    """Vega's number and month formats of a language."""
    locale = locale_of(code)
    symbols = locale.number_symbols["latn"]
    months, days = locale.months["stand-alone"], locale.days["stand-alone"]
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


WIDTH: Final = 760
"""Pixels of a still."""

_CLIP: Final = re.compile(r"\bclip[0-9]+\b")
_LIBRARY: Final = "window.vegaEmbed=vegaEmbed;"


def still(description: str, width: int = WIDTH) -> str:
    """Picture of a description, as SVG in the light or dark colours that its reader prefers."""
    import vl_convert  # noqa: PLC0415 - a service that draws nothing need not load it

    text = description.replace('"width":"container"', f'"width":{width}', 1)
    return _themed(_counted(vl_convert.vegalite_to_svg(text)))


def _counted(svg: str) -> str:
    """Count the clips of a drawing from one, which vl-convert counts on from drawing to drawing."""
    names = {name: f"clip{number}" for number, name in enumerate(dict.fromkeys(_CLIP.findall(svg)))}
    return _CLIP.sub(lambda clip: names[clip[0]], svg)


def _themed(svg: str) -> str:
    """Define the variables of a drawing within it."""
    light, dark = (
        "".join(f"--c-{name}:{colour};" for name, colour in palette.items())
        for palette in (COLOURS, DARK_COLOURS)
    )
    rules = f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return svg.replace(">", f"><style>{rules}</style>", 1)


def bundle() -> bytes:
    """Vega, Vega-Lite and vega-embed as one script."""
    import vl_convert  # noqa: PLC0415 - as above

    return vl_convert.javascript_bundle(_LIBRARY).encode()
