"""What a request finds: the live publication, the counts and the clock of its app."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.access import Access
from service.asking.desk import Desk
from service.asking.told import NoAnswerError
from service.limits import Counts
from service.live import Live
from service.memo import Recent
from service.publication import Publication


@dataclass(frozen=True, slots=True)
class State:
    """What all requests of one app share."""

    live: Live
    access: Access
    counts: Counts
    desk: Desk | None
    drawn: Recent
    """Pages of scenarios drawn last."""


async def state_of(request: Request) -> State:
    """Return what the requests of this app share."""
    state: State = request.app.state.shared
    return state


Shared = Annotated[State, Depends(state_of)]


async def desk_of(shared: Shared) -> Desk:
    """Return where scenarios are answered.

    Raises:
        NoAnswerError: This service answers none.
    """
    if shared.desk is None:
        raise NoAnswerError(
            "This service answers no scenarios. Expected one started by `magnetcast serve`. "
            "Ask `magnetcast scenario`."
        )
    return shared.desk


Asking = Annotated[Desk, Depends(desk_of)]


async def publication_of(shared: Shared) -> Publication:
    """Return the newest publication; a request keeps the one it began with."""
    return shared.live.publication


Current = Annotated[Publication, Depends(publication_of)]


async def may_read(request: Request, shared: Shared) -> None:
    """Let a reader pass."""
    await shared.access.read(request)


async def may_write(request: Request, shared: Shared) -> None:
    """Let a writer pass."""
    await shared.access.write(request)
