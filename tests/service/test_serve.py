import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from flows.cli.serve_commands import is_loopback
from flows.serving import listening_socket
from publication.site import write_site
from store.errors import DataError
from tests.publication.fixtures import source_of
from tests.publication.stores import copied
from tests.service.serve_process import ENDING_S, serving

pytestmark = pytest.mark.slow

EVERYWHERE = "0.0.0.0"  # noqa: S104 - that it is refused is what is tested


def test_another_process_publishes_and_the_service_follows_without_a_restart(
    published_store: Path, tmp_path: Path
) -> None:
    copied(published_store, tmp_path)
    with (
        serving(tmp_path) as (address, process),
        httpx.Client(base_url=address, timeout=ENDING_S, trust_env=False) as client,
    ):
        before = client.get("/")
        write_site(source_of(tmp_path), tmp_path, status={"code": 0, "alarms": []})
        pages = [client.get(path) for path in ("/", "/de/", "/api/v1/forecasts.json", "/metrics")]
        stock = client.get("/stock.json?destination=USA&tonnes=9&stock=9")
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=ENDING_S)

    assert (before.status_code, "Run `magnetcast run`" in before.text) == (503, True)
    assert [page.status_code for page in pages] == [200] * 4
    assert 'magnetcast_publication{commodity="85051110"} 2' in pages[-1].text
    assert stock.json()["destination"] == "USA"
    assert "server" not in pages[0].headers
    assert code == 0


def test_a_public_address_needs_a_proxy(
    tmp_path: Path, magnetcast: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGNETCAST_HOME", str(tmp_path))

    code, _, message = magnetcast("serve", "--host", EVERYWHERE, "--port", "0")

    assert code == 1
    assert "--host 0.0.0.0 can be reached by other machines and needs a proxy" in message


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
