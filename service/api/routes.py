"""All routes of the API and their documented errors, and the probes for machines."""

from typing import Any, Final

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response

from service.api import forecasts, planning, scenarios, tables
from service.api.models import AlarmResponse, HealthResponse, Problem, Ready, Status
from service.http.replies import PROBLEM
from service.queries.freshness import freshness_of
from service.state import Current, Health, Shared, may_read

probes = APIRouter(tags=["probes"])
status_router = APIRouter(tags=["status"])

_OPEN: Final[dict[str, Any]] = {"openapi_extra": {"security": []}}


@probes.get("/health", **_OPEN)
async def health() -> HealthResponse:
    """Report that the process is alive."""
    return HealthResponse(status="ok")


@probes.get("/ready", **_OPEN)
async def ready(current: Current, shared: Shared) -> Ready:
    """Report whether there is a forecast to show (else 503), and how fresh it is."""
    fresh = freshness_of(current, now=shared.live.clock())
    return Ready(
        status="ready",
        as_of=current.as_of.to_pydatetime(),
        cutoff=current.snapshot.cutoff,
        next_release=fresh.next_release.date(),
        notices=list(fresh.notices),
        trouble=shared.live.trouble,
    )


@probes.get(
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
    """Return the state of the system, and its alarms in words."""
    alarms = [
        AlarmResponse(alarm=one.name, broken=one.is_broken, words=str(one.words))
        for one in found.alarms
    ]
    return Status(
        at=found.at.to_pydatetime(),
        code=found.code,
        headline=str(found.headline),
        lines=[str(line) for line in found.lines],
        alarms=alarms,
    )


API_PREFIX: Final = "/api/v1"


def api_router() -> APIRouter:
    """Return the routes under ``/api/v1``; probes need no token."""
    api = APIRouter(prefix=API_PREFIX, responses=_problems())
    api.include_router(probes)
    for part in (
        forecasts.router,
        scenarios.router,
        status_router,
        tables.router,
    ):
        api.include_router(part, dependencies=[Depends(may_read)])
    for part in (planning.router, planning.trail, planning.writing):
        api.include_router(part)
    return api


def _problems() -> dict[int | str, dict[str, Any]]:
    """Document the errors of every route."""
    meanings = {
        400: "Invalid value.",
        401: "Token required.",
        403: "The token is read-only.",
        404: "Not found.",
        422: "Invalid parameter.",
        429: "Too many requests a second.",
        503: "No forecast is published yet, or the request cannot be answered now.",
    }
    schema = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
    return {
        status: {"description": meaning, "content": {PROBLEM: schema}}
        for status, meaning in meanings.items()
    }
