"""The verb that serves; it imports little, since a reader waits for its start."""

import ipaddress
from typing import Annotated, Final

from cyclopts import Parameter

from flows.context.console import echo
from store.errors import DataError
from store.settings import Settings


def serve(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8510,
) -> None:
    """Serve the site, what-if and the stock question until interrupted; it writes nothing.

    An address that other machines can reach needs a proxy (`MAGNETCAST_PROXIES`), as in deploy/.
    """
    import contextlib

    import uvicorn

    from flows.serving import app_of, listening_socket, shown

    settings = Settings()
    if not is_loopback(host) and not settings.proxies:
        raise DataError(
            f"--host {host} can be reached by other machines and needs a proxy. Expected a "
            "loopback address, or MAGNETCAST_PROXIES with the address of a proxy as in deploy/, "
            "which limits connections and terminates TLS. Set it up first."
        )
    config = uvicorn.Config(
        app_of(settings),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=settings.proxies,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=ENDING_S,
    )
    # uvicorn stops cleanly on Ctrl-C and then raises KeyboardInterrupt again.
    with listening_socket(host, port) as listener, contextlib.suppress(KeyboardInterrupt):
        echo(f"serve     http://{shown(listener)}/ (stop with Ctrl-C)")
        uvicorn.Server(config).run(sockets=[listener])


ENDING_S: Final = 5
"""Seconds that running answers may still take at shutdown."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
