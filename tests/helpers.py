"""What tests of several folders do: run our interpreter, listen on the loopback, name a home."""

import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer

from store.settings import Settings


def settings_in(folder: Path, **others: object) -> Settings:
    """Return settings under which everything lies below a folder."""
    uri, artifacts = f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts"
    return Settings(home=folder / "var", tracking_uri=uri, artifact_dir=artifacts, **others)


def ended(*words: object, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run our own interpreter with words to its end."""
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # noqa: S603


def free_port() -> int:
    """A port below those that Linux gives to clients, which would take it before its server."""
    while True:
        port = 12_000 + secrets.randbelow(20_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextmanager
def running(server: BaseServer) -> Iterator[int]:
    """Serve in a thread while the block lasts; yields the port."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Receiver:
    """A receiver that answers with the statuses it is given, the last one for good."""

    statuses: list[int] = field(default_factory=lambda: [204])
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        """Of Apprise."""
        return f"json://127.0.0.1:{self.port}/hook"


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Take what is posted to a port of the loopback."""
    result = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            result.taken.append(({k.lower(): v for k, v in self.headers.items()}, body))
            status = result.statuses.pop(0) if len(result.statuses) > 1 else result.statuses[0]
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"http://127.0.0.1:{result.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as result.port:
        yield result
