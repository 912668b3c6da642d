"""Webhooks over real TLS to a receiver on the loopback, under authorities of these tests' own."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pandas as pd
import pytest
import trustme

from flows.alerts import Sender, alert
from flows.context.stores import store_of
from service.planning.webhooks import trusting
from sources.http import RetryPolicy
from store.errors import DataError
from store.planning.alert_rules import AlertRule, add_rule
from store.planning.audit import Actor
from store.planning.overrides import read_planning
from store.settings import Settings
from tests.service.planning.test_alerts import NOW
from tests.service.stores import NEWEST

HOST = "hooks.example"


@dataclass
class Receiver:
    """A receiver with a certificate, and what it took."""

    port: int
    taken: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def house() -> trustme.CA:
    return trustme.CA(organization_name="The house")


@pytest.fixture(scope="module")
def receiver(house: trustme.CA) -> Iterator[Receiver]:
    """Receiver whose certificate is of the house and for ``HOST`` alone."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            result.taken.append(self.headers["Host"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    context = SSLContext(PROTOCOL_TLS_SERVER)
    house.issue_cert(HOST).configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # a handshake that its client broke off
    server.socket = context.wrap_socket(server.socket, server_side=True)
    result = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield result
    server.shutdown()
    thread.join()
    server.server_close()


def pem(authority: trustme.CA, folder: Path) -> Path:
    file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


def trouble_over_tls(
    doubled: Settings, receiver: Receiver, own: Path | None, host: str = HOST
) -> str:
    """Let a rule speak to a host, with authorities of one's own, and return the trouble."""
    receiver.taken.clear()
    engine = store_of(doubled)
    rule = AlertRule(
        "doubled", "median", 50.0, destination="USA", url=f"https://{host}:{receiver.port}/"
    )
    add_rule(engine, rule, who=Actor("ann"), at=NOW, since=NEWEST)
    sender = Sender(
        resolve=lambda *_: ["127.0.0.1"],
        patience=RetryPolicy(sleep=lambda _: None, chance=lambda: 1.0),
        trust=trusting(own),
    )
    alert(doubled, NOW, sender=sender)
    (row,) = read_planning(engine).alerts.to_dict("records")
    assert (row["trouble"] == "") == pd.notna(row["delivered_at"])
    return str(row["trouble"])


@pytest.mark.slow
def test_a_receiver_whose_authority_is_trusted_takes_the_message(
    doubled: Settings, receiver: Receiver, house: trustme.CA, tmp_path: Path
) -> None:
    assert trouble_over_tls(doubled, receiver, pem(house, tmp_path)) == ""
    assert receiver.taken == [f"{HOST}:{receiver.port}"]


@pytest.mark.slow
@pytest.mark.parametrize("own", [None, "another"])
def test_a_receiver_of_an_unknown_authority_gets_nothing_and_that_is_said(
    doubled: Settings,
    receiver: Receiver,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    own: str | None,
) -> None:
    other = None if own is None else pem(trustme.CA(), tmp_path)

    trouble = trouble_over_tls(doubled, receiver, other)

    assert "CERTIFICATE_VERIFY_FAILED" in trouble
    assert receiver.taken == []
    assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().err


@pytest.mark.slow
def test_a_certificate_of_another_host_counts_for_nothing(
    doubled: Settings, receiver: Receiver, house: trustme.CA, tmp_path: Path
) -> None:
    trouble = trouble_over_tls(doubled, receiver, pem(house, tmp_path), host="other.example")

    assert "certificate is not valid for 'other.example'" in trouble
    assert receiver.taken == []


def test_the_setting_names_the_authorities_of_the_house(
    doubled: Settings, tmp_path: Path, house: trustme.CA
) -> None:
    made = trusting(pem(house, tmp_path))

    subjects = [dict(part[0] for part in ca["subject"]) for ca in made.get_ca_certs()]
    assert {"organizationName": "The house"}.items() <= subjects[-1].items()
    with pytest.raises(DataError, match=r"MAGNETCAST_ALERT_CA: .*nothing\.pem cannot be taken"):
        alert(doubled.model_copy(update={"alert_ca": tmp_path / "nothing.pem"}), NOW)
