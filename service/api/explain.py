"""Why published medians are what they are, over the API."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.forecasts import CSV_TOO, AsOf, Code, moment_of
from service.api.models import Explanation
from service.api.replies import FormQuery, reply, wants_csv
from service.http.responses import Record, csv_answer, json_answer
from service.live.state import Chosen
from service.queries.explain import explanation
from service.queries.history import known_moment
from store.vocabulary import CONTRIBUTIONS

router = APIRouter(tags=["forecasts"])

COLUMNS: Final = ("as_of", "destination", "period", "p50", *CONTRIBUTIONS)

Month = Annotated[
    str | None,
    Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="YYYY-MM; all months by default."),
]


@router.get("/explain/{destination}", response_model=Explanation, responses=CSV_TOO)
def explain(
    request: Request,
    *,
    current: Chosen,
    destination: Code,
    as_of: AsOf = None,
    period: Month = None,
    form: FormQuery = None,
) -> Response:
    """Return the parts of the published medians of one destination, in tonnes and words."""
    moment = known_moment(current, moment_of(as_of))
    document = explanation(current, destination, moment, period)
    if wants_csv(request, form):
        return reply(request, csv_answer(_flat(document), COLUMNS))
    return reply(request, json_answer(document))


def _flat(document: Record) -> list[Record]:
    about = {name: document[name] for name in ("as_of", "destination")}
    return [
        {
            **dict.fromkeys(COLUMNS),
            **about,
            **{name: month[name] for name in ("period", "p50")},
            **(month["parts"] or {}),
        }
        for month in document["months"]
    ]
