from collections.abc import Iterator

import pytest
from fastapi import Body, Depends
from service.http.access import is_own_name
from service.state import Rules, may_write
from sqlalchemy import Engine
from starlette.testclient import TestClient
from store.planning.audit import create_token, read_tokens, revoke_token

from tests.service.stores import NEWEST, make_app

PROBLEM = "application/problem+json"


def rules(*, open_reads: bool = True) -> Rules:
    return Rules(open_reads=open_reads, max_body_bytes=1000)


@pytest.fixture
def guarded(engine: Engine) -> Iterator[TestClient]:
    """Client of an app that takes nothing without a token, with a route that writes."""
    app = make_app(engine, rules(open_reads=False))

    @app.post("/api/v1/notes", dependencies=[Depends(may_write)])
    async def note(text: str = Body()) -> int:
        return len(text)

    with TestClient(app) as client:
        yield client


def test_a_body_that_is_too_large_is_refused_however_it_comes(guarded: TestClient) -> None:
    untold = guarded.post("/api/v1/notes", content=iter([b"x" * 600, b"x" * 600]))
    told = [guarded.post("/api/v1/notes", content=b"x" * 1001)]
    for path in ("/api/v1/health", "/", "/nothing"):  # refused before anything is read
        told.append(guarded.request("GET", path, content=b"x" * 1001))
        assert told[-1].headers["connection"] == "close"

    for answer in (*told, untold):
        assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
        assert "MAGNETCAST_MAX_BODY_BYTES" in answer.json()["detail"]


def test_without_a_token_nothing_is_read_but_probes_and_styles(guarded: TestClient) -> None:
    assert guarded.get("/api/v1/health").status_code == 200
    assert guarded.get("/static/style.css").status_code == 200
    for path, scheme in (("/api/v1/forecasts/USA", "Bearer"), ("/", "Basic"), ("/data", "Basic")):
        answer = guarded.get(path)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == f'{scheme} realm="magnetcast"'
        assert "<table" not in answer.text
        assert "tonnes" not in answer.text.replace("tonnes by month of customs clearance", "")


@pytest.mark.slow
def test_a_token_opens_the_api_and_as_a_password_the_pages(
    engine: Engine, guarded: TestClient
) -> None:
    token = create_token(engine, name="planner", scopes=["read"], at=NEWEST)
    guarded.app.state.shared.live.refresh()

    api = guarded.get("/api/v1/forecasts/USA", headers={"Authorization": f"Bearer {token}"})
    page = guarded.get("/", auth=("anybody", token))
    wrong = guarded.get("/", auth=("anybody", f"{token}x"))
    broken = guarded.get("/", headers={"Authorization": "Basic ???"})

    codes = [answer.status_code for answer in (api, page, wrong, broken)]
    assert codes == [200, 200, 401, 401]


def test_a_revoked_token_opens_nothing(engine: Engine, guarded: TestClient) -> None:
    token = create_token(engine, name="planner", scopes=["read"], at=NEWEST)
    revoke_token(engine, int(read_tokens(engine)["id"].iloc[0]), at=NEWEST)
    guarded.app.state.shared.live.refresh()

    assert guarded.get("/", auth=("planner", token)).status_code == 401


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


PUBLIC = frozenset({"magnets.example.org", "magnets"})


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8510", "127.0.0.1", "127.0.0.1:8510", "[::1]:8510", "LOCALHOST.",
     "Magnets.Example.org:443"],
)  # fmt: skip
def test_the_service_answers_to_the_loopback_and_to_its_public_names(host: str) -> None:
    assert is_own_name(host, PUBLIC)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8510", "10.0.0.5", "", "localhost@x",
     "magnets.example.org.evil.example", "127.0.0.1.evil.example", "[::1",
     "localhost, evil.example"],
)  # fmt: skip
def test_a_name_that_was_pointed_here_is_not_its_own(host: str) -> None:
    assert not is_own_name(host, PUBLIC)


def test_a_request_by_another_name_is_refused_as_a_problem(client: TestClient) -> None:
    for path in ("/api/v1/forecasts/USA", "/", "/static/style.css"):
        answer = client.get(path, headers={"Host": "evil.example"})

        assert (answer.status_code, answer.headers["content-type"]) == (421, PROBLEM)
        assert "MAGNETCAST_PUBLIC_NAMES" in answer.json()["detail"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["/", "/destinations/USA", "/what-if", "/needs", "/track-record", "/policy", "/data", "/status",
     "/alerts.atom", "/destinations/USA/forecast.xlsx", "/static/style.css", "/robots.txt",
     "/api/v1/forecasts/USA", "/api/v1/events?format=csv", "/api/v1/openapi.json",
     "/api/v1/health", "/api/v1/ready", "/api/v1/forecasts/XXX", "/nothing"],
)  # fmt: skip
def test_head_has_the_headers_of_get_and_no_body(client: TestClient, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    whole, head = client.get(path, headers=plain), client.head(path, headers=plain)

    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert dict(head.headers) == dict(whole.headers)
    assert int(head.headers["content-length"]) == len(whole.content) > 0


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", "GET, HEAD"), ("/needs", "GET, HEAD, POST"), ("/needs/1/end", "POST"),
        ("/api/v1/forecasts/USA", "GET, HEAD"), ("/api/v1/needs", "GET, HEAD, POST"),
        ("/api/v1/needs/1", "DELETE, GET, HEAD"), ("/api/v1/scenarios", "GET, HEAD, POST"),
    ],
)  # fmt: skip
def test_a_path_tells_its_methods(client: TestClient, path: str, methods: str) -> None:
    for refused in (client.patch(path), client.options(path)):
        assert (refused.status_code, refused.headers["allow"]) == (405, methods)
        assert not any(name.startswith("access-control") for name in refused.headers)
    assert client.options("/nothing").status_code == 404
