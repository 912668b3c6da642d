"""What a request finds: the live publication, the counts and the clock of its app."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from service.live.health import HealthCache, HealthReport
from service.live.live import LivePublication
from service.live.memo import Recent
from service.live.publication import Publication
from service.planning.planning_state import PlanningState
from service.planning.webhooks import WebhookPolicy
from service.scenarios.queue import ScenarioQueue as AskingDesk
from service.scenarios.scenario_schema import NoAnswerError
from service.security.access import Access, from_own_page
from service.security.limits import ServiceMetrics
from service.wording.goods import known_commodity
from store.planning.audit import Actor
from store.vocabulary import COMMODITY


@dataclass(frozen=True, slots=True)
class State:
    """What all requests of one app share."""

    live: LivePublication
    access: Access
    counts: ServiceMetrics
    hooks: WebhookPolicy
    asking: AskingDesk | None = None
    drawn: Recent = field(default_factory=lambda: Recent(0))
    """Pages of scenarios drawn last."""
    conditions: HealthCache | None = None


async def state_of(request: Request) -> State:
    """Return what the requests of this app share."""
    state: State = request.app.state.shared
    return state


Shared = Annotated[State, Depends(state_of)]


async def asking_of(shared: Shared) -> AskingDesk:
    """Return where scenarios are answered.

    Raises:
        NoAnswerError: This service answers none.
    """
    if shared.asking is None:
        raise NoAnswerError(
            "This service answers no scenarios. Expected one started by `magnetcast serve`. "
            "Ask `magnetcast scenario`."
        )
    return shared.asking


Asking = Annotated[AskingDesk, Depends(asking_of)]


async def condition_of(shared: Shared) -> HealthReport:
    """Return how the installation is.

    Raises:
        NoAnswerError: This service does not look after it.
    """
    if shared.conditions is None:
        raise NoAnswerError(
            "This service does not know how the installation is. Expected one started by "
            "`magnetcast serve`. Ask `magnetcast status`."
        )
    return await shared.conditions.newest()


HowItIs = Annotated[HealthReport, Depends(condition_of)]


async def publication_of(shared: Shared) -> Publication:
    """Return the newest publication; a request keeps the one it began with."""
    return shared.live.publication


Current = Annotated[Publication, Depends(publication_of)]


Commodity = Annotated[
    str,
    Query(
        description="What the forecasts are of; see /api/v1/commodities.",
        examples=[COMMODITY],
        max_length=100,
    ),
]


async def chosen_of(shared: Shared, commodity: Commodity = COMMODITY) -> Publication:
    """Return the newest publication of the commodity asked for."""
    if commodity == COMMODITY:
        return shared.live.publication
    return await run_in_threadpool(shared.live.of, commodity)


Chosen = Annotated[Publication, Depends(chosen_of)]
"""As ``Current``, of a commodity that the query names."""


async def goods_of(shared: Shared, commodity: Annotated[str, Path(max_length=100)]) -> Publication:
    """Return the newest publication of the commodity that the address names."""
    return await run_in_threadpool(shared.live.of, commodity)


Goods = Annotated[Publication, Depends(goods_of)]


async def named_of(shared: Shared, commodity: Commodity = COMMODITY) -> str:
    """Return the commodity asked for; it needs no publication unless another is named."""
    if commodity == COMMODITY:
        return commodity
    return known_commodity(commodity, shared.live.publication.published.commodities)


Named = Annotated[str, Depends(named_of)]


async def may_read(request: Request, shared: Shared) -> None:
    """Let a reader pass."""
    await shared.access.read(request)


async def may_write(request: Request, shared: Shared) -> Actor:
    """Let a writer pass and tell who it is."""
    return Actor(digest=await shared.access.write(request))


Writer = Annotated[Actor, Depends(may_write)]


async def may_audit(request: Request, shared: Shared) -> None:
    """Let a reader with a token pass."""
    await shared.access.known(request)


async def own_form(request: Request) -> None:
    """Let a form of this service's own pages pass."""
    from_own_page(request)


async def desk_of(shared: Shared) -> PlanningState:
    """Return the newest state of the desk; a request keeps the one it began with."""
    return shared.live.desk


OnDesk = Annotated[PlanningState, Depends(desk_of)]
