"""For machines that look after the service: alive, ready, figures."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from service.api.models import Health, Ready
from service.queries.freshness import freshness_of
from service.state import Current, Shared

router = APIRouter(tags=["probes"])


@router.get("/health")
async def health() -> Health:
    """Tell that the process lives."""
    return Health(status="ok")


@router.get("/ready")
async def ready(current: Current, shared: Shared) -> Ready:
    """Tell whether there is a forecast to show (else 503), and how fresh it is."""
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
    "/metrics", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
async def metrics(shared: Shared) -> Response:
    """Return counts, times and what the monitors found, for Prometheus."""
    return Response(generate_latest(shared.counts.registry), media_type=CONTENT_TYPE_LATEST)
