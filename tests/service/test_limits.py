from collections.abc import Iterator

import pytest
from fastapi import Body, Depends
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.app import Rules
from service.limits import BURST_S, MOST_CLIENTS, Allowance
from service.state import may_write
from store.tokens import create_token, read_tokens, revoke_token
from tests.service.stores import NEWEST, OPEN, make_app

PROBLEM = "application/problem+json"


def rules(*, open_reads: bool = True, requests_per_s: float = 0) -> Rules:
    return Rules(open_reads=open_reads, max_body_bytes=1000, requests_per_s=requests_per_s)


@pytest.fixture
def guarded(engine: Engine) -> Iterator[TestClient]:
    """Client of an app that takes nothing without a token, with a route that writes."""
    app = make_app(engine, rules(open_reads=False))

    @app.post("/api/v1/notes", dependencies=[Depends(may_write)])
    async def note(text: str = Body()) -> int:
        return len(text)

    with TestClient(app) as client:
        yield client


def test_a_client_has_its_allowance_and_gets_it_back_over_time() -> None:
    allowance = Allowance(per_s=2)
    most = int(2 * BURST_S)

    at_once = [allowance.takes("a", 10.0) for _ in range(most + 1)]
    later = [allowance.takes("a", 11.0) for _ in range(3)]

    assert at_once == [True] * most + [False]
    assert later == [True, True, False]
    assert allowance.takes("b", 10.0)


def test_clients_beyond_number_are_forgotten_oldest_first() -> None:
    allowance = Allowance(per_s=1)

    for number in range(MOST_CLIENTS + 5):
        allowance.takes(str(number), 0.0)

    assert len(allowance.clients) == MOST_CLIENTS
    assert "4" not in allowance.clients
    assert "5" in allowance.clients


def test_too_many_requests_are_refused_as_a_problem(engine: Engine) -> None:
    with TestClient(make_app(engine, rules(requests_per_s=0.01))) as client:
        answer = client.get("/api/v1/health")

    assert (answer.status_code, answer.headers["content-type"]) == (429, PROBLEM)
    assert answer.headers["retry-after"] == "1"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_body_that_is_too_large_is_refused_however_it_comes(guarded: TestClient) -> None:
    told = guarded.post("/api/v1/notes", content=b"x" * 1001)
    untold = guarded.post("/api/v1/notes", content=iter([b"x" * 600, b"x" * 600]))

    for answer in (told, untold):
        assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
        assert "MAGNETCAST_MAX_BODY_BYTES" in answer.json()["detail"]


def test_without_a_token_nothing_is_read_but_probes_and_styles(guarded: TestClient) -> None:
    assert guarded.get("/api/v1/health").status_code == 200
    assert guarded.get("/static/style.css").status_code == 200
    for path, scheme in (("/api/v1/forecasts/USA", "Bearer"), ("/", "Basic"), ("/data", "Basic")):
        answer = guarded.get(path)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == f'{scheme} realm="magnetcast"'
        assert "tonnes" not in answer.text.replace("tonnes a month", "")


def test_a_token_opens_the_api_and_as_a_password_the_pages(
    engine: Engine, guarded: TestClient
) -> None:
    token = create_token(engine, name="desk", scopes=["read"], at=NEWEST)
    guarded.app.state.shared.live.refresh()

    api = guarded.get("/api/v1/forecasts/USA", headers={"Authorization": f"Bearer {token}"})
    page = guarded.get("/", auth=("anybody", token))
    wrong = guarded.get("/", auth=("anybody", f"{token}x"))
    broken = guarded.get("/", headers={"Authorization": "Basic ???"})

    codes = [answer.status_code for answer in (api, page, wrong, broken)]
    assert codes == [200, 200, 401, 401]


def test_writing_needs_a_token_that_may_write(engine: Engine, guarded: TestClient) -> None:
    reader = create_token(engine, name="desk", scopes=["read"], at=NEWEST)
    writer = create_token(engine, name="editor", scopes=["write"], at=NEWEST)
    guarded.app.state.shared.live.refresh()

    def post(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return guarded.post("/api/v1/notes", json="reason", headers=headers).status_code

    assert [post(""), post(reader), post(writer)] == [401, 403, 200]
    read = guarded.get("/data", headers={"Authorization": f"Bearer {writer}"})
    assert read.status_code == 200


def test_writing_needs_a_token_even_where_reading_needs_none(engine: Engine) -> None:
    app = make_app(engine, OPEN)

    @app.post("/api/v1/notes", dependencies=[Depends(may_write)])
    async def note() -> int:
        return 1

    with TestClient(app) as client:
        assert client.get("/").status_code == 200
        assert client.post("/api/v1/notes").status_code == 401


def test_a_revoked_token_opens_nothing(engine: Engine, guarded: TestClient) -> None:
    token = create_token(engine, name="desk", scopes=["read"], at=NEWEST)
    revoke_token(engine, int(read_tokens(engine)["id"].iloc[0]), at=NEWEST)
    guarded.app.state.shared.live.refresh()

    assert guarded.get("/", auth=("desk", token)).status_code == 401


def test_a_failure_of_ours_tells_no_details(engine: Engine) -> None:
    app = make_app(engine)

    @app.get("/api/v1/broken")
    async def broken() -> int:
        raise RuntimeError("secret of the house")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/api/v1/broken")

    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
