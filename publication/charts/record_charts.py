"""Charts of a destination's record: revisions, outcomes, the backtest."""

from typing import Any, Final

import pandas as pd

from models.evaluation.scores import FEWEST, LEAD_GROUPS
from publication.charts.chart import (
    Chart,
    chart,
    dots,
    ink,
    layer,
    line,
    rows_of,
    share_axis,
    time_axis,
    tonnes_axis,
)
from publication.charts.fan import Fan
from publication.charts.fan_chart import dot_layers, month_layers
from publication.language.formats import Form, dated, percentage, separated
from publication.language.phrases import full_stop, gettext, ngettext
from publication.tables import Record
from publication.words import name_of, tonnes
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

_MONTHS: Final = 3
"""Months ahead whose earlier forecasts are drawn."""

_FEWEST: Final = 2
"""Publications that can be compared."""

_MOST_PATHS: Final = 12
"""Publications drawn over the months with figures; more hide each other."""

BEFORE: Final = 6
"""Known months drawn before the first one scored."""

_LEVELS: Final = ("p10", "p50", "p90")


def revisions(fan: Fan, forecasts: pd.DataFrame) -> Chart | None:
    """Chart of what each publication forecast for the next months; None for fewer than two.

    Publications stand side by side, however close in time: their days are names.
    """
    periods = [f"{period:%Y-%m}" for period in fan.ahead["period"][:_MONTHS]]
    earlier = forecasts.loc[forecasts["destination"].eq(fan.destination)]
    earlier = earlier.loc[earlier["period"].isin(periods)].sort_values(
        ["period", "as_of"], ignore_index=True
    )
    if earlier["as_of"].nunique() < _FEWEST:
        return None
    names = _moments_named(earlier["as_of"])
    rows = rows_of(
        earlier,
        *_LEVELS,
        of=lambda row: names[row["as_of"]],
        as_of=lambda row: f"{row['as_of']:%Y-%m-%dT%H:%M:%SZ}",
        month=_long_month,
        name=lambda row: dated(pd.Timestamp(row["period"]), "bare month"),
        says=lambda row: gettext(
            "%(month)s: %(now)s t as of %(after)s.",
            month=_long_month(row),
            now=tonnes(row["p50"]),
            after=names[row["as_of"]],
        ),
    )
    newest = [row for row in rows if row["of"] == names[earlier["as_of"].max()]]
    axis = {"title": None, "labelAngle": 0, "labelOverlap": True}
    colours = [ink(name) for name in ("median", "earlier", "tariff")]
    beside: Record = {"x": "of:O", "xOffset": "month:N", "color": "month:N"}
    layers = [
        layer("rule", rows, y="p10:Q", y2="p90", strokeWidth=3, opacity=0.5, **beside),
        dots(rows, "p50", 45, says=True, **beside),
        layer("text", newest, y="p90:Q", text="name:N", dy=-8, **beside),
    ]
    label = gettext(
        "What each publication forecast for %(name)s. %(months)s",
        name=name_of(fan.destination),
        months=" ".join(row["says"] for row in rows),
    )
    return chart(
        layers, title=_title(fan.destination), as_of=fan.as_of, label=label, rows=rows,
        columns=("as_of", "period", *_LEVELS), height=220, y=tonnes_axis(),
        x={"sort": None, "axis": axis, "scale": {"paddingInner": 0.3}}, xOffset={"sort": None},
        color={"sort": None, "legend": None, "scale": {"range": colours}},
    )  # fmt: skip


def _moments_named(moments: pd.Series) -> dict[pd.Timestamp, str]:
    """Names of moments: the day, with the time if several fall on one day."""
    distinct = sorted(moments.unique())
    days = [dated(moment, "day") for moment in distinct]
    return {
        moment: day if days.count(day) == 1 else f"{day}, {moment:%H:%M} UTC"
        for moment, day in zip(distinct, days, strict=True)
    }


_Origin = tuple[str, Form, int]
"""Column that names a forecast, how words write it, and the leads shown at first: 0 are all."""

_BY_DAY: Final[_Origin] = ("as_of", "day", 0)
_BY_MONTH: Final[_Origin] = ("cutoff", "month", 1)


def outcome(
    destination: str, cells: pd.DataFrame, panel: pd.DataFrame, as_of: pd.Timestamp
) -> Chart | None:
    """Chart of forecasts and outcomes of one destination; None if nothing is scored.

    Args:
        cells: As ``publication.queries.track.cells_of``, those to be drawn; or of a backtest, as
            ``store.publications.backtests.CELL_COLUMNS``: it is drawn a few months ahead at first.
        panel: All months, estimates among them.
    """
    scored = cells.loc[cells["destination"] == destination]
    if scored.empty:
        return None
    origin, form, begin = _BY_DAY
    about = []
    if "cutoff" in scored:
        origin, form, begin = _BY_MONTH
        scored = scored.assign(period=pd.to_datetime(scored["period"]))
        period, cutoff = scored["period"].dt, pd.to_datetime(scored["cutoff"]).dt
        scored["lead"] = 12 * (period.year - cutoff.year) + period.month - cutoff.month
        scored["inside80"] = scored["tonnes"].between(scored["p10"], scored["p90"])
    elif scored["as_of"].nunique() > _MOST_PATHS:
        scored = scored.loc[scored["as_of"].isin(sorted(scored["as_of"].unique())[-_MOST_PATHS:])]
        about = [gettext("Only the newest %(count)s forecasts are drawn.", count=_MOST_PATHS)]
    scored = scored.sort_values(["period", origin], kind="stable")
    first = scored["period"].min() - pd.DateOffset(months=BEFORE)
    months = panel.loc[panel["destination"].eq(destination) & panel["period"].ge(first)]
    rows = rows_of(
        scored,
        *_LEVELS,
        "tonnes",
        **{origin: lambda row: str(row[origin])[:10]},
        ahead=lambda row: row["lead"],
        missed=lambda row: not row["inside80"],
        says=lambda row: _said(row, dated(pd.Timestamp(row[origin]), form)),
    )
    layers = [
        layer("rule", rows, y="p10:Q", y2="p90", stroke="band80", strokeWidth=5),
        line(rows, "p50", "median", 1, detail=f"{origin}:N"),
        dots(rows, "tonnes", 130, shape="cross", angle=45, fill="restrictive",
             opacity={"condition": {"test": "datum.missed", "value": 1}, "value": 0}),
        dots(rows, "p50", 150, says=True, opacity=0),
    ]  # fmt: skip
    last = int(scored["lead"].max())
    parts = {
        (low, min(high, last)): scored.loc[scored["lead"].between(low, high)]
        for low, high in ((LEAD_GROUPS[0][0], last), *LEAD_GROUPS)
    }
    shares = {group: _share(group, part) for group, part in parts.items() if len(part)}
    within = [{"filter": f"inrange(datum.ahead, {[list(group) for group in shares]}[lead])"}]
    bars, paths, crosses, pointed = ({**spec, "transform": within} for spec in layers)
    choice = {
        "input": "select", "name": gettext("Months ahead") + " ",
        "options": list(range(len(shares))), "labels": list(shares.values()),
    }  # fmt: skip
    label = gettext(
        "%(name)s: %(count)s forecasts of published months, %(inside)s of them within the 80%% "
        "band. The tables below have the numbers.",
        name=name_of(destination),
        count=len(scored),
        inside=int(scored["inside80"].sum()),
    )
    label = " ".join([label, f"{gettext('; ').join(shares.values())}{full_stop()}", *about])
    return chart(
        [bars, paths, *month_layers(months), *dot_layers(months), crosses, pointed],
        title=_title(destination), about=about, as_of=as_of, label=label, rows=rows,
        columns=(origin, "period", *_LEVELS, "tonnes"), height=170, x=time_axis(),
        y=tonnes_axis(),
        params=[{"name": "lead", "value": min(begin, len(shares) - 1), "bind": choice}],
    )  # fmt: skip


def _title(destination: str) -> str:
    return gettext("%(name)s, tonnes a month", name=name_of(destination))


def _long_month(row: Any) -> str:  # noqa: ANN401 - of a frame
    return dated(pd.Timestamp(row["period"]), "long month")


def _said(row: Any, of: str) -> str:  # noqa: ANN401 - of a frame
    return gettext(
        "%(month)s: %(tonnes)s t published; as of %(day)s %(p10)s to %(p90)s t were forecast.",
        month=_long_month(row),
        day=of,
        **{name: tonnes(row[name]) for name in ("tonnes", "p10", "p90")},
    )


def _share(leads: tuple[int, int], cells: pd.DataFrame) -> str:
    first, last = leads
    if first > 0:
        months = gettext("%(first)s to %(last)s months ahead", first=first, last=last)
    else:
        months = gettext("all months") if last > 0 else gettext("already over")
    return gettext(
        "%(months)s: %(inside)s of %(count)s inside",
        months=months,
        inside=separated(f"{int(cells['inside80'].sum()):,}"),
        count=separated(f"{len(cells):,}"),
    )


def calibration(cells: pd.DataFrame, as_of: pd.Timestamp) -> Chart | None:
    """Calibration chart: share of months below each published quantile; None for too few months.

    Args:
        cells: As ``publication.queries.track.cells_of``; not modified.
    """
    if len(cells) < FEWEST:
        return None
    rows: list[Record] = []
    for name, level in zip(QUANTILE_COLUMNS, QUANTILES, strict=True):
        share = round(float((cells["tonnes"] <= cells[name]).mean()), 4)
        below, of = (percentage(f"{100 * ratio:.0f}") for ratio in (share, level))
        says = gettext("%(share)s below the %(level)s quantile", share=below, level=of)
        rows.append({"level": level, "share": share, "says": says})
    middle = rows[len(rows) // 2]
    perfect: Record = {"stroke": "muted", "strokeDash": (4, 2)}
    xy: Record = {"x": "level:Q", "y": "share:Q"}
    layers = [
        layer("line", [{"level": 0, "share": 0}, {"level": 1, "share": 1}], **xy, **perfect),
        layer("line", rows, stroke="median", **xy),
        layer(
            "point", rows, says=True, size=50, filled=True, fill="median", stroke="history", **xy
        ),
        layer("text", [{"level": 0.2, "share": 0.2}], text=gettext("perfect"), dx=26, dy=8, **xy),
        layer(
            "text",
            [middle],
            text=gettext("published"),
            dy=-10 if middle["share"] > middle["level"] else 18,
            **xy,
        ),
    ]
    count = len(cells)
    label = ngettext(
        "Calibration over %(n)s forecast: %(shares)s.",
        "Calibration over %(n)s forecasts: %(shares)s.",
        count,
        shares=gettext("; ").join(row["says"] for row in rows),
    )
    title = ngettext(
        "Calibration, %(count)s forecast",
        "Calibration, %(count)s forecasts",
        count,
        count=separated(f"{count:,}"),
    )
    return chart(
        layers, title=title, as_of=as_of, label=label, rows=rows, columns=("level", "share"),
        height=240,
        x=share_axis(gettext("chance forecast below a level"), domain=[0, 1]),
        y=share_axis(gettext("share of outcomes below a level"), domain=[0, 1]),
    )  # fmt: skip
