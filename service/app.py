"""The app: API and pages over one live publication."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from service.api.api_routes import api_routes
from service.api.response_models import Problem
from service.api.scenario_routes import PARTS
from service.charts.drawer import Drawer
from service.http.limits import RequestLimits, ServiceMetrics
from service.http.replies import add_problem_handlers
from service.language.addresses import LanguageOfRequests
from service.live.health import Examine, HealthCache, StoreMetrics
from service.live.live_publication import LivePublication
from service.live.publication import Memo
from service.request_errors import NothingPublishedError
from service.scenario_pool import ScenarioEngine, ScenarioPool
from service.state import API_PREFIX, Rules, State
from service.web.page_routes import page_routes
from service.web.render import compile_templates, error_page

VERSION: Final = "1"

RECENT_PAGES: Final = 64
"""Pages of scenarios and of needs kept in memory; each is some 100 kB."""

_FIRST_PAGE_S: Final = 2
"""Seconds that are the first reader's alone, before anything is made ahead."""

_ABOUT: Final = (
    "Forecasts of China's monthly exports of rare-earth permanent magnets (HS 85051110) by "
    "destination, in tonnes, with the history, policy and scores behind them. Responses carry an "
    "ETag; lists are paged; errors are problem documents (RFC 9457)."
)


def create_app(
    live: LivePublication,
    rules: Rules,
    *,
    what_if: ScenarioEngine,
    examine: Examine,
    prepare: bool = True,
) -> FastAPI:
    """App that reads the store at its start and follows its changes until its end.

    Args:
        what_if: Computes scenarios.
        examine: Checks the health of the installation.
        prepare: Does ahead what the first reader would wait for.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        live.start()
        ahead = asyncio.get_running_loop().call_later(_FIRST_PAGE_S, _prepare, live, pool, drawer)
        if not prepare:
            ahead.cancel()
        yield
        ahead.cancel()
        pool.stop()
        drawer.stop()
        live.stop()

    app = FastAPI(
        title="magnetcast",
        version=VERSION,
        description=_ABOUT,
        routes=[*api_routes(), *page_routes()],
        lifespan=lifespan,
        openapi_url=f"{API_PREFIX}/openapi.json",
        # Their pages load scripts from other hosts.
        docs_url=None,
        redoc_url=None,
    )
    drawer = Drawer()
    pool = ScenarioPool(what_if)
    metrics = ServiceMetrics(lambda: pool.waiting)
    metrics.registry.register(StoreMetrics(lambda: live.publication, live.clock))
    health = HealthCache(examine, live.clock)
    app.state.shared = State(live, rules, metrics, pool, Memo(RECENT_PAGES), health, drawer)
    add_problem_handlers(app, error_page)
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=6)
    app.add_middleware(LanguageOfRequests)
    app.add_middleware(
        RequestLimits, metrics=metrics, max_body_bytes=rules.max_body_bytes, host_names=rules.names
    )
    app.openapi = lambda: _documentation(app, rules)  # type: ignore[method-assign]  # FastAPI's own way
    return app


def _prepare(live: LivePublication, pool: ScenarioPool, drawer: Drawer) -> None:
    """Open the pool in the thread that stops it, and draw in another."""
    with suppress(NothingPublishedError):
        pool.open(live.publication)
    threading.Thread(target=_draw, args=[drawer], daemon=True).start()


def _draw(drawer: Drawer) -> None:
    compile_templates()
    with suppress(CancelledError):  # where the service ends before
        drawer.library()


def _documentation(app: FastAPI, rules: Rules) -> dict[str, Any]:
    """OpenAPI document, built once, with the schemas it refers to."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        parts: dict[str, Any] = document.setdefault("components", {})
        schemas: dict[str, Any] = parts.setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        parts["securitySchemes"] = _SECURITY
        document["security"] = [*([{}] if rules.open_reads else []), {"token": []}]
        schemas |= PARTS
    return FastAPI.openapi(app)


_SECURITY: Final[Mapping[str, object]] = {"token": {"type": "http", "scheme": "bearer"}}
