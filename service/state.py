"""Dependencies of requests: the live publication, planning, scenarios, health and access."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final

import pandas as pd
from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from service.charts.drawer import Drawer
from service.http.access import demand, refuse_foreign
from service.http.limits import ServiceMetrics
from service.http.replies import PROBLEM
from service.live.health import HealthCache
from service.live.live_publication import LivePublication, PlanningState
from service.live.publication import Memo, Publication
from service.queries.destination_months import known_moment
from service.scenario_pool import ScenarioPool
from service.words import address_key, known_commodity
from store.asof import MOMENT
from store.planning.audit import Actor
from store.vocabulary import COMMODITY

COOKIE: Final = "magnetcast_country"
"""Cookie that remembers the destination of a reader."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may read, and the limits of the service."""

    open_reads: bool
    max_body_bytes: int
    names: frozenset[str] = frozenset()
    """Host names it answers to besides those of the loopback, lower case."""
    contact: str = ""
    """Whom readers may ask: an address or a name."""


@dataclass(frozen=True, slots=True)
class State:
    """What all requests of one app share."""

    live: LivePublication
    rules: Rules
    metrics: ServiceMetrics
    scenarios: ScenarioPool
    recent_pages: Memo
    """Pages rendered last of those that addresses have without end: scenarios, needs."""
    health: HealthCache
    drawer: Drawer


async def state_of(request: Request) -> State:
    """State shared by the requests of this app."""
    state: State = request.app.state.shared
    return state


Shared = Annotated[State, Depends(state_of)]


async def publication_of(shared: Shared) -> Publication:
    """Newest publication; a request keeps the one it started with."""
    return shared.live.publication


Current = Annotated[Publication, Depends(publication_of)]


Commodity = Annotated[
    str,
    Query(
        description="Commodity of the forecasts; see /api/v1/commodities.",
        examples=[COMMODITY],
        max_length=100,
    ),
]


async def chosen_of(shared: Shared, commodity: Commodity = COMMODITY) -> Publication:
    """Newest publication of the requested commodity."""
    return await _newest_of(shared, commodity)


Chosen = Annotated[Publication, Depends(chosen_of)]
"""As ``Current``, for the commodity in the query."""

AsOf = Annotated[
    str | None,
    Query(
        description="Day, which counts whole, or UTC moment: the newest forecast as of then or "
        "earlier, also where it was made afterwards (see /api/v1/publications); the newest of all "
        "by default.",
        examples=["2026-11-24"],
        json_schema_extra={"pattern": MOMENT},
    ),
]


async def moment_of(shared: Shared, current: Chosen, as_of: AsOf = None) -> pd.Timestamp:
    """Moment of the requested forecast (UTC)."""
    return known_moment(current, as_of, now=shared.live.clock())


Moment = Annotated[pd.Timestamp, Depends(moment_of)]


async def goods_of(request: Request, shared: Shared) -> Publication:
    """Newest publication of the commodity in the address, by default the magnets."""
    return await _newest_of(shared, request.path_params.get("commodity", COMMODITY))


async def _newest_of(shared: State, commodity: str) -> Publication:
    if not address_key(commodity):
        return shared.live.publication
    return await run_in_threadpool(shared.live.of, commodity)


Goods = Annotated[Publication, Depends(goods_of)]


async def named_of(shared: Shared, commodity: Commodity = COMMODITY) -> str:
    """Requested commodity; the magnets need no publication yet."""
    if not address_key(commodity):
        return commodity
    return known_commodity(commodity, shared.live.publication.published.commodities)


Named = Annotated[str, Depends(named_of)]


async def may_read(request: Request, shared: Shared) -> None:
    """Let a reader pass, with a token unless reading is open."""
    if not shared.rules.open_reads:
        demand(request, "read", shared.live.tokens)


async def may_write(request: Request, shared: Shared) -> Actor:
    """Let a writer pass and return who it is; every route that writes asks here.

    The site is checked first: a form of another one must not lead to a password prompt.
    """
    refuse_foreign(request)
    return Actor(digest=demand(request, "write", shared.live.tokens))


Writer = Annotated[Actor, Depends(may_write)]


async def may_audit(request: Request, shared: Shared) -> None:
    """Let a reader with a token pass."""
    demand(request, "read", shared.live.tokens)


async def planning_of(shared: Shared) -> PlanningState:
    """Newest state of planning; a request keeps the one it started with."""
    return shared.live.planning


Planning = Annotated[PlanningState, Depends(planning_of)]


API_PREFIX: Final = "/api/v1"

_MEANINGS: Final = {
    400: "Invalid value.",
    401: "Token required.",
    403: "The token is read-only.",
    404: "Not found.",
    422: "Invalid parameter.",
    429: "Too many requests a second.",
    503: "No forecast is published yet, or the request cannot be answered now.",
}
_SCHEMA: Final = {"schema": {"$ref": "#/components/schemas/Problem"}}


def api_router(
    *checks: Callable[..., object],
    tag: str = "",
    responses: Mapping[int | str, Mapping[str, Any]] = MappingProxyType({}),
) -> APIRouter:
    """Part of the API with its checks of the reader and the documented errors.

    Its routes are taken as they are: FastAPI builds those of an included router once more.
    """
    problems: dict[int | str, dict[str, Any]] = {
        status: {"description": meaning, "content": {PROBLEM: _SCHEMA}}
        for status, meaning in _MEANINGS.items()
    }
    return APIRouter(
        prefix=API_PREFIX,
        tags=[tag] if tag else [],
        dependencies=[Depends(check) for check in checks],
        responses=problems | {status: dict(response) for status, response in responses.items()},
    )
