"""A Prefect server of the command's own, which starts while the command loads and ends with it.

Prefect has one too. Ours needs none of the server's modules in the command's process, has a port
that no other command can take, and ends also where the command was killed (docs/adr/0045).
"""

import atexit
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from store.errors import StoreError
from store.settings import IMPORT_ROOT, PROJECT_ROOT

HOST: Final = "127.0.0.1"
API_URL: Final = "PREFECT_API_URL"
LOG: Final = "own_server.log"
"""In ``PREFECT_HOME``: what the newest such server had to say."""

START_S: Final = 180.0
"""Seconds that it may take to answer on a busy machine."""

END_S: Final = 5.0
"""Seconds that it may take to end."""

LOOK_S: Final = 2.0
"""Seconds after which it looks again whether its command is there."""

AS_A_PART: Final = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}
"""As Prefect sets for a server that lasts as long as a command."""


@dataclass(slots=True)
class _Own:
    """The server of this process: offered with its listener, begun with its process."""

    listener: socket.socket | None = None
    process: subprocess.Popen[bytes] | None = None
    folder: Path = Path()
    """``PREFECT_HOME``."""
    port: int = 0
    answered: bool = False


_OWN: Final = _Own()


def is_offered() -> bool:
    """Tell whether this process has a server of its own, begun or not."""
    return _OWN.port > 0


def offer(folder: Path) -> str:
    """Name a server of its own to this process and return the address of its API.

    It begins at once, but in a home that never had a run with the first: a command that only finds
    out that it has no data makes no folder.

    Args:
        folder: ``PREFECT_HOME``, where it keeps its runs.
    """
    if is_offered():
        return os.environ[API_URL]
    _OWN.folder = folder
    _OWN.listener = socket.create_server((HOST, 0), backlog=512)
    _OWN.port = _OWN.listener.getsockname()[1]
    os.environ[API_URL] = f"http://{HOST}:{_OWN.port}/api"
    atexit.register(_stop)  # before Prefect is loaded: what it sends at exit goes first
    if folder.is_dir():
        _begin()
    return os.environ[API_URL]


def wait_until_ready() -> None:
    """Return once the server of this process answers, at once where it has none.

    Raises:
        StoreError: It ended, or took too long.
    """
    if not is_offered() or _OWN.answered:
        return
    _begin()
    connection = http.client.HTTPConnection(HOST, _OWN.port, timeout=START_S)
    try:
        connection.request("GET", "/api/health")
        _OWN.answered = connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        pass
    finally:
        connection.close()
    if not _OWN.answered:
        raise StoreError(
            "The Prefect server of this command did not start. Expected it to answer within "
            f"{START_S:.0f} s. Read the end of {_OWN.folder / LOG}, or run `magnetcast up` first."
        )


def _begin() -> None:
    """Start the process, which takes over the listener: who calls early waits for an answer."""
    if _OWN.listener is None:
        return
    _OWN.folder.mkdir(parents=True, exist_ok=True)
    number = _OWN.listener.fileno()
    path = os.pathsep.join(filter(None, [str(IMPORT_ROOT), os.environ.get("PYTHONPATH")]))
    with _OWN.listener, (_OWN.folder / LOG).open("wb") as log:
        # The command is our own list of words.
        _OWN.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", __name__, str(number), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **AS_A_PART, "PYTHONPATH": path},
            cwd=PROJECT_ROOT,
            pass_fds=[number],
            process_group=0,  # an interrupt of the terminal is the command's, which reports it here
        )
    _OWN.listener = None  # closed here, so that a server that ends refuses and leaves none waiting


def _stop() -> None:
    """End the server; one that was never begun gives its port back."""
    if _OWN.listener is not None:
        _OWN.listener.close()
    if _OWN.process is not None:
        _OWN.process.terminate()
        try:
            _OWN.process.wait(END_S)
        except subprocess.TimeoutExpired:
            _OWN.process.kill()
            _OWN.process.wait()


def _end_with(command: int) -> None:
    """End this process once the one that started it is gone, however that ended."""
    while os.getppid() == command:
        time.sleep(LOOK_S)
    os._exit(0)


def serve(number: int, command: int) -> None:
    """Serve Prefect's API on a listener that was handed in.

    Args:
        number: Of its file descriptor.
        command: Process that started this one.
    """
    import uvicorn  # noqa: PLC0415 - in the server's process alone

    threading.Thread(target=_end_with, args=(command,), daemon=True).start()
    uvicorn.run("prefect.server.api.server:create_app", factory=True, fd=number, log_level="error")


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
