"""How good the forecasts of magnet exports were, replayed as they could be made at the time.

Writes magnets.md: the scores of all origins and by period of origin, and what was said of May 2025
on either side of the controls of 4 April 2025.
"""

import argparse
from collections.abc import Sequence

import page
import pandas as pd

from features.evidence_history import EvidenceHistory
from flows.cli.options import first_origin, moment
from models.evaluation.backtest import Backtest, backtest_evidence
from models.evaluation.scores import (
    GROUPED_SCOPES,
    HORIZON_GROUPS,
    LEAD_GROUPS,
    LEAD_SCOPES,
    group_label,
    group_scores,
    lead_scores,
    summarise,
)
from models.executor import Executor
from models.forecasting.decomposition import stages_of
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import BASE_MEDIAN, MODEL, REFERENCE, UNANSWERED
from models.forecasting.residual_history import TREES
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import MAGNETS_PRESET, ModelParameters
from models.policy.policy_effect import effect_at
from sources.bundled.all_tables import load_bundled
from store.months import month_label, month_number
from store.vocabulary import ALL

SCOPES = ("WLD", "USA", "ALL")
ORDER = (MODEL, UNANSWERED, TREES, BASE_MEDIAN, REFERENCE, "last_value", "drift")
PERIODS = {
    "all origins": ("2024-06", "2026-02"),
    "before the shock": ("2024-06", "2025-01"),
    "through it": ("2025-02", "2025-08"),
    "after it": ("2025-09", "2026-02"),
}
"""First and last month of the origins."""

STATED = {
    "wape": "{:.1%}", "mase": "{:.2f}", "sql": "{:.2f}", "coverage80": "{:.0%}",
    "value_added": "{:+.0%}",
}  # fmt: skip
ERAS = (
    ("2021-06", "2023-05"), ("2023-06", "2024-08"), ("2024-09", "2025-04"), ("2025-05", "2026-12"),
)  # fmt: skip
"""First and last month of the origins: calm years, a calm year, those whose targets the controls of
April 2025 met, and those after it."""

SHOCK_MONTHS = ("2025-04", "2025-05", "2025-06", "2025-07", "2025-08", "2025-09")
SHOCK_VIEWS = ("2025-04-01", "2025-04-10", "2025-06-25")
BUNDLED = ("observations", "policy_events", "tariff_steps", "analog_events")
SHOCK_SERIES = ("USA", "WLD")
BAND = ("p05", "p10", "p50", "p90", "p95")

INTRODUCTION = """
At the 25th of each month the evidence panel, the features and the model are made anew from what was
published by then; the months after are scored only where a level was published, horizons 1 to 6.
MASE and SQL (quantile loss over the seven published quantiles) are scaled by the mean absolute
seasonal difference up to the cutoff; value added is 1 - WAPE / WAPE of the seasonal naive. ALL
holds the destinations and the sums WLD and EU27, so tonnes count twice there. no_response is
magnetcast without the answer to controls that few months have felt
(docs/adr/0010-policy-response.md), made of the next two: lightgbm, the trees alone, and experts,
the middle of six statistical ones (docs/adr/0006-combination-for-magnets.md). Experts and baselines
get bands calibrated in the same way; all are made coherent like the model.
"""
LEAD_TEXT = """
Origins from {first} on, by *lead*: the months from that of the forecast to that forecast. A
horizon counts from the last month of the world that was published, so the first ones were over on
the day of the forecast: nowcasts. Error and loss; share of outcomes within the 80% band and number
of cells (shares below p10 and above p90); bias (sum of medians to sum of tonnes, less 1).
"""
LOSS_TEXT = """
Where a baseline, or a part of the model alone, had the smaller error (WAPE) or quantile loss (SQL);
the best of them is named:
"""
SHOCK_TEXT = """
What was said of the months from April 2025 on, each by a model trained on that day from what was
published by then: before the licence duty of 4 April, after it, and when its first two months were
out. *p50 before* is the forecast before controls that history does not show are answered.
"""


def scores_of(cells: pd.DataFrame, first: str, last: str) -> pd.DataFrame:
    """Return scores of the origins from one month to another, one row a model and scope."""
    month = cells["as_of"].dt.strftime("%Y-%m")
    counted = cells.loc[month.between(first, last)]
    long = summarise(counted, horizons=(1, 6))
    wide = long.pivot_table(index=["scope", "model", "cells"], columns="metric", values="value")
    wide = wide.reset_index().set_index(["scope", "model"])
    return wide.loc[[(scope, model) for scope in SCOPES for model in ORDER]].reset_index()


def scores_text(scores: pd.DataFrame) -> pd.DataFrame:
    text = scores[["scope", "model", "cells"]].copy()
    for name, form in STATED.items():
        text[name] = scores[name].map(form.format)
    return text


def lost(scores: pd.DataFrame, period: str) -> list[str]:
    """Say where a baseline or a part alone had the smaller error or quantile loss."""
    lines = []
    for scope, part in scores.groupby("scope", sort=False):
        for metric in ("wape", "sql"):
            value = part.set_index("model")[metric]
            best = str(value.drop(MODEL).idxmin())
            if value[MODEL] > value[best]:
                own, other = (STATED[metric].format(value[name]) for name in (MODEL, best))
                lines.append(f"- {scope}, {period}, {metric}: {own} against {other} of {best}")
    return lines


def score_lines(result: Backtest) -> list[str]:
    lines: list[str] = []
    losses: list[str] = []
    for period, (first, last) in PERIODS.items():
        scores = scores_of(result.cells, first, last)
        title = f"## {period.capitalize()} (origins {first} to {last})"
        lines += ["", title, *page.table(scores_text(scores))]
        losses += lost(scores, period)
    return [*lines, "## Where it loses", *page.prose(LOSS_TEXT), "", *(losses or ["- nowhere"])]


def group_lines(result: Backtest) -> list[str]:
    """Return error and loss by horizon, a row a scope and model."""
    scores = group_scores(result.cells)
    rows = []
    for scope in GROUPED_SCOPES:
        for model in ORDER:
            part = scores.loc[scores["scope"].eq(scope) & scores["model"].eq(model)]
            value = part.set_index(["horizon_from", "metric"])["value"]
            row = {"scope": scope, "model": model}
            for low, high in HORIZON_GROUPS:
                row[f"{low}-{high}"] = f"{value[low, 'wape']:.1%}, {value[low, 'sql']:.2f}"
            rows.append(row)
    counts = scores.loc[scores["scope"].eq("ALL") & scores["model"].eq(MODEL)]
    cells = counts.groupby("horizon_from")["cells"].max().tolist()
    note = f"Error and loss by horizon; of all, {cells} cells."
    return ["", "## By horizon", *page.prose(note), *page.table(pd.DataFrame(rows))]


def lead_lines(result: Backtest) -> list[str]:
    """Return the scores by lead, a row a scope and model, and by era of origins."""
    first = result.cells["as_of"].min()
    lines = ["", "## By lead", *page.prose(LEAD_TEXT.format(first=f"{first:%B %Y}"))]
    lines += page.table(lead_table(result.cells, LEAD_SCOPES))
    if first >= pd.Timestamp(ERAS[1][0], tz="UTC"):
        return lines
    month, eras = result.cells["as_of"].dt.strftime("%Y-%m"), []
    for start, end in ERAS:
        table = lead_table(result.cells.loc[month.between(start, end)], [ALL])
        eras.append(table.assign(scope=f"{start} to {end}").rename(columns={"scope": "origins"}))
    return [*lines, "", "## By lead and era of origins", *page.table(pd.concat(eras))]


def lead_table(cells: pd.DataFrame, scopes: Sequence[str]) -> pd.DataFrame:
    scores = lead_scores(cells)
    text = scores.apply(lead_text, axis=1)
    group = scores["horizon_to"].map({last: group_label(low, last) for low, last in LEAD_GROUPS})
    table = scores.assign(text=text, group=group)
    wide = table.set_index(["scope", "model", "group"])["text"].unstack(fill_value="")  # noqa: PD010
    names = [group_label(*one) for one in LEAD_GROUPS if group_label(*one) in wide]
    rows = [(scope, model) for scope in scopes for model in ORDER if (scope, model) in wide.index]
    return wide.loc[rows, names].rename(columns={"over": "months over"}).reset_index()


def lead_text(score: "pd.Series[float]") -> str:
    return (
        f"{score['wape']:.1%}, {score['sql']:.2f}; {score['coverage80']:.0%} of "
        f"{score['cells']:.0f} ({score['below10']:.0%}, {score['above90']:.0%}); "
        f"{score['bias']:+.0%}"
    )


def forecast(
    history: EvidenceHistory, as_of: pd.Timestamp, parameters: ModelParameters
) -> pd.DataFrame:
    """Return features and forecast of every series and month, as `magnetcast predict` does."""
    origin = history.origin(as_of)
    rows = rows_of(origin)
    residuals = backtest_evidence(history, as_of, parameters=parameters).residuals
    trained = EvidenceForecaster(parameters, residuals).train(Snapshot.of_evidence(history, as_of))
    stages = stages_of(trained, rows, origin, effect_at(origin, history.analogs(as_of)))
    before = stages.coherent["p50"].rename("p50 before")
    cutoff = pd.Series(month_label(origin.cutoff), index=rows.index, name="cutoff")
    return pd.concat([rows, cutoff, before, stages.published], axis=1)


def shock_text(
    history: EvidenceHistory, now: pd.Timestamp, parameters: ModelParameters
) -> pd.DataFrame:
    made = {day: forecast(history, moment(day), parameters) for day in SHOCK_VIEWS}
    rows = [
        shock_row(history, now, made[day].assign(day=day), name=name, month=month)
        for name in SHOCK_SERIES
        for day in SHOCK_VIEWS
        for month in SHOCK_MONTHS
        if month > made[day]["cutoff"].iloc[0]
    ]
    return pd.DataFrame(rows)


def shock_row(
    history: EvidenceHistory, now: pd.Timestamp, made: pd.DataFrame, *, name: str, month: str
) -> dict[str, str]:
    known = history.origin(now)
    truth = known.tonnes[known.series.index(name), month_number(month) - known.first]
    wanted = (made["destination"] == name) & (made["period"] == pd.Timestamp(month))
    cell = made.loc[wanted].iloc[0]
    within = cell["p05"] <= truth <= cell["p95"]
    return {
        "destination": name,
        "as of": cell["day"],
        "month": month,
        "p50 before": f"{cell['p50 before']:,.0f}",
        **{column: f"{cell[column]:,.0f}" for column in BAND},
        "truth t": f"{truth:,.0f}",
        "within 90%": "yes" if within else "**no**",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", default="2026-11-24", help="day whose facts are known (UTC)")
    parser.add_argument(
        "--since", help="month of the first scored origin, e.g. 2021-06: only leads"
    )
    chosen = parser.parse_args()
    as_of = moment(chosen.as_of)
    since = first_origin(chosen.since, as_of)
    parameters = MAGNETS_PRESET
    batch = load_bundled(page.DATA)
    history = EvidenceHistory(*(batch.frame(name) for name in BUNDLED))
    result = backtest_evidence(
        history, as_of, parameters=parameters, since=since, executor=Executor(page.track)
    )
    if since is not None:
        print("\n".join(lead_lines(result)))
        return
    lines = page.heading(
        "Magnet exports: forecasts replayed",
        f"python benchmarks/magnets.py --as-of {chosen.as_of}",
        f"Data: the bundled facts as known on {chosen.as_of}. "
        f"Parameters of the model: {parameters.digest}.",
    )
    lines += page.prose(INTRODUCTION)
    lines += lead_lines(result) + score_lines(result) + group_lines(result)
    lines += ["", "## The shock of 2025", *page.prose(SHOCK_TEXT)]
    lines += page.table(shock_text(history, as_of, parameters))
    page.write("magnets.md", lines)


if __name__ == "__main__":
    main()
