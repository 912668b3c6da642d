import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from flows.backup.restore import restore
from flows.context.prefect_home import prefect_folder
from flows.operations import local_servers
from flows.operations.local_servers import down, environment, running, servers, up
from flows.operations.server_processes import LOOPBACK, LocalServer, running_process
from store.errors import DataError, StoreError
from store.settings import PROJECT_ROOT, Settings

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return int(one.getsockname()[1])


def page(name: str, port: int) -> LocalServer:
    """A real server that answers on a port."""
    command = (sys.executable, "-m", "http.server", str(port), "--bind", LOOPBACK)
    return LocalServer(name, command, f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{port}/")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var")


def use(monkeypatch: pytest.MonkeyPatch, *made: LocalServer) -> None:
    monkeypatch.setattr(local_servers, "servers", lambda _: made)


def test_up_waits_for_health_and_down_ends_exactly_what_it_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    use(monkeypatch, page("one", port))

    up(settings)
    answer = httpx.get(f"http://{LOOPBACK}:{port}/", timeout=300, trust_env=False).status_code
    first = (settings.run_dir / "one.json").read_text()
    up(settings)
    second = (settings.run_dir / "one.json").read_text()
    names = running(settings)
    down(settings)

    assert answer == 200
    assert first == second
    assert names == ["one"]
    assert running(settings) == []
    assert not (settings.run_dir / "one.json").exists()
    assert f"http://{LOOPBACK}:{port}" in capsys.readouterr().err
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{LOOPBACK}:{port}/", trust_env=False)


def test_a_number_that_went_to_another_process_is_not_ended(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, page("one", free_port()))
    settings.run_dir.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        result = {"number": stranger.pid, "born": "1"}
        (settings.run_dir / "one.json").write_text(json.dumps(result))

        down(settings)

        assert stranger.poll() is None
        os.kill(stranger.pid, 15)


def test_one_that_does_not_come_up_takes_down_what_was_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = LocalServer(
        "two", (sys.executable, "-c", "raise SystemExit(3)"), "", "http://127.0.0.1:9/"
    )
    use(monkeypatch, page("one", free_port()), dying)

    with pytest.raises(StoreError, match=r"two did not come up.*two\.log"):
        up(settings)
    assert running(settings) == []


def test_a_port_that_a_stranger_has_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, 0))
        stranger.listen()
        use(monkeypatch, page("one", stranger.getsockname()[1]))

        with pytest.raises(DataError, match="free port"):
            up(settings)


def test_nothing_is_restored_under_what_runs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, page("one", free_port()))
    up(settings)

    try:
        with pytest.raises(DataError, match="magnetcast down"):
            restore(settings, tmp_path / "any.tar.gz")
    finally:
        down(settings)


def test_all_servers_listen_on_the_loopback_and_no_password_is_an_argument() -> None:
    settings = Settings(tracking_uri="postgresql://me:hunter2@db/mlflow", service_port=9999)
    found = servers(settings)

    assert [one.name for one in found] == ["prefect", "mlflow", "service", "worker", "supervisor"]
    for one in found:
        assert "hunter2" not in " ".join(one.command)
        if one.address:
            assert one.command[one.command.index("--host") + 1] == "127.0.0.1"
    assert found[2].address.endswith(":9999")
    assert "hunter2" in environment(settings)["MLFLOW_BACKEND_STORE_URI"]


def ask(settings: Settings, *words: str) -> str:
    """Run Python as a person would who has named no server, but Prefect's folder of the home."""
    plain = {name: os.environ[name] for name in os.environ if not name.startswith("PREFECT_")}
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *words],
        env={**plain, "PREFECT_HOME": str(prefect_folder(settings.home))},
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


CHOSEN = (
    "import os, sys, pathlib; del os.environ['PREFECT_HOME']; "
    "from flows.context.prefect_home import choose_server; "
    "found = choose_server(pathlib.Path(sys.argv[1])); print(found.address, found.is_lost)"
)


def test_up_names_its_prefect_server_to_every_command_until_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "var", prefect_port=free_port())
    address = f"http://{LOOPBACK}:{settings.prefect_port}/api"
    use(monkeypatch, servers(settings)[0])
    up(settings)

    try:
        ran = ask(settings, "-m", "prefect", "deployment", "run", "scheduled-check/daily")
        chosen = ask(settings, "-c", CHOSEN, str(settings.home))
        process = running_process(settings, "prefect")
        assert process is not None
        os.killpg(process.number, signal.SIGKILL)
        after = ask(settings, "-c", CHOSEN, str(settings.home))
    finally:
        down(settings)

    assert "Created flow run" in ran
    assert chosen.split() == [address, "False"]
    assert after.split() == ["True"]
    assert ask(settings, "-c", CHOSEN, str(settings.home)).split() == ["False"]
