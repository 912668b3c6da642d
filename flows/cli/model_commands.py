"""``magnetcast train``, ``promote``, ``rollback`` and ``compare``: model versions."""

from pathlib import Path
from typing import Annotated, Final

import pandas as pd
from cyclopts import Parameter

from flows.cli.options import AsOf, Commodity, Form, Out, ParametersFile, Sets, moment
from flows.context.console import echo
from flows.context.output import write_result
from flows.context.parameter_sources import parameters_for
from flows.context.prefect_runs import in_prefect
from flows.context.run_config import config_of
from flows.context.stores import single_writer
from store.settings import Settings


def train(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    set: Sets = None,
    parameters: ParametersFile = None,
) -> None:
    """Train a model, register it and promote it to champion if it passes the gate.

    The model has the champion's parameters, changed by --set, unless --parameters names a file.
    """
    settings, as_of_time, config = Settings(), moment(as_of), config_of(commodity)
    values = parameters_for(settings, as_of_time, parameters, set or (), config=config).parameters
    from flows.context.workspace import open_workspace
    from flows.training.train import train as flow

    # Without data this fails before Prefect records a run.
    workspace = open_workspace(settings, as_of_time, config, parameters=values)

    def work() -> int:
        with single_writer(settings):
            return flow(workspace)

    in_prefect("train", work, home=settings.home, as_of=as_of_time, about=config.published_as)


def promote(
    version: Annotated[
        int | None, Parameter(help="Number of the version; the challenger if left out.")
    ] = None,
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    accept: Annotated[
        str | None,
        Parameter(
            help="Reason to promote a version that a rule refuses or that cannot be compared."
        ),
    ] = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Compare a challenger with the champion and promote it if every rule holds.

    The two are compared on the backtest cells they share. A challenger with other parameters must
    have a lower scaled quantile loss (95% bound of the difference below zero, errors clustered by
    cutoff and destination), one with the champion's parameters a loss at most 5% higher. A
    challenger that loses to a simple rule of its backtest beyond chance is refused, the first too.
    If nothing can be compared, a person decides with --accept. MLflow stores the decision and its
    evidence. The exit code is 1 if the challenger is refused.
    """
    from flows.training.promote import promote as flow
    from flows.training.promote import tell

    settings, as_of_time, config = Settings(), moment(as_of), config_of(commodity)
    with single_writer(settings):
        outcome = flow(settings, as_of_time, version, accept, config=config)
    write_result(outcome.decision.table, out=out, form=format)
    reason = "by the rules" if outcome.decision.is_passed else f"accepted: {accept}"
    tell(outcome, reason, config)
    if not outcome.is_champion:
        raise SystemExit(1)


def rollback(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    reason: Annotated[
        str, Parameter(help="Why; stored with the version that is withdrawn.")
    ] = "not given",
) -> None:
    """Make the previous champion publish again, from the next run on.

    It must load and make a forecast first; otherwise nothing is changed.
    """
    from flows.training.promote import rollback as flow

    settings, as_of_time, config = Settings(), moment(as_of), config_of(commodity)
    with single_writer(settings):
        champion, withdrawn = flow(settings, as_of_time, reason, config)
    echo(
        f"rollback  {config.prefix}version {champion.version} ({champion.model_version}) is "
        "champion again"
    )
    echo(f"rollback  version {withdrawn.version} was withdrawn: {withdrawn.rolled_back}")


_SHOWN: Final = 5
"""Scopes shown on the terminal; `--out` writes all."""

SHARES: Final = ("wape", "coverage80", "bias")
"""Metrics shown in percent."""

Which = Annotated[
    str,
    Parameter(help="Identifier of an MLflow run, its first letters, or the number of a version."),
]


def compare(
    run_a: Which,
    run_b: Which,
    /,
    *,
    commodity: Commodity = None,
    out: Annotated[Path | None, Parameter(help="CSV file for the scores of all scopes.")] = None,
) -> None:
    """Compare two runs or model versions: parameters that differ, and significance of scores.

    Both backtests are scored on the cells they share. p05 and p95 bound the difference B minus A,
    from errors clustered by cutoff and destination. The difference is not significant if 0 lies
    between them.
    """
    from flows.training.compare_runs import compare_runs

    comparison = compare_runs(Settings(), run_a, run_b, config_of(commodity))
    for name, label in zip("AB", comparison.labels, strict=True):
        echo(f"compare   {name} is {label}")
    if comparison.choices.empty:
        echo("compare   no parameter or stored fact differs")
    else:
        write_result(comparison.choices, out=None, form="table")
    shown = list(dict.fromkeys(comparison.scores["scope"]))[:_SHOWN]
    write_result(
        _readable(comparison.scores.loc[comparison.scores["scope"].isin(shown)]),
        out=None,
        form="table",
    )
    if out is not None:
        write_result(comparison.scores, out=out, form="csv")


def _readable(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores as text: shares in percent, the rest to three decimals."""
    is_share = scores["metric"].isin(SHARES)
    texts = {
        name: [
            "" if pd.isna(value) else f"{value:.1%}" if share else f"{value:.3f}"
            for value, share in zip(scores[name], is_share, strict=True)
        ]
        for name in ("A", "B", "difference", "p05", "p95")
    }
    return scores.assign(**texts)
