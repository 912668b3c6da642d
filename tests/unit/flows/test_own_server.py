"""A command's own Prefect server, in processes of their own: it is one per process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from flows.context.own_server import LOG
from flows.context.prefect_home import BY_HAND
from store.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow

RUN: Final = """
import os, sys
from pathlib import Path
from flows.context.library_defaults import set_defaults
set_defaults()
from flows.context import own_server
os.environ["PREFECT_HOME"] = sys.argv[1]
print(own_server.offer(Path(sys.argv[1])), flush=True)
from flows.context.prefect_runs import job_flow

@job_flow("trial", run_name="trial")
def trial() -> None:
    print(own_server._OWN.process.pid, flush=True)
    sys.stdin.read()

trial()
"""


def started(folder: Path) -> "subprocess.Popen[str]":
    """Start a command that runs a flow until its input ends."""
    given = {name: text for name, text in os.environ.items() if name not in BY_HAND}
    return subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", RUN, str(folder)],
        cwd=PROJECT_ROOT,
        env=given,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def number_of_server(command: "subprocess.Popen[str]") -> int:
    """Return the process of the server once the flow runs."""
    assert command.stdout is not None
    assert command.stdout.readline().startswith("http://127.0.0.1:")
    return int(command.stdout.readline())


def runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_answers_the_first_flow_and_ends_with_the_command_also_if_that_is_killed(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "home" / "prefect"
    command = started(folder)
    first = number_of_server(command)
    assert runs(first)
    command.communicate("")
    assert command.returncode == 0
    assert not runs(first)

    command = started(folder)
    second = number_of_server(command)
    command.send_signal(signal.SIGKILL)
    command.communicate()
    while runs(second):
        time.sleep(0.1)


def test_one_that_cannot_start_is_reported_with_its_log(tmp_path: Path) -> None:
    folder = tmp_path / "prefect"
    (folder / "prefect.db").mkdir(parents=True)  # no database opens there

    _, error = started(folder).communicate("")

    assert "StoreError: The Prefect server of this command did not start." in error
    assert f"Read the end of {folder / LOG}" in error
    assert "unable to open database file" in (folder / LOG).read_text()
