import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from flows.context.prefect_home import (
    BY_HAND,
    choose_server,
    prefect_folder,
    remove_profile,
    write_profile,
)
from store.settings import PROJECT_ROOT


class _Health(BaseHTTPRequestHandler):
    """Answers at the address of a Prefect server's health alone."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

    def log_request(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Health) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _nothing_by_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in BY_HAND:
        monkeypatch.setenv(name, "")  # so that what a choice sets is undone
        monkeypatch.delenv(name)
    choose_server.cache_clear()
    yield
    choose_server.cache_clear()


def test_without_up_a_command_keeps_its_runs_in_the_home(tmp_path: Path) -> None:
    found = choose_server(tmp_path)

    assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert "PREFECT_API_URL" not in os.environ
    assert (found.address, found.is_own, found.is_lost) == ("", True, False)
    assert "`magnetcast up` does not run" in found.message
    assert not (tmp_path / "prefect").exists()


def test_while_up_runs_every_command_reports_to_its_server(tmp_path: Path) -> None:
    with serving() as address:
        write_profile(tmp_path, f"{address}/api")
        found = choose_server(tmp_path)

    assert found.address == os.environ["PREFECT_API_URL"] == f"{address}/api"
    assert f"export PREFECT_HOME={tmp_path / 'prefect'}" in found.message
    assert not found.is_own
    assert not found.is_lost


def test_a_server_that_ended_without_down_is_reported_and_not_waited_for(tmp_path: Path) -> None:
    with serving() as address:
        write_profile(tmp_path, f"{address}/api")

    found = choose_server(tmp_path)

    assert found.is_lost
    assert "does not answer" in found.message
    assert "PREFECT_API_URL" not in os.environ
    assert os.environ["PREFECT_PROFILE"] == "ephemeral"


def test_a_stranger_at_the_port_is_no_server_of_ours(tmp_path: Path) -> None:
    with serving() as address:
        write_profile(tmp_path, f"{address}/other")

        assert choose_server(tmp_path).is_lost


@pytest.mark.parametrize("name", BY_HAND)
def test_what_the_environment_states_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:1/api")
    write_profile(tmp_path, "http://127.0.0.1:2/api")

    found = choose_server(tmp_path)

    assert {one: os.environ[one] for one in BY_HAND if one in os.environ} == {
        name: "http://127.0.0.1:1/api"
    }
    assert f"{name}=http://127.0.0.1:1/api" in found.message


def test_after_down_no_server_is_named(tmp_path: Path) -> None:
    write_profile(tmp_path, "http://127.0.0.1:2/api")
    remove_profile(tmp_path)
    remove_profile(tmp_path)

    assert "does not run" in choose_server(tmp_path).message


def test_a_profile_that_cannot_be_read_names_no_server(tmp_path: Path) -> None:
    prefect_folder(tmp_path).mkdir()
    (prefect_folder(tmp_path) / "profiles.toml").write_text("profiles = 3\n")

    assert "does not run" in choose_server(tmp_path).message


@pytest.mark.slow
def test_no_verb_loads_prefect_before_its_server_is_chosen() -> None:
    code = (
        "import importlib, pkgutil, sys, flows.cli as cli; "
        "[importlib.import_module(f'flows.cli.{one.name}') "
        "for one in pkgutil.iter_modules(cli.__path__)]; print('prefect' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"
