"""``magnetcast explain``: causes of a forecast or of its change, in tonnes."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import pandas as pd
from cyclopts import Parameter

from flows.cli.options import AsOf, Commodity, Form, Out, moment
from flows.context.console import echo
from flows.context.output import write_result
from models.forecasting.model_names import rule_of
from publication.queries.explanation_sentences import (
    change_sentences,
    figure_sentence,
    forecast_sentences,
    run_sentence,
)
from store.errors import DataError
from store.publications.explanations import NewFigure, runs_of
from store.settings import Settings
from store.vocabulary import CHANGES, COMMODITY, CONTRIBUTIONS, NOT_REPRODUCED, WORLD

if TYPE_CHECKING:
    from flows.publishing.publication_lookup import Which

_NUMBERS: Final = ["since_publication", "publication"]

_MONTHS_BESIDE: Final = 6
"""Months shown side by side on a terminal."""


def explain(
    destination: Annotated[str, Parameter(help="Code of a destination or sum.")] = WORLD,
    /,
    *,
    since: Annotated[
        str | None,
        Parameter(help="Day or number of an earlier publication; explain the change since then."),
    ] = None,
    period: Annotated[str | None, Parameter(help="Month, YYYY-MM; all if left out.")] = None,
    as_of: AsOf = None,
    commodity: Commodity = None,
    publication: Annotated[
        int | None, Parameter(help="Number of the publication, instead of --as-of.")
    ] = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Explain a published forecast in tonnes by cause, or what changed since an earlier one.

    The parts add up to the median, or to its change. Sentences go to stderr. --commodity explains
    the forecast of a partner table.
    """
    from flows.context.run_config import config_of
    from flows.publishing.forecast_explanation import changes, why
    from flows.publishing.publication_lookup import ExplainRequest

    if as_of is not None and publication is not None:
        raise DataError("--as-of and --publication both select the publication. Use one of them.")
    which = moment(as_of) if publication is None else publication
    request = ExplainRequest(destination, period, which, config_of(commodity).published_as)
    figures: tuple[NewFigure, ...] = ()
    if since is None:
        frame = why(Settings(), request)
    else:
        frame, figures = changes(Settings(), request, _earlier(since))
    for row in frame.to_dict("records"):
        rule = rule_of(str(row["model"])) if request.commodity == COMMODITY else ""
        echo(" ".join(_why(row, rule) if since is None else _change(row)))
    months = list(frame["period"])
    for run in runs_of(figures):
        echo(run_sentence(run, destination, months))
        for figure in run if len(run) > 1 else ():
            echo(f"  {figure_sentence(figure, destination, months)}")
    days = {
        name: frame[name].dt.strftime("%Y-%m-%d") for name in ("since", "as_of") if name in frame
    }
    if out is not None or format != "table":
        write_result(frame.assign(**days), out=out, form=format)
        return
    for start in range(0, len(frame), _MONTHS_BESIDE):
        shown = readable(frame.iloc[start : start + _MONTHS_BESIDE])
        write_result(shown, out=None, form="table")


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Table for a terminal: one row per part that is not zero, one column per month."""
    parts = (
        frame.set_index("period").select_dtypes("number").drop(columns=_NUMBERS, errors="ignore")
    )
    table = parts.T.astype(float).round(1) + 0.0  # no negative zero
    is_shown = (table != 0.0).any(axis=1) | table.index.isin(("p50", "change"))
    return table.loc[is_shown].rename_axis("tonnes").reset_index()


def _why(row: Mapping[Hashable, Any], rule: str) -> list[str]:
    parts = {name: float(row[name]) for name in (*CONTRIBUTIONS, NOT_REPRODUCED)}
    return forecast_sentences(str(row["destination"]), str(row["period"]), parts, rule)


def _change(row: Mapping[Hashable, Any]) -> list[str]:
    return change_sentences(
        str(row["destination"]),
        str(row["period"]),
        {name: float(row[name]) for name in CHANGES},
        after=float(row["after_p50"]),
        days=_days(row),
    )


def _earlier(since: str) -> "Which":
    if since.isdecimal() and len(since) < len("YYYYMMDD"):
        return int(since)
    return moment(since, option="--since")


def _days(row: Mapping[Hashable, Any]) -> tuple[str, str]:
    """Names of two publications in a sentence: their days, with numbers if it is one day."""
    days = (f"{row['since']:%Y-%m-%d}", f"{row['as_of']:%Y-%m-%d}")
    if days[0] != days[1]:
        return days
    numbers = (row["since_publication"], row["publication"])
    return f"{days[0]} (publication {numbers[0]})", f"{days[1]} (publication {numbers[1]})"
