"""``magnetcast serve``: the planners' page and the API."""

import contextlib
import ipaddress
import logging
import socket
import sys
from typing import Annotated, Final

from cyclopts import Parameter

from flows.context.console import say
from store.errors import DataError
from store.settings import Settings

SWITCH_S: Final = 0.0005
"""Seconds a thread that draws may keep the loop that answers waiting."""

WAITING: Final = 512
"""Callers that may wait for an answer."""

ENDING_S: Final = 5
"""Seconds that requests under way may take when the service ends."""


def serve(
    *,
    host: Annotated[str, Parameter(help="Address to bind to.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to bind to; 0 takes a free one.")] = 8510,
) -> None:
    """Serve the planners' page and the API over what is published, until interrupted.

    A new publication is shown within a second or two, without a restart. Addresses other machines
    can reach are refused unless there is a token (`magnetcast token create`).
    """
    import uvicorn

    from flows.analysis.explanation_inputs import knowledge
    from flows.analysis.scenario_answers import what_if
    from flows.clock import utc_now
    from flows.context.stores import store_of
    from flows.monitoring.condition import examiner
    from service.app import Rules, create_app
    from service.live.live import LivePublication
    from service.planning.webhooks import WebhookPolicy, networks_of
    from service.security.hosts import AllowedHosts, names_of
    from store.planning.tokens import scopes_in_force

    settings = Settings()
    engine = store_of(settings)
    private = is_loopback(host)
    if not private and not scopes_in_force(engine):
        raise DataError(
            f"--host {host} can be reached by other machines, and there is no token in force. "
            "Expected a loopback address such as 127.0.0.1, or a token. "
            "Run `magnetcast token create NAME` first."
        )
    rules = Rules(
        open_reads=private if settings.open_reads is None else settings.open_reads,
        max_body_bytes=settings.max_body_bytes,
        requests_per_s=settings.requests_per_s,
        hooks=WebhookPolicy(
            settings.alert_key.get_secret_value(), networks_of(settings.alert_networks)
        ),
        hosts=AllowedHosts(names_of(settings.public_names), any_address=not private),
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    live = LivePublication(engine, knowledge(), clock=utc_now, refresh_s=settings.refresh_s)
    config = uvicorn.Config(
        create_app(live, rules, what_if=what_if(settings), examine=examiner(settings)),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=ENDING_S,
    )
    sys.setswitchinterval(SWITCH_S)
    # uvicorn ends well on Ctrl-C and then raises it once more.
    with bound(host, port) as listener, contextlib.suppress(KeyboardInterrupt):
        say(f"serve     http://{shown(listener)}/ (API: /api/v1/openapi.json); end with Ctrl-C")
        uvicorn.Server(config).run(sockets=[listener])


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bound(host: str, port: int) -> socket.socket:
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
