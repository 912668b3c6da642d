"""Clients that may write needs, alert rules and own estimates."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.state import Rules
from sqlalchemy import Engine
from starlette.testclient import TestClient
from store.planning.audit import create_token

from store.database import open_store
from tests.service.stores import NEWEST, copied, make_app

HOOKED = Rules(open_reads=True, max_body_bytes=4000)
API = "/api/v1"
SAME = {"Sec-Fetch-Site": "same-origin"}


def posted(client: TestClient, path: str, sent: object) -> dict:
    """Write through the API and return what it answers."""
    answer = client.post(f"{API}/{path}", json=sent)
    assert answer.status_code == 201, answer.text
    return answer.json()


def form(client: TestClient, path: str, sent: dict, headers: dict | None = None) -> object:
    """Send a form, by default from this service's own page."""
    return client.post(path, data=sent, headers=headers or SAME, follow_redirects=False)


@contextmanager
def planning_client_of(engine: Engine, token: str = "") -> Iterator[TestClient]:
    """Open a client of the app over a store, with a token that may write."""
    token = token or create_token(engine, name="planner", scopes=["write"], at=NEWEST)
    with TestClient(make_app(engine, HOOKED), raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@contextmanager
def planning_client_over(store: Path, folder: Path) -> Iterator[TestClient]:
    """Open such a client over a copy of a store."""
    engine = open_store(copied(store, folder))
    with planning_client_of(engine) as client:
        yield client
    engine.dispose()
