"""Routes of forecasts, narrowed on request, and of the parts of their medians."""

from typing import Annotated, Any, Final, Literal

import pandas as pd
from fastapi import Path, Query, Request
from pydantic import AfterValidator
from starlette.responses import Response

from service.api.response_models import Explanation, ForecastResponse, Page
from service.http.replies import FormQuery, Shown, reply
from service.http.responses import Record, csv_answer, json_answer
from service.live.documents import FILE_COLUMNS, flat_rows, narrowed, with_rivals
from service.live.live_publication import PlanningState
from service.live.publication import Publication
from service.queries.destination_months import known_destination
from service.queries.explanation_sentences import explanation
from service.queries.freshness import ages_of
from service.state import Chosen, Moment, Planning, Shared, api_router, may_read
from service.words import in_reading_order
from store.vocabulary import CONTRIBUTIONS, MONTH_PATTERN, QUANTILE_COLUMNS

router = api_router(may_read, tag="forecasts")

Quantile = Literal["p05", "p10", "p25", "p50", "p75", "p90", "p95"]

Horizons = Annotated[
    list[int] | None,
    Query(alias="horizon", description="Months after the cutoff; repeat for several."),
]
Quantiles = Annotated[
    list[Quantile] | None, Query(alias="quantile", description="Repeat for several.")
]
Code = Annotated[
    str,
    Path(description="Destination.", examples=["USA"], max_length=20),
    AfterValidator(str.upper),
]

CSV_TOO: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
    304: {"description": "Not modified."},
}


@router.get("/forecasts/{destination}", response_model=ForecastResponse, responses=CSV_TOO)
async def forecast(
    request: Request,
    *,
    current: Chosen,
    shared: Shared,
    planning: Planning,
    destination: Code,
    moment: Moment,
    horizon: Horizons = None,
    quantile: Quantiles = None,
    form: FormQuery = "json",
) -> Response:
    """Published forecast of one destination."""
    known_destination(current, destination, moment)
    document = document_of(current, planning, moment, destination)
    document = narrowed(document, horizons=horizon, quantiles=quantile)
    document |= ages_of(current, moment, now=shared.live.clock())
    if form == "csv":
        return reply(request, csv_answer(flat_rows(document), _columns(quantile)))
    return reply(request, json_answer(document))


@router.get("/forecasts", response_model=Page[ForecastResponse], responses=CSV_TOO)
def forecasts(
    *,
    current: Chosen,
    shared: Shared,
    planning: Planning,
    shown: Shown,
    moment: Moment,
    horizon: Horizons = None,
    quantile: Quantiles = None,
) -> Response:
    """Published forecasts of all destinations; as CSV one row a destination and month.

    Pages count destinations, in CSV rows.
    """
    names = in_reading_order(current.forecasts_at(moment)["destination"])
    ages = ages_of(current, moment, now=shared.live.clock())
    documents = [
        narrowed(document_of(current, planning, moment, name), horizons=horizon, quantiles=quantile)
        | ages
        for name in names
    ]
    if shown.form == "json":
        return shown.reply(documents, ())
    rows = [row for document in documents for row in flat_rows(document)]
    return shown.reply(rows, _columns(quantile))


def document_of(
    current: Publication, planning: PlanningState, moment: pd.Timestamp, destination: str
) -> Record:
    """Forecast of a destination at a moment, with forecasts by others beside its medians.

    A forecast that is not the newest has those that were entered by its moment.
    """
    until = None if moment == current.as_of else moment
    rivals = planning.rivals_of(current.commodity, destination, until)
    return with_rivals(current.document_at(moment, destination), rivals)


def _columns(quantiles: list[Quantile] | None) -> list[str]:
    dropped = set(QUANTILE_COLUMNS) - set(QUANTILE_COLUMNS if quantiles is None else quantiles)
    return [name for name in FILE_COLUMNS if name not in dropped]


EXPLAINED_COLUMNS: Final = ("as_of", "destination", "period", "p50", *CONTRIBUTIONS)

Month = Annotated[
    str | None, Query(pattern=MONTH_PATTERN, description="YYYY-MM; all months by default.")
]


@router.get("/explain/{destination}", response_model=Explanation, responses=CSV_TOO)
def explain(
    request: Request,
    *,
    current: Chosen,
    destination: Code,
    moment: Moment,
    period: Month = None,
    form: FormQuery = "json",
) -> Response:
    """Parts of the published medians of one destination, in tonnes and words."""
    document = explanation(current, destination, moment, period)
    if form == "csv":
        return reply(request, csv_answer(flat_parts(document), EXPLAINED_COLUMNS))
    return reply(request, json_answer(document))


def flat_parts(document: Record) -> list[Record]:
    """One row a month of an explanation."""
    about = {name: document[name] for name in ("as_of", "destination")}
    return [
        {
            **dict.fromkeys(EXPLAINED_COLUMNS),
            **about,
            **{name: month[name] for name in ("period", "p50")},
            **(month["parts"] or {}),
        }
        for month in document["months"]
    ]
