"""All routes of the API and their documented errors."""

from typing import Any, Final

from fastapi import APIRouter, Depends

from service.api import explain, forecasts, planning, probes, scenarios, tables
from service.api.models import Problem
from service.http.problems import PROBLEM
from service.live.state import may_read

API_PREFIX: Final = "/api/v1"


def api_router() -> APIRouter:
    """Return the routes under ``/api/v1``; probes need no token."""
    api = APIRouter(prefix=API_PREFIX, responses=_problems())
    api.include_router(probes.router)
    for part in (
        forecasts.router,
        explain.router,
        scenarios.router,
        probes.status_router,
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
