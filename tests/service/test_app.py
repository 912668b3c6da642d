import hashlib
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from features.build import DRIVER_MEANINGS
from publication.language.phrases import LANGUAGES, in_language
from publication.pages.render import folder_of
from publication.planning.planning_file import FILE, read_planning_file
from publication.words import chance_words, tonnes
from service.app import QUESTIONS, Later, create_app
from service.questions import Questions, questions_app
from service.scenario_pool import ScenarioEngine
from store.database import open_store
from tests.publication.stores import NOW, copied

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


@pytest.fixture(scope="module")
def served(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home whose database is this module's own, with the site of all tests."""
    folder = tmp_path_factory.mktemp("served")
    copied(home / "magnetcast.db", folder)
    (folder / "site").symlink_to((home / "site").resolve())
    (folder / "planning.yaml").write_bytes((home / "planning.yaml").read_bytes())
    return folder


@pytest.fixture(scope="module")
def client(served: Path) -> Iterator[TestClient]:
    engine = open_store(f"sqlite:///{served / 'magnetcast.db'}")
    questions = Questions(
        engine,
        ScenarioEngine(pytest.fail, read=pytest.fail, examples=(), waiting=0, seconds=1.0),
        meanings=DRIVER_MEANINGS,
        clock=lambda: NOW,
        max_body_bytes=1000,
    )
    later = Later(lambda: questions_app(questions))
    app = create_app(served / "site", later, lambda: "up 1\n", names=["magnets.example.org"])
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as opened:
        yield opened
    questions.pool.stop()
    engine.dispose()


def digests_of(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder and of what it links to."""
    roots = [folder, (folder / "site").resolve()]
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for root in roots
        for path in root.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm", ".lock"))
    }


def test_pages_are_files_and_one_that_did_not_change_is_not_sent_again(
    client: TestClient, site: Path
) -> None:
    first = client.get("/de/")
    again = client.get("/de/", headers={"If-None-Match": first.headers["etag"]})

    assert first.content == (site / "de/index.html").read_bytes()
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    assert first.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


def test_head_has_the_headers_of_get_and_no_body(client: TestClient) -> None:
    for path in ("/", "/policy.html", "/static/style.css", "/api/v1/forecasts.csv", "/nothing"):
        whole, head = client.get(path), client.head(path)

        assert (head.status_code, head.content) == (whole.status_code, b"")
        assert dict(head.headers) == dict(whole.headers)


@pytest.mark.parametrize("path", ["/", "/nothing", "/stock?destination=USA&tonnes=9", "/health"])
def test_every_answer_sets_no_cookie_and_is_guarded(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert "set-cookie" not in answer.headers
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("127.0.0.1:8510", 200), ("magnets.example.org", 200),
        ("evil.example", 400), ("localhost.evil.example", 400), ("10.0.0.5", 400),
        ("magnets.example.org.evil.example", 400),
    ],
)  # fmt: skip
def test_a_name_that_was_pointed_here_is_refused(
    client: TestClient, host: str, status: int
) -> None:
    assert client.get("/", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "path",
    ["/../magnetcast.db", "/%2e%2e/magnetcast.db", "/..%2fmagnetcast.db", "/planning.yaml",
     "/magnetcast.db", "/static/../../magnetcast.db", "//etc/passwd"],
)  # fmt: skip
def test_nothing_outside_the_site_is_handed_out(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_before_the_first_publication_it_says_what_to_run(tmp_path: Path) -> None:
    app = create_app(tmp_path / "site", Later(lambda: pytest.fail("no question was asked")), str)

    with TestClient(app, base_url="http://localhost") as opened:
        answer = opened.get("/")
        health = opened.get("/health")

    assert (answer.status_code, health.text) == (503, "ok\n")
    assert "Run `magnetcast run`" in answer.text


def test_no_request_of_any_method_on_any_address_changes_a_byte_of_the_home(
    client: TestClient, served: Path, site: Path
) -> None:
    before = digests_of(served)
    root = site.resolve()
    pages = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and len(path.relative_to(root).parts) < 3
    ]
    questions = [f"{folder}{name}" for folder in ("", "de/") for name in QUESTIONS]
    addresses = [*pages[:12], *questions, "api/v1/scenarios", "health", "metrics", "nothing",
                 "needs", "alert-rules", "api/v1/needs", "planning.yaml", "stock?tonnes=9&stock=9",
                 "what-if?tariffs.0.importer=USA&tariffs.0.rate_pct=x"]  # fmt: skip

    statuses = {
        client.request(method, f"/{path}", content=b"{}" if method != "GET" else None).status_code
        for path in addresses
        for method in METHODS
    }

    assert {200, 404, 405} <= statuses
    assert digests_of(served) == before
    assert {path.name for path in served.iterdir()} <= {
        "magnetcast.db", "magnetcast.db-wal", "magnetcast.db-shm", ".magnetcast.db.lock",
        "site", "planning.yaml",
    }  # fmt: skip


def test_a_failure_of_ours_tells_no_details(site: Path) -> None:
    def fail() -> str:
        raise RuntimeError("secret of the house")

    app = create_app(site, Later(lambda: pytest.fail("no question was asked")), fail)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as opened:
        answer = opened.get("/metrics")

    assert answer.status_code == 500
    assert "secret" not in answer.text


# The stock question: one answer as page, JSON and feed.

ASKED = "destination=DEU&tonnes=20&stock=30&lead_days=30"


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_stock_question_is_answered_as_page_json_and_feed(client: TestClient, code: str) -> None:
    folder = folder_of(code)
    page, data, feed = (
        client.get(f"/{folder}stock{end}?{ASKED}") for end in ("", ".json", ".atom")
    )

    answer = data.json()
    assert [one.status_code for one in (page, data, feed)] == [200] * 3
    assert f'<html lang="{"zh-Hans" if code == "zh" else code}">' in page.text
    assert answer["reach_on"] == "2027-01-09"
    with in_language(code):
        shown = [chance_words(answer["chance_out"]), tonnes(answer["stock_90_t"])]
    assert [words for words in shown if words not in page.text] == []
    assert feed.headers["content-type"].startswith("application/atom+xml")
    assert f"urn:magnetcast:stock:2:{answer['chance_out']}:{answer['order_by']}" in feed.text
    assert f"stock.html?{ASKED.replace('&', '&amp;')}" in feed.text
    assert client.get(f"/{folder}stock.atom?{ASKED}").text == feed.text


def test_the_page_has_the_lines_to_paste_into_the_planning(
    client: TestClient, tmp_path: Path
) -> None:
    page = client.get(f"/stock?{ASKED}").text

    lines = page.partition('<pre lang="en">')[2].partition("</pre>")[0]
    (tmp_path / FILE).write_text(unescape(lines), encoding="utf-8")
    planning = read_planning_file(tmp_path)
    assert [(need.destination, need.tonnes, need.stock) for need in planning.needs] == [
        ("DEU", 20.0, 30.0)
    ]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("destination=XXX&tonnes=9", 404, "XXX"),
        ("destination=DEU&tonnes=much", 400, "is not a plain number"),
        ("commodity=999999&tonnes=9", 404, "999999"),
        ("destination=DEU", 400, "has no tonnes"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    client: TestClient, query: str, status: int, message: str
) -> None:
    answer = client.get(f"/stock.json?{query}")

    assert (answer.status_code, answer.headers["content-type"]) == (
        status, "application/problem+json",
    )  # fmt: skip
    assert message in answer.json()["detail"]


def test_the_page_keeps_what_was_typed_and_runs_none_of_it(client: TestClient) -> None:
    answer = client.get("/stock", params={"tonnes": '"><script>alert(1)</script>'})

    assert answer.status_code == 400
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
