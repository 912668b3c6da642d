"""All routes of the API and their documented errors, and the probes for machines."""

from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from service.api import forecast_routes, list_routes, planning_routes, scenario_routes
from service.api.response_models import AlarmResponse, Ready, Status
from service.queries.freshness import freshness_of
from service.state import Current, Shared, api_router, may_read

probes = api_router(tag="probes")
status_router = api_router(may_read, tag="status")

_OPEN: Final[dict[str, Any]] = {"openapi_extra": {"security": []}}


@probes.get("/health", **_OPEN)
async def health() -> dict[str, str]:
    """Report that the process is alive."""
    return {"status": "ok"}


@probes.get("/ready", **_OPEN)
async def ready(current: Current, shared: Shared) -> Ready:
    """Report whether there is a forecast to show (else 503), and how fresh it is."""
    freshness = freshness_of(current, now=shared.live.clock())
    return Ready(
        status="ready",
        as_of=current.as_of.to_pydatetime(),
        cutoff=current.snapshot.cutoff,
        next_release=freshness.next_release.date(),
        notices=list(freshness.notices),
        trouble=shared.live.trouble,
    )


@probes.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    **_OPEN,
)
async def metrics(shared: Shared) -> Response:
    """Counts, times and monitor readings for Prometheus."""
    return Response(generate_latest(shared.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@status_router.get("/status")
async def status(shared: Shared) -> Status:
    """State of the system, and its alarms in words."""
    report = await shared.health.newest()
    alarms = [
        AlarmResponse(alarm=alarm.name, broken=alarm.is_broken, words=str(alarm.words))
        for alarm in report.alarms
    ]
    return Status(
        at=report.at.to_pydatetime(),
        code=report.code,
        headline=str(report.headline),
        lines=[str(line) for line in report.lines],
        alarms=alarms,
    )


def api_routes() -> list[BaseRoute]:
    """Routes under ``/api/v1``; probes need no token."""
    parts = (
        probes, forecast_routes.router, scenario_routes.router, status_router, list_routes.router,
        planning_routes.router, planning_routes.trail, planning_routes.writing,
    )  # fmt: skip
    return [route for part in parts for route in part.routes]
