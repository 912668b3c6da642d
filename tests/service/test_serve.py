import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from flows.cli.operation_commands import is_loopback
from flows.up import listening_socket
from store.database import open_store
from store.errors import DataError
from tests.service.serve_process import ENDING_S, serving
from tests.publication.stores import copied, publish

pytestmark = pytest.mark.slow

LATER = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def home(published_store: Path, tmp_path: Path) -> Path:
    copied(published_store, tmp_path)
    return tmp_path


@pytest.fixture
def reader() -> Iterator[httpx.Client]:
    """Client whose first answer may take as long as the service takes to start."""
    with httpx.Client(timeout=ENDING_S, trust_env=False) as client:
        yield client


EVERYWHERE = "0.0.0.0"  # noqa: S104 - that it is refused is what is tested


def test_another_process_publishes_and_the_service_follows_without_a_restart(
    home: Path, reader: httpx.Client
) -> None:
    engine: Engine = open_store(f"sqlite:///{home / 'magnetcast.db'}")
    with serving(home) as (address, process):
        path = f"{address}/api/v1/forecasts/USA"
        before = reader.get(path)
        publish(engine, LATER, cutoff="2026-07", factor=2.0)
        seen, end = [before.json()], time.monotonic() + ENDING_S
        while seen[-1]["as_of"] == seen[0]["as_of"] and time.monotonic() < end:
            seen.append(reader.get(path).json())
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=ENDING_S)
    engine.dispose()

    old, new = seen[0], seen[-1]
    assert all(answer == old for answer in seen[:-1])
    assert (old["as_of"], new["as_of"]) == ("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z")
    for earlier, later in zip(old["months"], new["months"], strict=True):
        assert later["p50"] == pytest.approx(2 * earlier["p50"], abs=0.002)
    assert "server" not in before.headers
    assert code == 0


def test_a_public_address_needs_a_proxy_and_a_token_to_bind_and_a_token_to_read(
    home: Path,
    reader: httpx.Client,
    magnetcast: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAGNETCAST_HOME", str(home))
    bare = magnetcast("serve", "--host", EVERYWHERE, "--port", "0")
    monkeypatch.setenv("MAGNETCAST_PROXIES", "192.0.2.1")
    refused = magnetcast("serve", "--host", EVERYWHERE, "--port", "0")
    _, made, notes = magnetcast("token", "create", "planner")
    token = made.strip()
    with serving(home, "--host", EVERYWHERE) as (address, _):
        local = address.replace(EVERYWHERE, "127.0.0.1")
        closed = reader.get(f"{local}/api/v1/forecasts/USA").status_code
        headers = {"Authorization": f"Bearer {token}"}
        opened = reader.get(f"{local}/api/v1/forecasts/USA", headers=headers).status_code
    _, listed, _ = magnetcast("token", "list", "--format", "csv")
    _, _, revoked = magnetcast("token", "revoke", "1")
    again = magnetcast("serve", "--host", EVERYWHERE, "--port", "0")

    for (code, _, message), why in (
        (bare, "needs a proxy"),
        (refused, "needs a token"),
        (again, "needs a token"),
    ):
        assert code == 1
        assert f"--host 0.0.0.0 can be reached by other machines and {why}" in message
    assert token.startswith("mc_")
    assert token not in notes + listed
    assert listed.splitlines()[1].startswith("1,planner,read,")
    assert (closed, opened) == (401, 200)
    assert "token     1 is revoked" in revoked


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True),
        (EVERYWHERE, False), ("::", False), ("192.168.1.5", False), ("example.org", False),
    ],
)  # fmt: skip
def test_only_loopback_addresses_are_private(host: str, private: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is private


def test_a_port_in_use_is_reported() -> None:
    with listening_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]

        with pytest.raises(DataError, match=rf"Cannot bind to 127.0.0.1:{port} .* another --port"):
            listening_socket("127.0.0.1", port)
