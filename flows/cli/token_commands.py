"""``magnetcast token``: who may read the service from afar, and who may write to it."""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from flows.cli.app import Form, Out
from flows.cli.output import write_result
from flows.cli.vintage_commands import readable
from flows.clock import utc_now
from flows.context.actor import actor
from flows.context.console import say
from flows.context.stores import store_of
from store.planning.tokens import Scope, create_token, read_tokens, revoke_token
from store.settings import Settings

token = App(name="token", help="Make, list or revoke tokens of the service.")


@token.command
def create(
    name: Annotated[str, Parameter(help="Whose it is or what for.")],
    /,
    *,
    scope: Annotated[
        tuple[Scope, ...], Parameter(help="What it allows; write includes read. Repeatable.")
    ] = ("read",),
) -> None:
    """Make a token and print it to stdout, this once; only its digest is kept."""
    engine, who = store_of(Settings()), actor()
    made = create_token(engine, name=name, scopes=scope, at=utc_now(), actor=who)
    say(f"token     {name}: keep it now, it cannot be shown again")
    sys.stdout.write(f"{made}\n")


@token.command(name="list")
def list_tokens(*, out: Out = None, format: Form = "table") -> None:  # noqa: A002 - the option's name
    """List the tokens ever made and when they were revoked."""
    write_result(readable(read_tokens(store_of(Settings())), format), out=out, form=format)


@token.command
def revoke(
    number: Annotated[
        int, Parameter(help="The token's number; see `magnetcast token list`.", show_default=False)
    ],
    /,
) -> None:
    """Revoke a token; a running service follows within a second or two."""
    revoke_token(store_of(Settings()), number, at=utc_now(), actor=actor())
    say(f"token     {number} is revoked")
