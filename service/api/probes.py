"""Probes for machines: alive, ready, metrics, and the system status for programs."""

from typing import Any, Final

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response

from service.api.models import AlarmResponse, HealthResponse, Ready, Status
from service.live.state import Current, Health, Shared
from service.queries.freshness import freshness_of

router = APIRouter(tags=["probes"])
status_router = APIRouter(tags=["status"])

_OPEN: Final[dict[str, Any]] = {"openapi_extra": {"security": []}}


@router.get("/health", **_OPEN)
async def health() -> HealthResponse:
    """Report that the process is alive."""
    return HealthResponse(status="ok")


@router.get("/ready", **_OPEN)
async def ready(current: Current, shared: Shared) -> Ready:
    """Report whether there is a forecast to show (else 503), and how fresh it is."""
    fresh = freshness_of(current, now=shared.live.clock())
    return Ready(
        status="ready",
        as_of=current.as_of.to_pydatetime(),
        cutoff=current.stand.cutoff,
        next_release=fresh.next_release.date(),
        notices=list(fresh.notices),
        trouble=shared.live.trouble,
    )


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    **_OPEN,
)
async def metrics(shared: Shared) -> Response:
    """Return counts, times and monitor readings for Prometheus."""
    return Response(generate_latest(shared.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@status_router.get("/status")
async def status(found: Health) -> Status:
    """Return the state of the system, its alarms and their remedies in words."""
    alarms = [
        AlarmResponse(
            alarm=one.name, broken=one.is_broken, words=one.words, remedy=list(one.remedy)
        )
        for one in found.alarms
    ]
    return Status(
        at=found.at.to_pydatetime(),
        code=found.code,
        headline=found.headline,
        lines=list(found.lines),
        alarms=alarms,
    )
