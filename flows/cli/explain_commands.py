"""``magnetcast explain``: why a forecast is what it is, or what changed it."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import pandas as pd
from cyclopts import Parameter

from flows.cli.app import AsOf, Commodity, Form, Out, moment
from flows.cli.output import write_result
from flows.context.console import say
from service.report.why import change_sentences, forecast_sentences
from store.errors import DataError
from store.settings import Settings
from store.vocabulary import CHANGES, COMMODITY, CONTRIBUTIONS, NOT_REPRODUCED, WORLD

if TYPE_CHECKING:
    from flows.publishing.published_forecasts import ExplainRequest

_ONE_DAY: Final = pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)

_DAYS: Final = ("since", "as_of")
_ALWAYS: Final = ("p50", "change")

_MONTHS_BESIDE: Final = 6
"""Months that a terminal has room for side by side."""


def explain(
    destination: Annotated[str, Parameter(help="Code of a destination or sum.")] = WORLD,
    /,
    *,
    since: Annotated[
        str | None,
        Parameter(help="Day of an earlier publication: explain the change since it instead."),
    ] = None,
    period: Annotated[str | None, Parameter(help="Month, YYYY-MM; all if left out.")] = None,
    commodity: Commodity = None,
    as_of: AsOf = None,
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """Tell why a published forecast is what it is, or what changed it since an earlier one.

    The parts are tonnes and add up to the median, or to its change. Sentences go to stderr.
    """
    from flows.publishing.published_forecasts import ExplainRequest

    asked = ExplainRequest(destination, period, moment(as_of))
    frame = _explained(Settings(), asked, since, commodity or COMMODITY)
    for row in frame.to_dict("records"):
        say(" ".join(_why(row) if since is None else _change(row)))
    days = {name: frame[name].dt.strftime("%Y-%m-%d") for name in _DAYS if name in frame}
    if out is not None or format != "table":
        write_result(frame.assign(**days), out=out, form=format)
        return
    for start in range(0, len(frame), _MONTHS_BESIDE):
        shown = readable(frame.iloc[start : start + _MONTHS_BESIDE])
        write_result(shown, out=None, form="table")


def _explained(
    settings: Settings, asked: "ExplainRequest", since: str | None, commodity: str
) -> pd.DataFrame:
    """Return the parts of medians, or of their changes since a day.

    Raises:
        DataError: Parts are asked of a partner table, whose one model tells of none.
    """
    from flows.analysis.changes import changes
    from flows.analysis.explain import why
    from flows.publishing.run_config import config_of

    if since is not None:
        return changes(settings, asked, _last(since), commodity=commodity)
    if config_of(commodity).forecaster != "evidence":
        raise DataError(
            f"--commodity {commodity}: forecasts of partner tables have no parts. Expected "
            f"{COMMODITY}, whose medians are added up from parts. Leave --commodity out, or "
            f"tell by --since from which day on to see what changed the medians of {commodity}."
        )
    return why(settings, asked)


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what a terminal has room for: one row a part that counts, one column a month."""
    parts = frame.set_index("period").select_dtypes("number")
    table = parts.T.astype(float).round(1) + 0.0  # no negative zero
    counts = (table != 0.0).any(axis=1) | table.index.isin(_ALWAYS)
    return table.loc[counts].rename_axis("tonnes").reset_index()


def _why(row: Mapping[Hashable, Any]) -> list[str]:
    parts = {name: float(row[name]) for name in (*CONTRIBUTIONS, NOT_REPRODUCED)}
    return forecast_sentences(str(row["destination"]), str(row["period"]), parts)


def _change(row: Mapping[Hashable, Any]) -> list[str]:
    return change_sentences(
        str(row["destination"]),
        str(row["period"]),
        {name: float(row[name]) for name in CHANGES},
        after=float(row["after_p50"]),
        days=(f"{row['since']:%Y-%m-%d}", f"{row['as_of']:%Y-%m-%d}"),
    )


def _last(since: str) -> pd.Timestamp:
    """Return the last moment of a day, or the moment told."""
    stand = moment(since, option="--since")
    return stand + _ONE_DAY if stand == stand.normalize() else stand
