"""The Dask cluster of compose.yaml, started as processes: its commands, its variables, TLS."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from flows.panels.partitions import predict_folder
from models.learning.parameters import PANEL_PRESET
from store.errors import DataError
from store.settings import PROJECT_ROOT, Settings
from tests.helpers import free_port
from tests.unit.flows.test_partitions import apart, rows, written

pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),  # of Dask
]

SERVICES = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
BRIEF = replace(PANEL_PRESET, pairs=400, num_iterations=5)


class Cluster:
    """A scheduler and as many workers as compose.yaml has, on the loopback."""

    def __init__(self, folder: Path) -> None:
        self.port = str(free_port())
        script = PROJECT_ROOT / "deploy" / "dask_certificates.sh"
        subprocess.run([script, folder / "tls"], check=True, capture_output=True)  # noqa: S603
        self.folder = folder
        self.environment = self.variables("dask-worker")
        self.scheduler = self.start("dask-scheduler")
        self.workers = [self.start("dask-worker") for _ in range(SERVICES["dask-worker"]["scale"])]

    @property
    def address(self) -> str:
        return f"tls://127.0.0.1:{self.port}"

    def variables(self, name: str) -> dict[str, str]:
        secrets = {"dask-ca": "ca.pem", "dask-node": "node.pem", "dask-node-key": "node-key.pem"}
        place = {f"/run/secrets/{key}": str(self.folder / "tls" / secrets[key]) for key in secrets}
        asked = SERVICES[name]["environment"]
        return {key: place.get(text, text) for key, text in asked.items() if key != "HOME"}

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        words = [
            word.replace("dask-scheduler:8786", f"127.0.0.1:{self.port}").replace("8786", self.port)
            for word in SERVICES[name]["command"]
        ]
        path = f"{PROJECT_ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        environment = {**os.environ, **self.variables(name), "PYTHONPATH": path}
        dask = str(Path(sys.executable).with_name(words[0]))
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the words of our own file
                [dask, *words[1:]], env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("dask"))
    with ExitStack() as stack:
        stack.callback(cluster.stop)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, text in cluster.environment.items():
            patch.setenv(name, text)
        import dask  # noqa: PLC0415 - reads its variables anew

        dask.config.refresh()
        wait_for(cluster, 2)
        yield cluster
    dask.config.refresh()


def wait_for(cluster: Cluster, workers: int) -> None:
    from distributed import Client  # noqa: PLC0415

    deadline = time.monotonic() + 120
    while True:
        try:
            with Client(cluster.address, timeout="5s") as client:
                client.wait_for_workers(workers, timeout=100)
                return
        except OSError:
            assert time.monotonic() < deadline, (cluster.folder / "dask-scheduler.log").read_text()


def forecast(home: Path, dask: str) -> pd.DataFrame:
    panel, out = rows(24), home / "out"
    parts = [panel.iloc[start : start + 60] for start in range(0, len(panel), 60)]
    files = written(home / "in", *parts)
    predict_folder(Settings(home=home, dask=dask), files, horizon=3, out=out, parameters=BRIEF)
    return pd.read_parquet(out)


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    home = tmp_path / "alone"
    home.mkdir()
    expected = forecast(home, "")
    first_part = f"until ls {tmp_path}/.out.unfinished/*.parquet; do sleep 0.02; done"
    killer = subprocess.Popen(  # noqa: S603 - kills one of our own workers while they forecast
        ["/bin/sh", "-c", f"{first_part}; kill -9 -{cluster.workers[0].pid}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    made = forecast(tmp_path, cluster.address)

    assert killer.wait() == 0
    assert cluster.workers[0].wait() == -signal.SIGKILL
    assert apart(made, expected) < 1e-9


def test_who_has_no_certificate_is_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask  # noqa: PLC0415

    stranger = tmp_path / "stranger"
    script = PROJECT_ROOT / "deploy" / "dask_certificates.sh"
    subprocess.run([script, stranger], check=True, capture_output=True)  # noqa: S603
    for side in ("CERT", "KEY"):
        name = "node.pem" if side == "CERT" else "node-key.pem"
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__CLIENT__{side}", str(stranger / name))
    dask.config.refresh()

    with pytest.raises(DataError, match="cannot be reached"):
        forecast(tmp_path, cluster.address)
