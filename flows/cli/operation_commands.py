"""Running magnetcast: its servers, the service and its tokens, status, backup and pruning."""

import contextlib
import gc
import ipaddress
import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter
from cyclopts.validators import Number

from flows.backup import KEEP_DAYS
from flows.cli.options import Form, Out
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.output import readable, write_result
from flows.context.prefect_runs import server_of
from flows.context.stores import made_store, store_of
from store.errors import DataError
from store.planning.audit import DAYS, Scope, create_token, read_tokens, revoke_token
from store.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from models.monitoring import HealthReport


def up() -> None:
    """Run Prefect's server, its schedule and the service on this machine until Ctrl-C.

    All listen on the loopback only; ports are settings.
    """
    from flows.up import up as run

    run(Settings())


def status() -> None:
    """Show system status; exit code 0 if fine, 1 if stale or degraded, 2 if broken."""
    from flows.monitoring.health import examine, status_lines

    settings = Settings()
    health = examine(settings, utc_now())
    first, *others = status_lines(health)
    home = f"Home: {settings.home} ({settings.home_source})."
    prefect = f"Prefect: {server_of(settings.home)}"
    sys.stdout.write("\n".join([first, home, prefect, *others]) + "\n")
    sys.exit(health.code)


def backup(
    file: Annotated[Path, Parameter(help="The archive: NAME.tar.gz.")],
    /,
) -> None:
    """Copy database, MLflow and reports into one archive.

    Readers and the service go on; a run in progress is waited for. A database on PostgreSQL is not
    in it: pg_dump copies it.
    """
    from flows.backup import back_up

    digest, count = back_up(Settings(), file)
    echo(f"backup    {file}: {count} files, {file.stat().st_size:,} bytes, sha256 {digest}")


def restore(
    file: Annotated[Path, Parameter(help="An archive that `magnetcast backup` wrote.")],
    /,
) -> None:
    """Put an archive into an empty home; --home names one. Restore only archives of your own."""
    from flows.backup import restore as put_back

    settings = Settings()
    manifest = put_back(settings, file)
    echo(
        f"restore   {settings.home}: the state of {manifest['created_at']}, "
        f"last forecast {manifest['as_of'] or 'none'}"
    )


def prune(
    *,
    keep_days: Annotated[
        int,
        Parameter(help="Keep raw answers younger than this.", validator=Number(gte=0, lte=36_500)),
    ] = KEEP_DAYS,
    dry_run: Annotated[
        bool, Parameter(help="Only show what would be deleted.", negative=())
    ] = False,
) -> None:
    """Delete old raw answers of providers.

    Runs in MLflow stay: a year of them takes some 100 MB.
    """
    from flows.backup import prune as let_go

    answers, size = let_go(Settings(), utc_now(), keep_days=keep_days, dry_run=dry_run)
    word = "would be deleted" if dry_run else "deleted"
    echo(f"prune     {len(answers)} files of raw answers ({size:,} bytes): {word}")


SWITCH_S: Final = 0.0005
"""Seconds a thread that draws may keep the loop that answers waiting."""

token = App(name="token")


def serve(
    *,
    host: Annotated[str, Parameter(help="Address to bind to.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to bind to; 0 takes a free one.")] = 8510,
) -> None:
    """Serve the planners' pages and the API until interrupted.

    A new publication is shown within a second or two, without a restart. An address that other
    machines can reach is refused unless a proxy is in front (`MAGNETCAST_PROXIES`) and there is a
    token (`magnetcast token create`).
    """
    gc.disable()  # a fifth of the start: of what is imported nothing is garbage
    import uvicorn

    from features.build import DRIVER_MEANINGS
    from flows.analysis.served_scenarios import what_if
    from flows.up import listening_socket, shown
    from service.app import create_app
    from service.http.limits import server_config
    from service.live.live import LivePublication
    from service.queries.needs import shipping_days
    from service.state import Rules
    from store.planning.audit import scopes_in_force

    settings = Settings()
    engine = made_store(settings)
    private = is_loopback(host)
    if not private and not settings.proxies:
        raise DataError(
            f"--host {host} can be reached by other machines, and no proxy is in front. Expected a "
            "loopback address, or MAGNETCAST_PROXIES with the address of a proxy as in deploy/, "
            "which limits connections and ends TLS. Set it up first."
        )
    if not private and not scopes_in_force(engine, utc_now()):
        raise DataError(
            f"--host {host} can be reached by other machines, and there is no token in force. "
            "Expected a loopback address such as 127.0.0.1, or a token. "
            "Run `magnetcast token create NAME` first."
        )
    rules = Rules(
        open_reads=private if settings.open_reads is None else settings.open_reads,
        max_body_bytes=settings.max_body_bytes,
        names=frozenset(settings.public_names.lower().replace(",", " ").split()),
        shipping=shipping_days(settings.shipping_days),
        contact=settings.contact,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    live = LivePublication(engine, DRIVER_MEANINGS, clock=utc_now, refresh_s=settings.refresh_s)
    app = create_app(live, rules, what_if=what_if(settings), examine=partial(_health, settings))
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    gc.enable()
    # uvicorn ends well on Ctrl-C and then raises it once more.
    with listening_socket(host, port) as listener, contextlib.suppress(KeyboardInterrupt):
        echo(f"serve     http://{shown(listener)}/ (API: /api/v1/openapi.json); end with Ctrl-C")
        uvicorn.Server(server_config(app, settings.proxies)).run(sockets=[listener])


def _health(settings: Settings, now: "pd.Timestamp") -> "HealthReport":
    from flows.monitoring.health import examine

    return examine(settings, now)


@token.command
def create(
    name: Annotated[str, Parameter(help="Owner or purpose.")],
    /,
    *,
    scope: Annotated[
        tuple[Scope, ...], Parameter(help="What it allows; write includes read. Repeatable.")
    ] = ("read",),
    days: Annotated[int, Parameter(help="Days until it expires.")] = DAYS,
) -> None:
    """Create a token and print it, this once; only its digest is stored."""
    from flows.context.provenance import actor

    engine, who = made_store(Settings()), actor()
    made = create_token(engine, name=name, scopes=scope, at=utc_now(), actor=who, days=days)
    echo(f"token     {name}: keep it now, it cannot be shown again")
    sys.stdout.write(f"{made}\n")


@token.command(name="list")
def list_tokens(*, out: Out = None, format: Form = "table") -> None:
    """List all tokens, and when they expire or were revoked."""
    write_result(readable(read_tokens(store_of(Settings())), format, out), out=out, form=format)


@token.command
def revoke(
    number: Annotated[
        int, Parameter(help="The token's number; see `magnetcast token list`.", show_default=False)
    ],
    /,
) -> None:
    """Revoke a token; a running service follows within a second or two."""
    from flows.context.provenance import actor

    revoke_token(store_of(Settings()), number, at=utc_now(), actor=actor())
    echo(f"token     {number} is revoked")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
