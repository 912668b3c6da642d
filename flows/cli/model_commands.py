"""``magnetcast compare``: two runs or versions of the model side by side."""

from pathlib import Path
from typing import Annotated, Final

import pandas as pd
from cyclopts import Parameter

from flows.context.console import echo
from flows.context.output import write_result
from store.settings import Settings

SHOWN: Final = 5
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
    out: Annotated[Path | None, Parameter(help="Folder for tables and plots.")] = None,
) -> None:
    """Compare two runs or model versions: parameters that differ, and scores with significance.

    Both backtests are scored on the cells they share. p05 and p95 bound the difference, B less A,
    by a paired bootstrap; where 0 lies between them the difference is not significant.
    """
    from flows.training.compare_runs import compare_runs

    found = compare_runs(Settings(), run_a, run_b)
    for name, label in zip("AB", found.labels, strict=True):
        echo(f"compare   {name} is {label}")
    if found.choices.empty:
        echo("compare   no parameter and no fact that is kept differs")
    else:
        write_result(found.choices, out=None, form="table")
    shown = list(dict.fromkeys(found.scores["scope"]))[:SHOWN]
    write_result(
        _readable(found.scores.loc[found.scores["scope"].isin(shown)]), out=None, form="table"
    )
    if out is not None:
        echo(f"compare   wrote {', '.join(found.write(out))} into {out}")


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
