"""Verbs that run magnetcast: servers, tokens, status, backup and pruning."""

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

    All listen on the loopback interface; their ports are settings.
    """
    from flows.up import up as run

    run(Settings())


def status() -> None:
    """Show system status; exit code 0 if fine, 1 if stale or degraded, 2 if broken."""
    from flows.monitoring.system_health import examine, status_lines

    settings = Settings()
    health = examine(settings, utc_now())
    first, *lines = status_lines(health)
    home = f"Home: {settings.home} ({settings.home_source})."
    prefect = f"Prefect: {server_of(settings.home)}"
    sys.stdout.write("\n".join([first, home, prefect, *lines]) + "\n")
    sys.exit(health.code)


def backup(file: Annotated[Path, Parameter(help="Archive to write: NAME.tar.gz.")], /) -> None:
    """Copy database, MLflow and reports into one archive.

    The service continues; the backup waits for a run in progress. It does not contain a PostgreSQL
    database, which pg_dump copies.
    """
    from flows.backup import back_up

    digest, count = back_up(Settings(), file)
    echo(f"backup    {file}: {count} files, {file.stat().st_size:,} bytes, sha256 {digest}")


def restore(
    file: Annotated[Path, Parameter(help="Archive written by `magnetcast backup`.")], /
) -> None:
    """Unpack an archive into an empty home (--home). Restore only archives of your own."""
    from flows.backup import restore as put_back

    settings = Settings()
    manifest = put_back(settings, file)
    echo(
        f"restore   {settings.home}: state of {manifest['created_at']}, "
        f"last forecast {manifest['as_of'] or 'none'}"
    )


def prune(
    *,
    keep_days: Annotated[
        int,
        Parameter(
            help="Age in days at which raw answers are deleted.",
            validator=Number(gte=0, lte=36_500),
        ),
    ] = KEEP_DAYS,
    dry_run: Annotated[
        bool, Parameter(help="Show files without deleting them.", negative=())
    ] = False,
) -> None:
    """Delete old raw answers of providers.

    Runs in MLflow are not deleted; a year of them takes about 100 MB.
    """
    from flows.backup import prune as let_go

    answers, size = let_go(Settings(), utc_now(), keep_days=keep_days, dry_run=dry_run)
    word = "would be deleted" if dry_run else "deleted"
    echo(f"prune     {len(answers)} files of raw answers ({size:,} bytes): {word}")


SWITCH_S: Final = 0.0005
"""Seconds that a thread drawing charts may block the event loop."""

token = App(name="token")


def serve(
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on; 0 takes a free one.")] = 8510,
) -> None:
    """Serve the planners' pages and the API until interrupted.

    Pages show a new publication within two seconds, without a restart. An address that other
    machines can reach needs a proxy (`MAGNETCAST_PROXIES`) and a token (`magnetcast token create`).
    """
    gc.disable()  # saves a fifth of the start: imports leave no garbage
    import uvicorn

    from features.build import DRIVER_MEANINGS
    from flows.analysis.served_scenarios import what_if
    from flows.up import listening_socket, shown
    from service.app import create_app
    from service.http.limits import server_config
    from service.live.live_publication import LivePublication
    from service.queries.needs import shipping_days
    from service.state import Rules
    from store.planning.audit import scopes_in_force

    settings = Settings()
    engine = made_store(settings)
    private = is_loopback(host)
    if not private and not settings.proxies:
        raise DataError(
            f"--host {host} can be reached by other machines and needs a proxy. Expected a "
            "loopback address, or MAGNETCAST_PROXIES with the address of a proxy as in deploy/, "
            "which limits connections and terminates TLS. Set it up first."
        )
    if not private and not scopes_in_force(engine, utc_now()):
        raise DataError(
            f"--host {host} can be reached by other machines and needs a token. "
            "Expected a loopback address such as 127.0.0.1, or a valid token. "
            "Run `magnetcast token create NAME` first."
        )
    rules = Rules(
        open_reads=private if settings.open_reads is None else settings.open_reads,
        max_body_bytes=settings.max_body_bytes,
        names=frozenset(settings.public_names.lower().replace(",", " ").split()),
        contact=settings.contact,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    live = LivePublication(
        engine, DRIVER_MEANINGS, clock=utc_now, refresh_s=settings.refresh_s,
        shipping=shipping_days(settings.shipping_days),
    )  # fmt: skip
    app = create_app(live, rules, what_if=what_if(settings), examine=partial(_health, settings))
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    gc.enable()
    # uvicorn stops cleanly on Ctrl-C and then raises KeyboardInterrupt again.
    with listening_socket(host, port) as listener, contextlib.suppress(KeyboardInterrupt):
        echo(f"serve     http://{shown(listener)}/ (API: /api/v1/openapi.json); stop with Ctrl-C")
        uvicorn.Server(server_config(app, settings.proxies)).run(sockets=[listener])


def _health(settings: Settings, moment: "pd.Timestamp") -> "HealthReport":
    from flows.monitoring.system_health import examine

    return examine(settings, moment)


@token.command
def create(
    name: Annotated[str, Parameter(help="Owner or purpose of the token.")],
    /,
    *,
    scope: Annotated[
        tuple[Scope, ...], Parameter(help="Permission; write includes read. Repeatable.")
    ] = ("read",),
    days: Annotated[int, Parameter(help="Days until the token expires.")] = DAYS,
) -> None:
    """Create a token and print it once; only its digest is stored."""
    from flows.context.provenance import actor

    engine, creator = made_store(Settings()), actor()
    secret = create_token(engine, name=name, scopes=scope, at=utc_now(), actor=creator, days=days)
    echo(f"token     {name}: save it now, it cannot be shown again")
    sys.stdout.write(f"{secret}\n")


@token.command(name="list")
def list_tokens(*, out: Out = None, format: Form = "table") -> None:
    """List all tokens with the days they expire or were revoked."""
    write_result(readable(read_tokens(store_of(Settings())), format, out), out=out, form=format)


@token.command
def revoke(
    number: Annotated[
        int, Parameter(help="Number of the token; see `magnetcast token list`.", show_default=False)
    ],
    /,
) -> None:
    """Revoke a token; a running service refuses it within two seconds."""
    from flows.context.provenance import actor

    revoke_token(store_of(Settings()), number, at=utc_now(), actor=actor())
    echo(f"token     {number} is revoked")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
