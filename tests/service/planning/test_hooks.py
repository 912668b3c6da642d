import base64
import hashlib
import hmac
import ipaddress
import socket
from datetime import UTC, datetime

import pandas as pd
import pytest

from flows.alerts import Sender, deliver
from service.http.access import networks_of
from service.planning.webhooks import WebhookPolicy, resolved, signed
from store.errors import DataError

KEY = "k" * 32
PUBLIC = WebhookPolicy(KEY)
HOUSE = WebhookPolicy(KEY, networks_of("ALERT_NETWORKS", "10.0.0.0/8, 127.0.0.0/8"))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://[::1]/", "https://0.0.0.0/", "https://10.1.2.3/x",
        "https://192.168.0.1/", "https://172.16.0.9/", "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/", "https://[fc00::1]/", "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/",
        "https://100.64.0.1/", "https://224.0.0.1/", "https://255.255.255.255/",
        "https://2130706433/", "https://0x7f.1/", "https://017700000001/", "https://127.1/",
        "http://8.8.8.8/", "http://example.org/", "ftp://example.org/", "file:///etc/passwd",
        "https://user:pw@example.org/", "https://@example.org/", "https://", "example.org",
        "https://example.org/#x", "https://exam ple.org/", "https://example.org/\n",
        "https://example.org:99999/", "https://ex\u00e4mple.org/",
        f"https://example.org/{'x' * 500}",
        "https://[::1", "https://8.8.8.8%2e/",
    ],
)  # fmt: skip
def test_an_address_within_the_house_or_no_address_is_refused(url: str) -> None:
    with pytest.raises(DataError, match="The address of a webhook is refused"):
        # A name that looks like a number may only be refused once it is resolved.
        PUBLIC.place(url, lambda host, port: ["127.0.0.1"])  # noqa: ARG005 - as resolvers are called


@pytest.mark.parametrize(
    "address",
    [
        "192.0.0.8", "192.0.0.192", "192.88.99.1", "192.31.196.1", "192.175.48.1", "198.18.0.1",
        "240.0.0.1", "255.255.255.255", "fec0::1", "fe80::1", "fc00::1", "ff0e::1", "::", "::1",
        "::7f00:1", "::ffff:192.0.0.192", "::ffff:0:7f00:1", "64:ff9b::c000:c0", "64:ff9b::a00:1",
        "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:808:808::", "2620:4f:8000::1",
        "3fff::1", "4000::1", "5f00::1",
    ],
)  # fmt: skip
def test_no_special_address_is_public(address: str) -> None:
    with pytest.raises(DataError, match="is not a public address"):
        PUBLIC.admit(ipaddress.ip_address(address), scheme="https")


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_a_public_address_is_public_in_any_form(address: str) -> None:
    PUBLIC.admit(ipaddress.ip_address(address), scheme="https")


def test_a_name_that_points_elsewhere_after_its_rule_was_made_is_not_called() -> None:
    found = iter([["93.184.216.34"], ["127.0.0.1"]])
    with socket.create_server(("127.0.0.1", 0)) as inside:
        url = f"https://rebound.example:{inside.getsockname()[1]}/"
        assert PUBLIC.place(url, lambda *_: next(found)) == "93.184.216.34"
        went = deliver(
            {"url": url, "uid": "ab"},
            "urn:x",
            {},
            hooks=PUBLIC,
            at=pd.Timestamp("2026-11-25", tz="UTC"),
            sender=Sender(resolve=lambda *_: next(found)),
        )
        inside.settimeout(0)
        with pytest.raises(BlockingIOError):
            inside.accept()

    assert (went.tries, "127.0.0.1 is not a public address" in went.trouble) == (1, True)


def test_a_name_is_judged_by_every_address_it_has() -> None:
    mixed = ["93.184.216.34", "10.0.0.5"]

    with pytest.raises(DataError, match=r"10\.0\.0\.5 is not a public address"):
        PUBLIC.place("https://example.org/hook", lambda host, port: mixed)  # noqa: ARG005
    with pytest.raises(DataError, match="the name has no address"):
        PUBLIC.place("https://example.org/hook", lambda host, port: [])  # noqa: ARG005


def test_a_public_name_is_called_at_the_address_that_was_judged() -> None:
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["93.184.216.34", "2606:2800:220:1::1"]

    assert PUBLIC.place("https://example.org:8443/hook", resolve) == "93.184.216.34"
    assert asked == [("example.org", 8443)]


def test_networks_of_the_house_may_be_called_if_it_states_so_and_no_others() -> None:
    assert HOUSE.checked("http://10.1.2.3:8000/hook") == "http://10.1.2.3:8000/hook"
    assert HOUSE.place("http://desk.example/", lambda *_: ["10.1.2.3"]) == "10.1.2.3"
    for url in ("https://192.168.0.1/", "https://169.254.169.254/", "http://8.8.8.8/"):
        with pytest.raises(DataError, match="refused"):
            HOUSE.checked(url)
    with pytest.raises(DataError, match="without TLS"):
        HOUSE.place("http://desk.example/", lambda *_: ["8.8.8.8"])


def test_a_name_nobody_knows_is_reported() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise OSError(f"no such name {host}:{port}")

    with pytest.raises(DataError, match=r"cannot be resolved \(no such name nowhere:443\)"):
        PUBLIC.place("https://nowhere/", resolve)
    assert resolved("127.0.0.1", 80) == ["127.0.0.1"]


@pytest.mark.parametrize("key", ["", "short"])
def test_without_a_key_to_sign_with_there_are_no_webhooks(key: str) -> None:
    with pytest.raises(DataError, match=f"MAGNETCAST_ALERT_KEY has {len(key)} characters"):
        WebhookPolicy(key).checked("https://example.org/hook")


def test_networks_that_are_none_are_reported() -> None:
    assert networks_of("ALERT_NETWORKS", "") == ()
    assert networks_of("ALERT_NETWORKS", " ::1/128") == (ipaddress.ip_network("::1/128"),)
    with pytest.raises(DataError, match=r"MAGNETCAST_ALERT_NETWORKS: .*10\.0\.0\.1/8"):
        networks_of("ALERT_NETWORKS", "10.0.0.1/8")


def test_a_message_is_signed_as_its_receiver_can_verify() -> None:
    secret, body = PUBLIC.secret("ab" * 16), b'{"a":1}'

    headers = signed(secret, message="urn:x", at=datetime(2026, 11, 25, tzinfo=UTC), body=body)

    key = base64.b64decode(secret.removeprefix("whsec_"))
    moment = headers["webhook-timestamp"]
    mark = hmac.new(key, f"urn:x.{moment}.".encode() + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mark).decode()}"
    assert (headers["webhook-id"], moment) == ("urn:x", "1795564800")
    assert len(key) == 32


def test_every_rule_and_every_key_has_a_secret_of_its_own() -> None:
    found = {hooks.secret(uid) for hooks in (PUBLIC, WebhookPolicy("j" * 32)) for uid in ("a", "b")}

    assert len(found) == 4
    assert PUBLIC.secret("a") == WebhookPolicy(KEY).secret("a")
