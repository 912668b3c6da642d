"""The stand-ins of the providers, served by hand."""

import re
import signal
import subprocess
import sys

import httpx
import pytest

from store.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow


def test_they_say_what_to_export_and_can_be_spoilt_from_outside() -> None:
    command = [sys.executable, "-m", "tests.providers", "0"]
    with subprocess.Popen(  # noqa: S603  # our own interpreter and module
        command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(6)]
        [url] = re.findall(r"^export MAGNETCAST_HTS_URL=(\S+)$", "".join(lines), re.MULTILINE)
        ask = f"{url}/search?keyword=8505.11.00"
        spoil = url.replace("/hts", "/misbehave/hts/429/1")

        statuses = [
            httpx.get(address, timeout=300).status_code for address in (ask, spoil, ask, ask)
        ]

        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=300) == 0
    assert statuses == [200, 200, 429, 200]
    assert len(re.findall("export MAGNETCAST_", "".join(lines))) == 5
