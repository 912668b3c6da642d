"""``magnetcast train``, ``promote``, ``rollback`` and ``compare``: versions of the model."""

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
from store.errors import DataError
from store.settings import Settings


def train(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    set: Sets = None,
    parameters: ParametersFile = None,
    tune: Annotated[
        int | None, Parameter(help="Instead search for better parameters, with this many trials.")
    ] = None,
    out: Annotated[
        Path | None, Parameter(help="JSON file for the tuned parameters; stdout if left out.")
    ] = None,
) -> None:
    """Train a model, register it and promote it to champion if it passes the gate.

    It has the parameters of the champion, changed by --set, unless --parameters names a file.
    --tune searches for better ones instead, on the origins of the backtest up to a year ago, and
    registers nothing.
    """
    settings, as_of_time, config = Settings(), moment(as_of), config_of(commodity)
    chosen = parameters_for(settings, as_of_time, parameters, set or (), config=config).parameters
    if tune is not None:
        if commodity is not None:
            raise DataError(
                f"--tune does not search for {commodity}. Expected the magnets. Leave one out."
            )
        from flows.tune import tune_magnets

        tune_magnets(settings, as_of_time, tune, chosen, out=out)
        return
    from flows.context.workspace import workspace_of
    from flows.training.train import train as flow

    known = workspace_of(
        settings, as_of_time, config, parameters=chosen
    )  # Prefect keeps no run without data

    def work() -> int:
        with single_writer(settings):
            return flow(known)

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
        Parameter(help="Promote what a rule refuses or nothing could be compared with; say why."),
    ] = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Compare a challenger with the champion and promote it if every rule holds.

    Where nothing of the champion is kept to compare with, a person decides with --accept. The
    decision and its evidence are kept in MLflow. The exit code is 1 if it is refused.
    """
    from flows.training.promote import promote as flow
    from flows.training.promote import tell

    settings, as_of_time, config = Settings(), moment(as_of), config_of(commodity)
    with single_writer(settings):
        found = flow(settings, as_of_time, version, accept, config=config)
    write_result(found.decision.table, out=out, form=format)
    how = "by the rules" if found.decision.is_passed else f"accepted: {accept}"
    tell(found, how, config)
    if not found.is_champion:
        raise SystemExit(1)


def rollback(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    reason: Annotated[str, Parameter(help="Why; kept with the model taken back.")] = "not given",
) -> None:
    """Make the previous champion publish again, from the next run on.

    It is loaded and asked for a forecast first; if it cannot make one, nothing is changed.
    """
    from flows.training.promote import rollback as flow

    settings, as_of_time, config = Settings(), moment(as_of), config_of(commodity)
    with single_writer(settings):
        now, bad = flow(settings, as_of_time, reason, config)
    echo(f"rollback  {config.prefix}version {now.version} ({now.model_version}) is champion again")
    echo(f"rollback  version {bad.version} was taken back: {bad.rolled_back}")


_SHOWN: Final = 5
"""Scopes shown on the terminal; `--out` has all."""

SHARES: Final = ("wape", "coverage80")
"""Metrics shown in percent."""

Which = Annotated[
    str, Parameter(help="Identifier of an MLflow run, how it begins, or the number of a version.")
]


def compare(
    run_a: Which,
    run_b: Which,
    /,
    *,
    commodity: Commodity = None,
    out: Annotated[Path | None, Parameter(help="CSV file for the scores of all scopes.")] = None,
) -> None:
    """Compare two runs or model versions: parameters that differ, and scores with significance.

    Both backtests are scored on the cells they share. p05 and p95 bound the difference, B less A,
    by errors clustered by cutoff and destination; where 0 lies between them the difference is not
    significant.
    """
    from flows.training.compare_runs import compare_runs

    found = compare_runs(Settings(), run_a, run_b, config_of(commodity))
    for name, label in zip("AB", found.labels, strict=True):
        echo(f"compare   {name} is {label}")
    if found.choices.empty:
        echo("compare   no parameter and no fact that is kept differs")
    else:
        write_result(found.choices, out=None, form="table")
    shown = list(dict.fromkeys(found.scores["scope"]))[:_SHOWN]
    write_result(
        _readable(found.scores.loc[found.scores["scope"].isin(shown)]), out=None, form="table"
    )
    if out is not None:
        write_result(found.scores, out=out, form="csv")


def _readable(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores as people read them: shares in percent, the rest to three decimals."""
    is_share = scores["metric"].isin(SHARES)
    texts = {
        name: [
            "" if pd.isna(value) else f"{value:.1%}" if share else f"{value:.3f}"
            for value, share in zip(scores[name], is_share, strict=True)
        ]
        for name in ("A", "B", "difference", "p05", "p95")
    }
    return scores.assign(**texts)
