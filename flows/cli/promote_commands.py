"""The commands that decide which model publishes."""

from typing import Annotated

from cyclopts import Parameter

from flows.cli.app import AsOf, Form, Out, moment
from flows.cli.output import write_result
from flows.context.console import say
from store.settings import Settings


def promote(
    version: Annotated[
        int | None, Parameter(help="Number of the version; the challenger if left out.")
    ] = None,
    *,
    as_of: AsOf = None,
    shadow: Annotated[
        bool, Parameter(help="Ask that a new recipe was in shadow for one release.")
    ] = True,
    force: Annotated[bool, Parameter(help="Promote whatever the rules say.")] = False,
    reason: Annotated[str, Parameter(help="Why; kept with the decision.")] = "",
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """Compare a challenger with the champion and let it publish if every rule holds.

    Decision and evidence are kept in MLflow. Exit code 1 if it is refused.
    """
    from flows.context.workspace import single_writer
    from flows.training.promote import PromotionRequest, tell
    from flows.training.promote import promote as flow

    settings, stand = Settings(), moment(as_of)
    with single_writer(settings):
        found = flow(settings, stand, version, PromotionRequest(shadow, force, reason))
    write_result(found.decision.table, out=out, form=format)
    tell(found, f"forced: {reason}" if found.decision.broken else "all rules held")
    if not found.is_champion:
        raise SystemExit(1)


def rollback(
    *,
    as_of: AsOf = None,
    reason: Annotated[str, Parameter(help="Why; kept with the model taken back.")] = "not told",
) -> None:
    """Let the champion before this one publish again; the next run publishes with it."""
    from flows.context.workspace import single_writer
    from flows.training.promote import rollback as flow

    settings, stand = Settings(), moment(as_of)
    with single_writer(settings):
        now, bad = flow(settings, stand, reason)
    say(f"rollback  version {now.version} ({now.model_version}) is champion again")
    say(f"rollback  version {bad.version} was taken back: {bad.rolled_back}")
