"""``magnetcast train``, ``promote`` and ``rollback``: which model publishes."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.options import AsOf, Form, Out, moment
from flows.context.console import echo
from flows.context.output import write_result
from store.settings import Settings


def train(
    *,
    as_of: AsOf = None,
    tune: Annotated[
        int | None, Parameter(help="Instead tune the panel engine, with this many trials.")
    ] = None,
    panel: Annotated[
        str | None,
        Parameter(help="Panels to tune on, FILE[,FILE...]; the evidence panel if left out."),
    ] = None,
    before: Annotated[
        str | None,
        Parameter(help="Last month tuned on, for all panels or each; their own if left out."),
    ] = None,
    horizon: Annotated[
        str, Parameter(help="Months to forecast when tuning, for all panels or each.")
    ] = "6",
    out: Annotated[
        Path | None, Parameter(help="JSON file for the tuned choices; stdout if left out.")
    ] = None,
) -> None:
    """Train a model, register it and promote it to champion if it passes the gate.

    With --tune or --panel the panel engine's settings are tuned on early months of panels instead;
    nothing is registered.
    """
    settings, stand = Settings(), moment(as_of)
    if tune is not None or panel is not None:
        from flows.panels.tune import TRIALS, TuningRequest, evidence_file, tune_files

        files = panel or str(evidence_file(settings, stand))
        trials = TRIALS if tune is None else tune
        tune_files(settings, TuningRequest(trials, files, before, horizon), out=out)
        return
    from flows.context.stores import single_writer
    from flows.training.train import train as flow

    with single_writer(settings):
        flow(settings, stand)


def promote(
    version: Annotated[
        int | None, Parameter(help="Number of the version; the challenger if left out.")
    ] = None,
    *,
    as_of: AsOf = None,
    shadow: Annotated[
        bool, Parameter(help="Require that a new recipe ran in shadow for one release.")
    ] = True,
    force: Annotated[bool, Parameter(help="Promote even if a rule fails.")] = False,
    reason: Annotated[str, Parameter(help="Why; kept with the decision.")] = "",
    out: Out = None,
    format: Form = "table",  # noqa: A002 - the option's name
) -> None:
    """Compare a challenger with the champion and promote it if every rule holds.

    The decision and its evidence are kept in MLflow. The exit code is 1 if it is refused.
    """
    from flows.context.stores import single_writer
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
    """Make the previous champion publish again, from the next run on."""
    from flows.context.stores import single_writer
    from flows.training.promote import rollback as flow

    settings, stand = Settings(), moment(as_of)
    with single_writer(settings):
        now, bad = flow(settings, stand, reason)
    echo(f"rollback  version {now.version} ({now.model_version}) is champion again")
    echo(f"rollback  version {bad.version} was taken back: {bad.rolled_back}")
