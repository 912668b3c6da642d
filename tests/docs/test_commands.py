import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from store.settings import PROJECT_ROOT
from tests.docs.pages import DOCS, Page, followed
from tests.helpers import free_port

SWITCH = "MAGNETCAST_DOCS"
"""Asks for these tests, which train and replay for some minutes; `make docs-test` sets it."""

MAY_BE_WORSE = ("magnetcast status", "magnetcast --home var/try run")
"""Commands whose exit code tells the state; a rule publishes in the place of the try's model."""

LAST = "how-to/add-a-feature"
"""Its figures are of the past, so after it every past origin is computed anew."""

ONLY_NAMED = ("make up",)
"""Followed in tests/flows/test_up.py."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        SWITCH not in os.environ, reason=f"follows the documentation for minutes; set {SWITCH}=all"
    ),
]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> "Reader":
    """Somebody in a fresh folder who has run what all tutorials begin with.

    That run starts a Prefect server of its own; later commands share one, as they do while
    `magnetcast up` runs.
    """
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 - read within the harness

    del prefect_server
    reader = Reader(tmp_path_factory.mktemp("reader"))
    reader.follow("magnetcast run --as-of 2026-11-25")
    reader.environment["PREFECT_API_URL"] = str(PREFECT_API_URL.value())
    return reader


@pytest.mark.parametrize(
    "page", sorted(followed(), key=lambda page: page.name == LAST), ids=lambda page: page.name
)
def test_a_page_can_be_followed(page: Page, reader: "Reader") -> None:
    for name, text in page.files.items():
        (reader.folder / name).write_text(text, encoding="utf-8")
    with ExitStack() as served:
        for command in page.commands:
            if command == "magnetcast serve":
                served.enter_context(reader.serving())
            elif command not in ONLY_NAMED:
                reader.follow(command)


class Reader:
    """A folder with what the repository brings, and a home of its own."""

    def __init__(self, folder: Path) -> None:
        """Lay out the folder."""
        self.folder = folder
        self.followed: set[str] = set()
        for name in ("scenarios", "data"):
            shutil.copytree(PROJECT_ROOT / name, folder / name)
        shutil.copy(PROJECT_ROOT / "pyproject.toml", folder)  # a checkout keeps models in mlruns
        for notebook in sorted(DOCS.rglob("*.ipynb")):
            shutil.copy(notebook, folder)
        months = pd.period_range("2018-01", "2024-12", freq="M").astype(str)
        season = 100 + 20 * np.sin(np.arange(len(months)) * np.pi / 6)
        parts = {"mexico": season, "poland": 0.5 * season + np.arange(len(months))}
        table = pd.concat(
            pd.DataFrame({"destination": name, "period": months, "tonnes": tonnes})
            for name, tonnes in parts.items()
        )
        table.to_csv(folder / "mine.csv", index=False)
        tree = pd.DataFrame({"destination": list(parts), "part_of": "all"})
        tree.to_csv(folder / "tree.csv", index=False)
        self.port = free_port()
        self.environment = {
            **os.environ,
            "MAGNETCAST_HOME": str(folder / "var"),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def follow(self, command: str) -> None:
        """Follow a command of a page, unless an earlier page had it, and expect it to work."""
        if command in self.followed:
            return
        self.followed.add(command)
        line = command.replace("make run", "magnetcast run --as-of 2026-11-25")
        line = line.replace("make setup", "true").replace(
            "127.0.0.1:8510", f"127.0.0.1:{self.port}"
        )
        ingest = f"magnetcast --home {self.folder}/var/try ingest comtrade --since 2021-01"
        stand_ins = f"cd {PROJECT_ROOT} && {sys.executable} -m tests.providers 0 {ingest}"
        line = line.replace("make try-table", f"({stand_ins})")
        if line.startswith("curl "):
            line += " --silent --fail"
        done = subprocess.run(  # noqa: S603 - the words of our own pages
            ["bash", "-c", line],  # noqa: S607 - any bash will do
            cwd=self.folder,
            check=False,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if not command.startswith(MAY_BE_WORSE):
            assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve while a page is followed."""
        words = ["magnetcast", "serve", "--port", str(self.port)]
        process = subprocess.Popen(words, cwd=self.folder, env=self.environment)  # noqa: S603
        with process:
            try:
                wait_for(self.port, process)
                yield
            finally:
                process.terminate()


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until somebody answers at a port."""
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    pytest.fail(f"`magnetcast serve` ended with {process.returncode}")
