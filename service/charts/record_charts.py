"""Charts of a destination's record: parts of a forecast, revisions, outcomes, the backtest."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from models.evaluation.scores import HORIZON_GROUPS
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
    month_names,
    share_axis,
    source_line,
    time_axis,
    tonnes_axis,
    wrapped,
)
from service.charts.fan import Fan, months_ahead
from service.charts.fan_chart import dot_layers, month_layers
from service.http.responses import Record
from service.language.formats import dated, percentage, separated
from service.language.phrases import gettext, ngettext
from service.wording import name_of, signed_tonnes, tonnes
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

_LINE_PX: Final = 30
_LABEL_LETTERS: Final = 26
_MONTHS: Final = 3
"""Months ahead whose earlier forecasts are drawn."""

_FEWEST: Final = 2
"""Publications that can be compared."""

MOST_PATHS: Final = 12
"""Publications drawn over the months with figures; more hide each other."""

BEFORE: Final = 6
"""Known months drawn before the first one scored."""

_SAYS: Final = field("says", "nominal")


def waterfall(
    fan: Fan, start: tuple[str, float], steps: Sequence[tuple[str, float]], end: str
) -> Chart:
    """Return the parts of a month's median as a sum, in words and tonnes."""
    rows, reached = [_sum(*start)], start[1]
    for words, moved in steps:
        rows.append(_step(words, reached, reached + moved))
        reached += moved
    rows.append(_sum(end, reached))
    y = field("what", "ordinal", sort=None, axis=_LABELS)
    bar = {"type": "bar", "height": {"band": 0.6}}
    layers = [  # the first has all rows, which sets their order
        layer(
            {"type": "text", "align": "left", "dx": 7, "clip": False}, rows,
            y=y, x=field("right"), text=field("moved", "nominal"),
        ),
        layer(
            bar, rows[1:-1], y=y, x=tonnes_axis("from", zero=False), x2={"field": "to"},
            color=field("colour", "nominal", scale=None), tooltip=_SAYS,
        ),
        layer(
            {"type": "point", "filled": True, "size": 90, "fill": ink("median")},
            [rows[0], rows[-1]], y=y, x=field("to"), tooltip=_SAYS,
        ),
    ]  # fmt: skip
    said = gettext("; ").join(f"{words}: {signed_tonnes(moved)} t" for words, moved in steps)
    label = gettext(
        "Waterfall. %(start)s: %(level)s t; %(parts)s; %(end)s: %(total)s t.",
        start=start[0],
        level=tonnes(start[1]),
        parts=said,
        end=end,
        total=tonnes(reached),
    )
    return chart(
        layers,
        title=gettext(
            "%(name)s: %(goods)s from China", name=name_of(fan.destination), goods=fan.goods
        ),
        about=[source_line(fan.as_of)],
        label=label,
        rows=[{"what": row["plain"], "tonnes": amount(row["to"] - row["from"])} for row in rows],
        height=_LINE_PX * len(rows),
    )


_LABELS: Final = {
    "title": None, "labelExpr": "split(datum.label, '\\n')", "labelLimit": 0, "domain": False,
    "ticks": False,
}  # fmt: skip


def _sum(words: str, level: float) -> Record:
    said = f"{tonnes(level)} t"
    return {**_bar(words, 0.0, level, said), "right": amount(level)}


def _step(words: str, reached: float, to: float) -> Record:
    colour = ink("easing" if to > reached else "restrictive")
    return {**_bar(words, reached, to, signed_tonnes(to - reached)), "colour": colour}


def _bar(words: str, low: float, high: float, moved: str) -> Record:
    return {
        "what": "\n".join(wrapped(words, _LABEL_LETTERS)),
        "plain": words,
        "from": amount(low),
        "to": amount(high),
        "right": amount(max(low, high)),
        "moved": moved,
        "says": f"{words}: {moved}",
    }


def revisions(fan: Fan, forecasts: pd.DataFrame) -> Chart | None:
    """Return what each publication forecast for the next months; None where only one did.

    Publications stand side by side, however close in time: their days are names.
    """
    periods = [f"{period:%Y-%m}" for period in months_ahead(fan)["period"][:_MONTHS]]
    own = forecasts.loc[forecasts["destination"].eq(fan.destination)]
    own = own.loc[own["period"].isin(periods)].sort_values(["period", "as_of"], ignore_index=True)
    if own["as_of"].nunique() < _FEWEST:
        return None
    moments = sorted(own["as_of"].unique())
    days = [dated(moment, "day") for moment in moments]
    names = {
        moment: day if days.count(day) == 1 else f"{day}, {moment:%H:%M} UTC"
        for moment, day in zip(moments, days, strict=True)
    }
    rows = [_revision(row, names) for row in own.to_dict("records")]
    x = field(
        "of", "ordinal", sort=None, axis={"title": None, "labelAngle": 0, "labelOverlap": True}
    )
    x |= {"scale": {"paddingInner": 0.3}}
    offset = field("month", "nominal", sort=None)
    colour = field(
        "month", "nominal", sort=None, legend={"title": None, "orient": "bottom"},
        scale={"range": [ink(name) for name in ("median", "earlier", "tariff")]},
    )  # fmt: skip
    layers = [
        layer(
            {"type": "rule", "strokeWidth": 3, "opacity": 0.5}, rows,
            x=x, xOffset=offset, y=tonnes_axis("p10"), y2={"field": "p90"}, color=colour,
        ),
        layer(
            {"type": "point", "filled": True, "size": 45, "aria": True}, rows,
            x=x, xOffset=offset, y=field("p50"), color=colour, tooltip=_SAYS, description=_SAYS,
        ),
    ]  # fmt: skip
    said = [row["says"] for row in rows]
    label = gettext(
        "What each publication forecast for %(name)s. %(months)s",
        name=name_of(fan.destination),
        months=" ".join(said),
    )
    return chart(
        layers,
        title=gettext("%(name)s, tonnes a month", name=name_of(fan.destination)),
        about=[source_line(fan.as_of)],
        label=label,
        rows=[
            {name: row[name] for name in ("as_of", "period", "p10", "p50", "p90")} for row in rows
        ],
        height=220,
    )


def _revision(row: Any, names: dict[pd.Timestamp, str]) -> Record:  # noqa: ANN401 - of a frame
    of, month = names[row["as_of"]], dated(pd.Timestamp(row["period"]), "long month")
    return {
        "of": of,
        "as_of": f"{row['as_of']:%Y-%m-%dT%H:%M:%SZ}",
        "period": row["period"],
        "month": month,
        **{name: amount(row[name]) for name in ("p10", "p50", "p90")},
        "says": gettext(
            "%(month)s: %(now)s t as of %(after)s.", month=month, now=tonnes(row["p50"]), after=of
        ),
    }


def outcome(
    destination: str, cells: pd.DataFrame, panel: pd.DataFrame, as_of: pd.Timestamp
) -> Chart | None:
    """Return forecasts and outcomes of one destination; None where nothing is scored.

    Args:
        cells: As ``service.queries.track.cells_of``, those to be drawn; not modified.
        panel: All months, estimates among them.
    """
    own = cells.loc[cells["destination"] == destination]
    if own.empty:
        return None
    start = own["period"].min() - pd.DateOffset(months=BEFORE)
    known = panel.loc[panel["destination"].eq(destination) & panel["period"].ge(start)]
    shown = sorted(own["as_of"].unique())[-MOST_PATHS:]
    paths = [_outcome(row) for row in own.loc[own["as_of"].isin(shown)].to_dict("records")]
    x = time_axis()
    layers = [
        layer(
            {"type": "rule", "stroke": ink("band80"), "strokeWidth": 5}, paths,
            x=x, y=tonnes_axis("p10"), y2={"field": "p90"},
        ),
        layer(
            {"type": "line", "stroke": ink("median"), "strokeWidth": 1}, paths,
            x=x, y=field("p50"), detail=field("as_of", "nominal"),
        ),
        *month_layers(known),
        *dot_layers(known),
        layer(
            {"type": "point", "shape": "cross", "filled": True, "size": 130, "angle": 45,
             "fill": ink("restrictive")},
            [row for row in paths if row["missed"]], x=x, y=field("y"),
        ),
        layer(
            {"type": "point", "filled": True, "opacity": 0, "size": 150, "aria": True}, paths,
            x=x, y=field("p50"), tooltip=_SAYS, description=_SAYS,
        ),
    ]  # fmt: skip
    label = gettext(
        "%(name)s: %(count)s forecasts of published months, %(inside)s of them within the 80%% "
        "band. The tables below have the numbers.",
        name=name_of(destination),
        count=len(own),
        inside=int(own["inside80"].sum()),
    )
    names = ("as_of", "period", "p10", "p50", "p90", "tonnes")
    return chart(
        layers,
        title=gettext("%(name)s, tonnes a month", name=name_of(destination)),
        about=[source_line(as_of)],
        label=label,
        rows=[{name: row[name] for name in names} for row in paths],
        height=170,
    )


def _dot(fill: str, size: int = 34) -> Spec:
    return {
        "type": "point", "filled": True, "size": size, "fill": ink(fill), "stroke": ink("history"),
    }  # fmt: skip


def _outcome(row: Any) -> Record:  # noqa: ANN401 - of a frame
    period = pd.Timestamp(row["period"])
    return {
        "t": middle(period),
        "period": f"{period:%Y-%m}",
        "as_of": f"{row['as_of']:%Y-%m-%d}",
        **{name: amount(row[name]) for name in ("p10", "p50", "p90", "tonnes")},
        "y": amount(row["tonnes"]),
        "missed": not row["inside80"],
        "says": _said(row, dated(row["as_of"], "day")),
    }


def _said(row: Any, of: str) -> str:  # noqa: ANN401 - of a frame
    return gettext(
        "%(month)s: %(tonnes)s t published; as of %(day)s %(p10)s to %(p90)s t were forecast.",
        month=dated(pd.Timestamp(row["period"]), "long month"),
        day=of,
        **{name: tonnes(row[name]) for name in ("tonnes", "p10", "p90")},
    )


def replay(destination: str, cells: pd.DataFrame, as_of: pd.Timestamp) -> Chart | None:
    """Return the forecasts of one destination at past origins, and the figures.

    Args:
        cells: As ``store.publications.published.CELL_COLUMNS``; not modified.
    """
    own = cells.loc[cells["destination"] == destination]
    if own.empty:
        return None
    cutoffs, periods = (pd.DatetimeIndex(own[name]) for name in ("cutoff", "period"))
    own = own.assign(
        period=periods,
        horizon=12 * (periods.year - cutoffs.year) + periods.month - cutoffs.month,
        inside80=own["tonnes"].between(own["p10"], own["p90"]),
    ).sort_values(["period", "cutoff"], kind="stable")
    groups = [
        (first, min(last, int(own["horizon"].max())), own["horizon"].between(first, last))
        for first, last in HORIZON_GROUPS
    ]
    groups = [(first, last, inside) for first, last, inside in groups if inside.any()]
    words = [_share(first, last, own.loc[inside]) for first, last, inside in groups]
    rows = [
        _replayed(row, words[place])
        for place, (*_, inside) in enumerate(groups)
        for row in own.loc[inside].to_dict("records")
    ]
    choice = {"input": "select", "options": words, "name": " "}
    label = gettext(
        "Backtest, %(name)s. Forecasts of published months within the 80%% band: %(shares)s.",
        name=name_of(destination),
        shares=gettext("; ").join(words),
    )
    return chart(
        [{**one, "transform": _LEAD} for one in _replay_layers(rows)],
        title=gettext("%(name)s, tonnes a month", name=name_of(destination)),
        about=[source_line(as_of)],
        label=label,
        rows=[
            {name: row[name] for name in ("cutoff", "period", "p10", "p50", "p90", "tonnes")}
            for row in rows
        ],
        height=170,
        params=[{"name": "lead", "value": words[0], "bind": choice}],
    )


_LEAD: Final = ({"filter": "datum.lead == lead"},)


def _replay_layers(rows: list[Record]) -> list[Spec]:
    x = field("period", "ordinal", axis=month_names(), scale={"paddingInner": 0.2})
    offset = field("cutoff", "ordinal")
    return [
        layer(
            {"type": "bar", "fill": ink("band80")}, rows,
            x=x, xOffset=offset, y=tonnes_axis("p10"), y2={"field": "p90"}, tooltip=_SAYS,
        ),
        layer(
            {"type": "tick", "thickness": 2, "aria": True}, rows,
            x=x, xOffset=offset, y=field("p50"), color=field("ink", "nominal", scale=None),
            tooltip=_SAYS, description=_SAYS,
        ),
        layer(_dot("history"), rows, x=x, y=field("tonnes"), tooltip=_SAYS),
    ]  # fmt: skip


def _replayed(row: Any, lead: str) -> Record:  # noqa: ANN401 - of a frame
    return {
        "lead": lead,
        "cutoff": str(row["cutoff"])[:7],
        "period": f"{row['period']:%Y-%m}",
        **{name: amount(row[name]) for name in ("p10", "p50", "p90", "tonnes")},
        "ink": ink("median" if row["inside80"] else "restrictive"),
        "says": _said(row, dated(pd.Timestamp(str(row["cutoff"])), "month")),
    }


def _share(first: int, last: int, own: pd.DataFrame) -> str:
    return gettext(
        "%(first)s to %(last)s months ahead: %(inside)s of %(count)s inside",
        first=first,
        last=last,
        inside=separated(f"{int(own['inside80'].sum()):,}"),
        count=separated(f"{len(own):,}"),
    )


def calibration(cells: pd.DataFrame, as_of: pd.Timestamp) -> Chart | None:
    """Return how often months fell below each published quantile; None without cells.

    Args:
        cells: As ``service.queries.track.cells_of``; not modified.
    """
    if cells.empty:
        return None
    rows = [
        {"level": level, "share": round(float((cells["tonnes"] <= cells[name]).mean()), 4)}
        for name, level in zip(QUANTILE_COLUMNS, QUANTILES, strict=True)
    ]
    said = [
        gettext(
            "%(share)s below the %(level)s quantile",
            share=percentage(f"{100 * row['share']:.0f}"),
            level=percentage(f"{100 * row['level']:.0f}"),
        )
        for row in rows
    ]
    drawn = [{**row, "says": words} for row, words in zip(rows, said, strict=True)]
    x = share_axis("level", title=gettext("chance forecast below a level"), domain=[0, 1])
    y = share_axis("share", title=gettext("share of outcomes below a level"), domain=[0, 1])
    line = {"type": "line", "stroke": ink("muted"), "strokeDash": (4, 2)}
    perfect = [{"level": 0, "share": 0}, {"level": 1, "share": 1}]
    layers = [
        layer(line, perfect, x=x, y=y),
        layer({"type": "line", "stroke": ink("median")}, drawn, x=x, y=y),
        layer(
            {**_dot("median", 50), "aria": True}, drawn, x=x, y=y, tooltip=_SAYS, description=_SAYS
        ),
    ]
    label = ngettext(
        "Calibration over %(n)s forecast: %(shares)s.",
        "Calibration over %(n)s forecasts: %(shares)s.",
        len(cells),
        shares=gettext("; ").join(said),
    )
    title = ngettext(
        "Calibration, %(count)s forecast",
        "Calibration, %(count)s forecasts",
        len(cells),
        count=separated(f"{len(cells):,}"),
    )
    legend = [
        Mark(gettext("perfect"), "line", ink("muted"), dash=(4, 2)),
        Mark(gettext("published"), "circle", ink("median"), ink("median")),
    ]
    return chart(
        layers, title=title, about=[source_line(as_of)], label=label, rows=rows, height=240,
        legend=legend,
    )  # fmt: skip
