"""Schemathesis asks the API what its own description allows, and what it forbids."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema
from sqlalchemy import create_engine
from store.planning.audit import create_token

from store.database import open_store
from tests.service.scenario_service import RULES, answers, online
from tests.service.stores import NEWEST, copied, make_app

pytestmark = pytest.mark.slow

CLOSED = replace(RULES, open_reads=False)
TIMEOUT_S = 600
SCENARIOS = "POST /api/v1/scenarios"
relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))


def schema_of() -> BaseSchema:
    """Return the API as it describes itself."""
    result: dict[str, Any] = {
        "seed": 7,
        "generation": {
            "mode": "all", "max-examples": 2, "deterministic": True, "database": "none",
            "no-shrink": True,
            # Names of no parameter are passed over.
            "allow-extra-parameters": False,
        },
        "phases": {"stateful": {"enabled": False}},
        # A day, a need or a scenario may be well formed and make no sense; writing needs a token.
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 400, 401, 404]}},
        "operations": [
            {
                "include-name": SCENARIOS,
                # Bounded: what is sound goes through the process that answers.
                "phases": {"coverage": {"enabled": False}},
                "generation": {"max-examples": 10},
                "parameters": {"query.destination": ["USA"]},
            }
        ],
    }  # fmt: skip
    return schemathesis.openapi.from_dict(described(), config=SchemathesisConfig.from_dict(result))


@cache
def described() -> dict[str, Any]:
    """Return the description of an API that needs a token for all."""
    return make_app(create_engine("sqlite://"), CLOSED).openapi()


@dataclass(frozen=True, slots=True)
class Served:
    """A service under way, and who asks it."""

    address: str
    session: requests.Session


@pytest.fixture(scope="module")
def writer(published_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Who may write, at a service that tells nothing without a token."""
    home = tmp_path_factory.mktemp("closed")
    engine = open_store(copied(published_store, home))
    token = create_token(engine, name="planner", scopes=["write"], at=NEWEST)
    with online(make_app(engine, CLOSED, answers(home))) as address, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        yield Served(address, session)
    engine.dispose()


closed = schema_of()


@closed.parametrize()
@relaxed
def test_a_writer_is_answered_as_described(case: Case, writer: Served) -> None:
    case.call_and_validate(writer.address, writer.session, timeout=TIMEOUT_S)


def test_a_stranger_is_told_nothing(writer: Served) -> None:
    asked = [
        (method, re.sub(r"\{\w+\}", "1", path))
        for path, operations in described()["paths"].items()
        for method, operation in operations.items()
        if "probes" not in operation["tags"]
    ]

    assert len(asked) > 20
    for method, path in asked:
        answer = requests.request(method, writer.address + path, timeout=TIMEOUT_S)

        # A body that cannot be read is refused before anybody is asked for a token.
        assert answer.status_code in ({400, 401, 422} if method == "post" else {401}), path
        assert answer.headers["content-type"] == "application/problem+json"
