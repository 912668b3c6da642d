"""The app: API and pages over one live publication."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.api import scenarios
from service.api.models import Problem
from service.api.routes import API_PREFIX, api_router
from service.api.scenario_models import PARTS
from service.http.problems import tell_problems
from service.live.gauges import StoreMetrics
from service.live.health import Examine, HealthCache
from service.live.live import LivePublication, Warm
from service.live.memo import Recent
from service.live.state import State
from service.planning.webhooks import WebhookPolicy
from service.scenarios.queue import ScenarioQueue
from service.scenarios.scenario_schema import ScenarioEngine
from service.security.access import Access
from service.security.hosts import AllowedHosts
from service.security.limits import RequestLimits, ServiceMetrics
from service.web.routes import error_page, page_router, warm

VERSION: Final = "1"

DRAWN: Final = 64
"""Pages of scenarios kept; each is some 100 kB."""

ABOUT: Final = (
    "Forecasts of China's monthly exports of rare-earth permanent magnets (HS 85051110) by "
    "destination, in tonnes, with the history, policy and scores they rest on. Answers carry an "
    "ETag; lists come in pages with Link headers; errors are problem documents (RFC 9457)."
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the service allows."""

    open_reads: bool
    max_body_bytes: int
    requests_per_s: float
    hooks: WebhookPolicy = field(default_factory=WebhookPolicy)
    hosts: AllowedHosts = field(default_factory=AllowedHosts)


def create_app(
    live: LivePublication,
    rules: Rules,
    *,
    what_if: ScenarioEngine | None = None,
    examine: Examine | None = None,
    ahead: Warm | None = warm,
) -> FastAPI:
    """Return the app; it reads the store when it starts and looks for news until it ends.

    Args:
        live: The publication to show, not started.
        rules: What is allowed.
        what_if: Who answers scenarios; None answers none.
        examine: Who looks how the installation is; None tells nothing of it.
        ahead: Draws what will be asked for first; None leaves it to the first who asks.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        live.start(ahead)
        if asking is not None:
            asking.start(lambda: live.publication)
        yield
        if asking is not None:
            asking.stop()
        live.stop()

    app = FastAPI(
        title="magnetcast",
        version=VERSION,
        description=ABOUT,
        lifespan=lifespan,
        openapi_url=f"{API_PREFIX}/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    asking = None if what_if is None else ScenarioQueue(what_if)
    counts = ServiceMetrics(lambda: 0 if asking is None else asking.waiting)
    counts.registry.register(StoreMetrics(lambda: live.publication, live.clock))
    access = Access(lambda: live.tokens, open_reads=rules.open_reads)
    conditions = None if examine is None else HealthCache(examine, live.clock)
    app.state.shared = State(
        live, access, counts, rules.hooks, asking, Recent(DRAWN), conditions=conditions
    )
    app.include_router(api_router())
    app.include_router(page_router())
    tell_problems(app, error_page)
    app.add_middleware(
        RequestLimits,
        counts=counts,
        max_body_bytes=rules.max_body_bytes,
        requests_per_s=rules.requests_per_s,
        hosts=rules.hosts,
    )
    app.openapi = lambda: _documentation(app, rules)  # type: ignore[method-assign]  # FastAPI's own way
    return app


def _documentation(app: FastAPI, rules: Rules) -> dict[str, Any]:
    """Return the OpenAPI document, made once, with the problems it refers to."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        parts: dict[str, Any] = made.setdefault("components", {})
        schemas: dict[str, Any] = parts.setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        parts["securitySchemes"] = _SECURITY
        made["security"] = [*([{}] if rules.open_reads else []), {"token": []}]
        asking = app.state.shared.asking
        worked = () if asking is None else asking.what_if.worked
        schemas |= PARTS
        made["paths"][f"{API_PREFIX}/scenarios"]["post"]["requestBody"] = scenarios.body_of(worked)
        app.openapi_schema = made
    return app.openapi_schema


_SECURITY: Final[Mapping[str, object]] = {"token": {"type": "http", "scheme": "bearer"}}
