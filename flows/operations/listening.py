"""Sockets that servers of this machine listen at."""

import contextlib
import socket
from typing import Final

from store.errors import DataError

LOOPBACK: Final = "127.0.0.1"
"""Nothing that listens here checks who calls; other machines must not reach it."""

WAITING: Final = 512
"""Callers that may wait for an answer."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address: who calls early waits until there is an answer.

    Raises:
        DataError: It is no address of this machine, or it is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as opened:
            listener = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(WAITING)
            opened.pop_all()
    except OSError as err:
        raise DataError(
            f"Cannot bind to {host}:{port} ({err}). Expected an address of this machine with a "
            "free port. Choose another --port, or end what uses it."
        ) from err
    return listener


def shown(listener: socket.socket) -> str:
    """Return the address of a socket as part of a web address."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
