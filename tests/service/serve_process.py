"""``magnetcast serve`` as a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START = "from flows.cli.command_line import main; main()"
ENDING_S = 300
"""Far more than it takes on a machine under load; a process that hangs is a failure."""


@contextmanager
def serving(
    home: Path, *options: str, **environment: str
) -> Iterator[tuple[str, subprocess.Popen]]:
    """Serve the store in a folder on a free port and yield address and process."""
    command = [sys.executable, "-c", START, "serve", "--port", "0", *options]
    known = {**os.environ, "MAGNETCAST_HOME": str(home)}
    known |= {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(  # noqa: S603 - our own words
        command, env={**known, **environment}, stderr=subprocess.PIPE, text=True
    )
    try:
        yield _address(process), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=ENDING_S)


def _address(process: subprocess.Popen) -> str:
    """Read the address at which a process serves."""
    result = ""
    for line in process.stderr:
        result += line
        if found := re.search(r"http://\S+(?=/ )", line):
            return found.group()
    raise AssertionError(f"the service ended before it served: {result}")
