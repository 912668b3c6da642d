import hashlib
import json
import logging
import traceback
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

from sources.http import ApiKeys, HttpClient, sent_as
from store.errors import SourceError
from store.settings import Settings
from tests.providers.answers import Fault
from tests.providers.server import Providers

PREVIEW = "/public/v1/preview/C/M/HS"
ASKED = [
    ("cmdCode", "850511"), ("period", "202401"), ("flowCode", "X"), ("reporterCode", "156")
]  # fmt: skip
KEY = "s3cr3t/with+odd=signs"


Waits = list[float]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """The seconds of the waits that were asked for, half of what chance may make them."""
    monkeypatch.setattr("tenacity.wait.random.uniform", lambda low, high: (low + high) / 2)
    return []


def client(settings: Settings, waits: Waits, *, keys: ApiKeys | None = None) -> HttpClient:
    return HttpClient(
        settings, provider="comtrade", base_url=settings.comtrade_url, keys=keys, sleep=waits.append
    )


def rows_of(http: HttpClient) -> int:
    answer = http.get(PREVIEW, ASKED, read=json.loads)
    return len(answer["data"])


@pytest.mark.parametrize(
    ("fault", "waited"),
    [
        (Fault.BUSY, [2.5]),
        (Fault.BROKEN, [0.5]),
        (Fault.TRUNCATED, [0.5]),
        (Fault.GARBLED, [0.5]),
        (Fault.HANGUP, [0.5]),
        (Fault.EMPTY, [0.5]),
    ],
)
def test_a_failure_that_passes_costs_one_wait(
    providers: Providers, live_settings: Settings, waits: Waits, fault: Fault, waited: list[float]
) -> None:
    providers.misbehave("comtrade", fault)

    with client(live_settings, waits) as http:
        assert rows_of(http) == 25

    assert waits == waited


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault.BUSY, "failed 5 times: HTTP 429"),
        (Fault.BROKEN, "failed 5 times: HTTP 500"),
        (Fault.TRUNCATED, "failed 5 times: RemoteProtocolError"),
        (Fault.GARBLED, "failed 5 times: the body cannot be used"),
        (Fault.HANGUP, "failed 5 times: RemoteProtocolError"),
        (Fault.EMPTY, "failed 5 times: HTTP 204"),
        (Fault.HTML, "sent an HTML page instead of data"),
        (Fault.WALL, r"a bot wall \(HTTP 412\).*download by hand"),
        (Fault.FLOOD, "sends more than 100,000,000 bytes, at http.*fewer months"),
        (Fault.MOVED, r"points to 127\.0\.0\.1:9, at .*no other host or port"),
        (Fault.LARGE, r"too large \(HTTP 413\).*fewer months"),
    ],
)
def test_a_failure_that_stays_is_reported_with_its_remedy(
    providers: Providers, live_settings: Settings, waits: Waits, fault: Fault, message: str
) -> None:
    providers.misbehave("comtrade", fault, times=9)

    with client(live_settings, waits) as http, pytest.raises(SourceError, match=message):
        rows_of(http)

    assert kept_statuses(live_settings) == set()


def test_a_body_is_kept_under_its_hash_beside_a_note(live_settings: Settings, waits: Waits) -> None:
    with client(live_settings, waits) as http:
        rows_of(http)

    [note] = (live_settings.http_cache_dir / "comtrade").glob("*.json")
    kept = json.loads(note.read_text(encoding="utf-8"))
    body = (note.parent / f"{kept['sha256']}.body").read_bytes()
    address = f"{live_settings.comtrade_url}{PREVIEW}?{urlencode(ASKED)}"
    assert (kept["url"], kept["status"]) == (address, 200)
    assert hashlib.sha256(body).hexdigest() == kept["sha256"]
    assert len(list(note.parent.iterdir())) == 2


@pytest.mark.parametrize("torn", [None, "", "{}", "[]", '{"status": 200'])
def test_offline_without_a_whole_note_there_is_no_answer(
    live_settings: Settings, waits: Waits, torn: str | None
) -> None:
    if torn is not None:
        with client(live_settings, waits) as http:
            rows_of(http)
        [note] = (live_settings.http_cache_dir / "comtrade").glob("*.json")
        note.write_text(torn, encoding="utf-8")
    offline = live_settings.model_copy(update={"offline": True})

    with client(offline, waits) as http, pytest.raises(SourceError, match="period=202401"):
        rows_of(http)


def test_an_answer_of_another_shape_is_asked_for_again_and_then_refused(
    live_settings: Settings, waits: Waits
) -> None:
    with (
        client(live_settings, waits) as http,
        pytest.raises(SourceError, match=r"cannot be used .* provider may have changed what it"),
    ):
        http.get(PREVIEW, ASKED, read=lambda body: json.loads(body)["data"]["count"])

    assert len(waits) == live_settings.http_attempts - 1


class TestKeys:
    HEADER: ClassVar = ApiKeys(headers={"Ocp-Apim-Subscription-Key": SecretStr(KEY)})

    @pytest.mark.slow
    @pytest.mark.parametrize("fault", [None, *Fault])
    def test_a_key_is_nowhere_to_be_found(
        self,
        providers: Providers,
        live_settings: Settings,
        waits: Waits,
        *,
        fault: Fault | None,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        if fault is not None:
            providers.misbehave("comtrade", fault, times=9)
        result = ""

        with client(live_settings, waits, keys=self.HEADER) as http:
            try:
                rows_of(http)
            except SourceError:
                result = traceback.format_exc()

        kept = b"".join(p.read_bytes() + p.name.encode() for p in files_below(live_settings.home))
        for form in (KEY, "s3cr3t", "with+odd"):
            assert form not in result
            assert form not in caplog.text
            assert form.encode() not in kept

    def test_a_key_that_the_provider_echoes_is_hidden(
        self, live_settings: Settings, waits: Waits
    ) -> None:
        wrong = ApiKeys(headers=sent_as("Ocp-Apim-Subscription-Key", SecretStr("wrong-4711")))

        with client(live_settings, waits, keys=wrong) as http, pytest.raises(SourceError) as err:
            http.get("/data/v1/get/C/M/HS", ASKED, read=json.loads)

        assert "does not accept the key (HTTP 401)" in str(err.value)
        assert "Set MAGNETCAST_COMTRADE_KEY" in str(err.value)
        assert "4711" not in str(err.value)


def kept_statuses(settings: Settings) -> set[int]:
    notes = settings.http_cache_dir.rglob("*.json")
    return {json.loads(note.read_text(encoding="utf-8"))["status"] for note in notes}


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
