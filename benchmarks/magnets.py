"""How good the forecasts of magnet exports were, replayed as they could be made at the time.

Writes magnets.md, the scores by lead over five years and over the window of `magnetcast run`, and
the rows that README.md, docs/accuracy.md and beat_us/README.md quote of it. AutoETS is scored where
MAGNETCAST_PEERS names the Python of an environment of peers.txt, as `make bench-magnets` does.
"""

import argparse
import os
import re
import subprocess
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import page
import pandas as pd
from known_cells import known_cells

from features.evidence_history import EvidenceHistory
from features.origin import Origin
from flows.cli.options import first_origin, moment
from models.evaluation.backtest import Backtest, backtest_evidence
from models.evaluation.scores import (
    LEAD_GROUPS,
    LEAD_SCOPES,
    by_scope,
    group_label,
    lead_groups,
    lead_scores,
)
from models.executor import Executor
from models.forecasting.decomposition import stages_of
from models.forecasting.evidence_forecaster import SCORED_FROM, EvidenceForecaster
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import BASE_MEDIAN, MODEL, REFERENCE, UNANSWERED
from models.forecasting.residual_history import TREES
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import MAGNETS_PRESET, PANEL_PRESET, ModelParameters
from models.policy.policy_effect import effect_at
from sources.bundled.all_tables import load_bundled
from store.arrays import Floats
from store.months import YEAR, month_label, month_number
from store.vocabulary import ALL, FORECASTABLE, WORLD

PEERS = "MAGNETCAST_PEERS"
ETS = "auto_ets"
UNTUNED = "panel_parameters"
ORDER = (MODEL, UNTUNED, UNANSWERED, TREES, BASE_MEDIAN, REFERENCE, "last_value", "drift", ETS)
GROUPS = [group_label(*group) for group in LEAD_GROUPS[:4]]
ERAS = (
    ("2021-06", "2023-05"), ("2023-06", "2024-08"), ("2024-09", "2025-04"), ("2025-05", "2026-12"),
    ("2025-10", "2026-12"),
)  # fmt: skip
"""First and last month of the origins: calm years, a calm year, those whose targets the controls of
April 2025 met, those after it, and of these those since the truce of autumn 2025."""

BLOCK = 6
"""Consecutive origins that are drawn together, as their errors are of the same months."""

DRAWS = 2_000
INTERVAL = (0.05, 0.95)
SHOCK_MONTHS = ("2025-04", "2025-05", "2025-06", "2025-07", "2025-08", "2025-09")
SHOCK_VIEWS = ("2025-04-01", "2025-04-10", "2025-06-25")
BUNDLED = ("observations", "policy_events", "tariff_steps", "analog_events")
SHOCK_SERIES = ("USA", "WLD")
BAND = ("p05", "p10", "p50", "p90", "p95")

QUOTED_SCOPES = {
    "all destinations": ALL, "months that could be forecast": FORECASTABLE, "world": WORLD,
    "USA": "USA", "European Union": "EU27",
}  # fmt: skip
QUOTED_MODELS = {
    "magnetcast": MODEL, "the same, parameters of panels": UNTUNED,
    "base forecasts alone": BASE_MEDIAN, "trees alone": TREES, "seasonal naive": REFERENCE,
    "AutoETS": ETS,
}  # fmt: skip

INTRODUCTION = """
At the 25th of each month the evidence panel, the features and the model are made anew from what was
published by then, and all that is known today is scored: months that were printed or follow from
printed figures (standard error at most 0.1%), and printed sums of two to six months of which the
months are not known, each once, with the lead of their last month. They are grouped by *lead*, the
months from that of the forecast to that forecast: customs figures come late, so months already over
on the day of the forecast (nowcasts) stand apart from months to come. ALL holds the destinations
and the sums WLD and EU27, so tonnes count twice there. FORECASTABLE leaves out the first three
months of a control that was announced after the forecast. no_response is magnetcast without the
answer to controls observed in few months (docs/adr/0010-policy-response.md), made of the next two:
lightgbm, the trees alone, and experts, the base forecast (docs/adr/0002-direct-global-model.md);
panel_parameters is magnetcast with the parameters of panels, of which none was chosen on magnets
(docs/accuracy.md). Base forecasts and baselines get bands calibrated in the same way, and all are
made coherent like the model; auto_ets is statsforecast's AutoETS on the panel as it was known, with
its own bands. An entry: error (WAPE) with its 90% interval over blocks of six origins; loss
(quantile loss over the seven published quantiles, in units of the mean absolute seasonal difference
up to the cutoff); share of outcomes within the 80% band and number of cells (shares below p10 and
above p90); bias (sum of medians to sum of tonnes, less 1).
"""
RATIO_TEXT = """
Error of each in ratio to the model's, with the 90% interval over the same blocks: above 1 the model
is better, and beyond chance where the interval lies above 1.
"""
SINGLY_TEXT = """
The same on months printed singly alone, as all pages before December 2026 have it.
"""
TODAY_TEXT = """
What is forecast today for the next twelve months, beside the last twelve known or estimated, and
the same change in all earlier years of the panel. A change outside its history is asked about.
"""
OPERATOR_TEXT = """
The replay knows a month on the day on which a newspaper or a reader of the customs site printed it.
Who loads the customs table when it is out knows each published month by the 21st of the next (of
January by that of March). The same replay, with every figure of one month known by then:
"""
INDIA_TEXT = """
The loss is in units of the mean seasonal difference up to the cutoff, which for India rests on
smooth estimates and is small: few cells carry much of it. All destinations without India:
"""
LOSS_TEXT = """
Where a baseline, or a part of the model alone, had the smaller error or loss; the best of them is
named:
"""
SHOCK_TEXT = """
What was forecast for the months from April 2025 on, each by a model trained on that day from what
was published by then: before the licensing requirement of 4 April, after it, and when its first two
months were out. *p50 before* is the forecast without the response to controls observed in few
months.
"""


@dataclass(frozen=True)
class Replay:
    """Scored cells of all models from the origins of a window."""

    cells: pd.DataFrame

    @cached_property
    def rows(self) -> dict[tuple[str, str, str], dict[Hashable, Any]]:
        """Scores of ``lead_scores``, by scope, model and group."""
        return {
            (row["scope"], row["model"], group_label(row["horizon_from"], row["horizon_to"])): row
            for row in lead_scores(self.cells, LEAD_GROUPS[:4]).to_dict("records")
        }

    @cached_property
    def drawn(self) -> dict[tuple[str, str, str], Floats]:
        """Errors over draws of blocks of origins, by scope, model and group."""
        origins = pd.Index(sorted(self.cells["as_of"].unique()))
        count = -(-len(origins) // BLOCK)
        starts = np.random.default_rng(0).integers(len(origins), size=(DRAWS, count))
        picked = (starts[:, :, None] + np.arange(BLOCK)).reshape(DRAWS, -1) % len(origins)
        scoped = by_scope(self.cells)
        keys = ["scope", "model", lead_groups(scoped).rename("lead")]
        errors: dict[tuple[str, str, str], Floats] = {}
        for (scope, model, lead), part in scoped.groupby(keys, observed=True):
            sums = part.groupby("as_of")[["absolute_error", "tonnes"]].sum()
            drawn = sums.reindex(origins, fill_value=0.0).to_numpy()[picked].sum(axis=1)
            with np.errstate(invalid="ignore"):
                errors[str(scope), str(model), str(lead)] = drawn[:, 0] / drawn[:, 1]
        return errors

    def from_to(self, first: str, last: str) -> "Replay":
        """Replay of the origins from one month to another."""
        return Replay(self.cells.loc[self.cells["as_of"].dt.strftime("%Y-%m").between(first, last)])

    def entry(self, scope: str, model: str, lead: str) -> str:
        key = (scope, model, lead)
        if key not in self.rows:
            return "-"
        score, (low, high) = self.rows[key], np.nanquantile(self.drawn[key], INTERVAL)
        return (
            f"{score['wape']:.1%} ({low:.1%} to {high:.1%}), {score['sql']:.2f}; "
            f"{score['coverage80']:.0%} of {score['cells']:.0f} ({score['below10']:.0%}, "
            f"{score['above90']:.0%}); {score['bias']:+.0%}"
        )

    def ratio(self, scope: str, model: str, lead: str) -> str:
        """Error of another in ratio to the model's, with its interval."""
        if (scope, model, lead) not in self.rows:
            return "-"
        own, other = ((scope, name, lead) for name in (MODEL, model))
        low, high = np.nanquantile(self.drawn[other] / self.drawn[own], INTERVAL)
        value = self.rows[other]["wape"] / self.rows[own]["wape"]
        return f"{value:.2f} ({low:.2f} to {high:.2f})"

    def table(
        self, scopes: Sequence[str], models: Sequence[str] = ORDER, *, ratios: bool = False
    ) -> list[str]:
        """Rows of scopes and models as a table."""
        form = self.ratio if ratios else self.entry
        rows = [
            {"scope": scope, "model": model, **{lead: form(scope, model, lead) for lead in GROUPS}}
            for scope, model in product(scopes, models)
            if any((scope, model, lead) in self.rows for lead in GROUPS)
        ]
        return page.table(pd.DataFrame(rows).rename(columns={"over": "months over"}))

    def lost(self, scopes: Sequence[str]) -> list[str]:
        """Say where a baseline or a part alone had the smaller error or quantile loss."""
        lines = []
        forms = (("wape", "{:.1%}"), ("sql", "{:.2f}"))
        for scope, lead, (metric, form) in product(scopes, GROUPS, forms):
            values = {
                key[1]: row[metric] for key, row in self.rows.items() if key[::2] == (scope, lead)
            }
            best = min(set(values) - {MODEL}, key=values.__getitem__)
            if values[MODEL] > values[best]:
                own, other = (form.format(values[name]) for name in (MODEL, best))
                lines.append(f"- {scope}, {lead}, {metric}: {own} against {other} of {best}")
        return lines or ["- nowhere"]

    def front(self) -> dict[str, list[str]]:
        """Rows of the README: error, that of the same month last year, and coverage."""
        rows = {
            "error": (MODEL, "wape", "{:.1%}"),
            "error of the same month last year": (REFERENCE, "wape", "{:.1%}"),
            "inside the 80% band": (MODEL, "coverage80", "{:.0%}"),
        }
        return {
            name: [form.format(self.rows[ALL, model, lead][metric]) for lead in GROUPS]
            for name, (model, metric, form) in rows.items()
        }

    def quoted(self, scope: str, model: str) -> list[str]:
        """Entries of a page that quotes: error, loss; covered; bias."""
        entries = (self.entry(scope, model, lead) for lead in GROUPS)
        return [re.sub(r" \([^)]*\)", "", entry) for entry in entries]


def auto_ets(moments: Sequence[pd.Timestamp], history: EvidenceHistory) -> pd.DataFrame:
    """Return what AutoETS forecasts from the panels of some moments; empty if it is not there."""
    if PEERS not in os.environ:
        print(f"AutoETS is left out: {PEERS} is not set.")
        return pd.DataFrame()
    panels = []
    for as_of in moments:
        origin = history.origin(as_of)
        months = pd.date_range(month_label(origin.first), periods=origin.tonnes.shape[1], freq="MS")
        table = pd.DataFrame(origin.tonnes, index=list(origin.series), columns=months)
        rows = table.rename_axis("name").reset_index().melt("name", var_name="ds", value_name="y")
        panels.append(rows.assign(unique_id=f"{as_of.isoformat()}|" + rows["name"]))
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("panels.csv", "forecasts.csv")]
        pd.concat(panels).dropna()[["unique_id", "ds", "y"]].to_csv(paths[0], index=False)
        command = [os.environ[PEERS], str(page.HERE / "auto_ets.py"), *paths]
        subprocess.run(command, check=True)  # noqa: S603 - a script of ours
        forecasts = pd.read_csv(paths[1], parse_dates=["ds"])
    names = forecasts["unique_id"].str.split("|", expand=True)
    forecasts = forecasts.assign(as_of=pd.to_datetime(names[0], utc=True), destination=names[1])
    return forecasts.rename(columns={"ds": "period"}).drop(columns="unique_id")


def with_ets(forecasts: pd.DataFrame, ets: pd.DataFrame) -> pd.DataFrame:
    """Return forecasts with those of AutoETS for the model's months beside."""
    if ets.empty:
        return forecasts
    own = forecasts.loc[forecasts["model"] == MODEL]
    key = ["as_of", "destination", "period"]
    answered = own[[*key, "cutoff", "horizon"]].merge(ets, on=key, validate="one_to_one")
    return pd.concat([forecasts, answered.assign(model=ETS)], ignore_index=True)


def on_release(observations: pd.DataFrame) -> pd.DataFrame:
    """Return the figures as who loads the customs table on its day has them."""
    month = observations["period_from"].dt.to_period("M")
    is_month = observations["period_to"].dt.to_period("M").eq(month)
    is_china = observations["measure"].isin(["net_weight_t", "value_musd"]) & is_month
    after = month + 1 + month.dt.month.eq(1).astype(int)  # January comes with February
    release = after.dt.to_timestamp().dt.tz_localize("UTC") + pd.Timedelta(days=20)
    is_late = is_china & (observations["available_at"] > release)
    return observations.assign(available_at=observations["available_at"].mask(is_late, release))


def replay(
    result: Backtest,
    history: EvidenceHistory,
    as_of: pd.Timestamp,
    observations: pd.DataFrame,
    ets: pd.DataFrame,
) -> Replay:
    """Return the replay of a backtest on all that is known."""
    forecasts = with_ets(result.forecasts, ets)
    past = [history.origin(each) for each in forecasts["as_of"].unique()]
    return Replay(known_cells(forecasts, observations, history.origin(as_of), past))


def steps(now: Origin, published: pd.DataFrame) -> pd.DataFrame:
    """Return the next twelve months beside the last twelve, and that change in earlier years."""
    rows = []
    for row, name in enumerate(now.series):
        ahead = published.loc[published["destination"] == name].sort_values("period")
        path = np.concatenate([now.tonnes[row], ahead["p50"].to_numpy()])
        split = now.tonnes.shape[1]
        years = np.lib.stride_tricks.sliding_window_view(path, YEAR).sum(axis=1)
        changes = years[YEAR:] / years[:-YEAR] - 1.0
        past = changes[: split - 2 * YEAR + 1]
        past, today = past[np.isfinite(past)], changes[split - YEAR]
        low, high = np.nanmin(past), np.nanmax(past)
        rows.append({
            "destination": name,
            "next to last twelve months": f"{today:+.0%}",
            "earlier years": f"{low:+.0%} to {high:+.0%}",
            "inside": "yes" if low <= today <= high else "**no**",
        })  # fmt: skip
    return pd.DataFrame(rows)


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


def quote(path: Path, heading: str, rows: Mapping[str, Sequence[str]]) -> None:
    """Bring the rows of a table below a heading up to date, by their first entry."""
    before, start, after = path.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    section, end, rest = after.partition("\n## ")
    for name, entries in rows.items():
        line = f"| {name} | {' | '.join(entries)} |"
        section = re.sub(rf"(?m)^\| {re.escape(name)} \|.*$", line, section)
    path.write_text(before + start + section + end + rest, encoding="utf-8")


def quotations(
    long: Replay, short: Replay, operator: Replay
) -> dict[tuple[str, str], dict[str, list[str]]]:
    """Return the rows that pages quote, by page and heading."""
    models = {name: key for name, key in QUOTED_MODELS.items() if (ALL, key, "1-3") in long.rows}
    pairs = list(product(QUOTED_SCOPES.items(), models.items()))

    def rows(replay: Replay) -> dict[str, list[str]]:
        return {f"{scope}, {model}": replay.quoted(at, key) for (scope, at), (model, key) in pairs}

    eras = {
        f"{first} to {last}, {name}": long.from_to(first, last).quoted(ALL, model)
        for first, last in ERAS
        for name, model in models.items()
    }
    as_operator = {
        f"{scope}, {name}, as an operator has it": operator.quoted(at, key)
        for scope, at in QUOTED_SCOPES.items()
        for name, key in (("magnetcast", MODEL), ("seasonal naive", REFERENCE))
    }
    beat_us = {f"`{MODEL}`, {name}": short.quoted(at, MODEL) for name, at in QUOTED_SCOPES.items()}
    return {
        ("README.md", "## How good is it"): long.front(),
        ("docs/accuracy.md", "## In short"): rows(long),
        ("docs/accuracy.md", "## Over five years"): rows(long) | eras | as_operator,
        ("docs/accuracy.md", "## From June 2024 on"): rows(short),
        ("benchmarks/beat_us/README.md", "## Where we stand"): beat_us,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", default="2026-12-01", help="day whose facts are known (UTC)")
    parser.add_argument("--since", default="2021-06", help="month of the first origin")
    chosen = parser.parse_args()
    as_of = moment(chosen.as_of)
    since = first_origin(chosen.since, as_of)
    batch = load_bundled(page.DATA)
    history = EvidenceHistory(*(batch.frame(name) for name in BUNDLED))
    executor = Executor(page.track)
    untuned = replace(PANEL_PRESET, model=MAGNETS_PRESET.model, rows=MAGNETS_PRESET.rows)
    result, recent, other = (
        backtest_evidence(history, as_of, parameters=parameters, since=at, executor=executor)
        for parameters, at in ((MAGNETS_PRESET, since), (MAGNETS_PRESET, None), (untuned, since))
    )
    renamed = other.forecasts.loc[other.forecasts["model"] == MODEL].assign(model=UNTUNED)
    forecasts = pd.concat([result.forecasts, renamed], ignore_index=True)
    ets = auto_ets(list(result.cells["as_of"].unique()), history)
    observations = batch.frame(BUNDLED[0])
    long, short = (
        replay(each, history, as_of, observations, ets)
        for each in (replace(result, forecasts=forecasts), recent)
    )
    tables = [on_release(batch.frame(BUNDLED[0])), *map(batch.frame, BUNDLED[1:])]
    loaded = backtest_evidence(
        EvidenceHistory(*tables), as_of, parameters=MAGNETS_PRESET, since=since, executor=executor
    )
    operator = replay(loaded, history, as_of, observations, pd.DataFrame())
    lines = page.heading(
        "Magnet exports: forecasts replayed",
        f"python benchmarks/magnets.py --as-of {chosen.as_of} --since {chosen.since}",
        f"Data: the bundled facts as known on {chosen.as_of}. "
        f"Parameters of the model: {MAGNETS_PRESET.digest}.",
    )
    lines += page.prose(INTRODUCTION)
    first = f"origins from {since:%B %Y} on"
    lines += ["", f"## By lead, {first}", *long.table(LEAD_SCOPES)]
    lines += ["", "## Against the model", *page.prose(RATIO_TEXT)]
    lines += long.table(LEAD_SCOPES, ORDER[1:], ratios=True)
    lines += ["", "## As an operator has it", *page.prose(OPERATOR_TEXT)]
    lines += operator.table((ALL, FORECASTABLE, WORLD, "USA"), (MODEL, REFERENCE))
    lines += ["", "## Without India", *page.prose(INDIA_TEXT)]
    without = Replay(long.cells.loc[long.cells["destination"] != "IND"])
    lines += without.table((ALL, FORECASTABLE), (MODEL, REFERENCE))
    lines += ["", "## By lead and era of origins, all destinations"]
    for start, end in ERAS:
        lines += ["", f"### {start} to {end}", *long.from_to(start, end).table([ALL])]
    lines += ["", "## Months printed singly", *page.prose(SINGLY_TEXT)]
    lines += Replay(result.cells).table((ALL, FORECASTABLE))
    start, end = ERAS[-1]
    lines += ["", f"### {start} to {end}"]
    lines += Replay(result.cells).from_to(start, end).table([ALL])
    lines += ["", f"## By lead, origins from {SCORED_FROM:%B %Y} on, as `magnetcast run` scores"]
    lines += short.table(LEAD_SCOPES)
    lines += ["", "## Where it loses", *page.prose(LOSS_TEXT), "", *long.lost(LEAD_SCOPES)]
    lines += ["", "## The shock of 2025", *page.prose(SHOCK_TEXT)]
    lines += page.table(shock_text(history, as_of, MAGNETS_PRESET))
    lines += ["", "## Today's forecast beside its history", *page.prose(TODAY_TEXT)]
    lines += page.table(steps(history.origin(as_of), forecast(history, as_of, MAGNETS_PRESET)))
    page.write("magnets.md", lines)
    for (name, heading), rows in quotations(long, short, operator).items():
        quote(page.ROOT / name, heading, rows)


if __name__ == "__main__":
    main()
