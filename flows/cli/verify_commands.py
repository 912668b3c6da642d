"""Checking that neither the audit trail nor a release was changed."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from flows.context.console import echo
from flows.context.stores import store_to_read
from store.errors import DataError
from store.planning.audit_chain import ChainHead, chain_damage, chain_head
from store.settings import Settings

audit = App(name="audit")


@audit.command
def verify(
    *,
    head: Annotated[
        str | None,
        Parameter(help="NUMBER:SHA256 noted by a backup or a report; the trail must hold it."),
    ] = None,
) -> None:
    """Check that no row of the audit trail was changed or removed, and print its head."""
    known = None if head is None else ChainHead.read(head)
    with store_to_read(Settings()) as engine:
        if damage := chain_damage(engine, known):
            raise DataError(
                f"{damage[0].upper()}{damage[1:]}. Expected rows that only grow. Keep a copy of "
                "the database, and compare it with the last archive of `magnetcast backup`."
            )
        echo(f"audit     the trail is whole; its head is {chain_head(engine)}")


def verify_release(
    file: Annotated[Path, Parameter(help="Wheel, sdist or another file of a release.")],
    /,
    *,
    key: Annotated[Path, Parameter(help="The releaser's public key, from the release notes.")],
) -> None:
    """Check that a file is the one the releaser signed, by SHA256SUMS in its folder."""
    from flows.operations.release import verify_release as verified

    echo(f"release   {file.name} is as the releaser signed it: {verified(file, key)}")
