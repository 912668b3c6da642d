"""Frames as the service receives them: plausible levels, real policy events, no randomness."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from features.build import DRIVER_MEANINGS
from models.evaluation.scores import BAND_COVERAGE, SUM_COVERAGE
from publication.state import Publication, of_one_forecast
from store.publications.backtests import CELL_COLUMNS
from store.publications.panels import StoredPanel
from store.vocabulary import (
    AGGREGATES,
    COMMODITY,
    DESTINATIONS,
    FORECAST_COLUMNS,
    QUANTILE_COLUMNS,
    QUANTILES,
)

DATA = Path(__file__).parents[2] / "data"
AS_OF = pd.Timestamp("2026-11-24", tz="UTC")
CUTOFF = "2026-07"
VINTAGE = "sha256:4be1f0c2a9d7"
LEVELS = dict(zip(DESTINATIONS, (560, 1050, 240, 480, 590, 230, 240, 190, 720, 1500), strict=True))
EVENT_DATES = [
    "announced_on", "effective_from", "effective_to", "suspended_from", "suspended_to",
    "end_known_on", "suspension_known_on",
]  # fmt: skip


def make_panel(*, cutoff: str = CUTOFF) -> pd.DataFrame:
    periods = pd.date_range("2022-01-01", f"{cutoff}-01", freq="MS")
    parts = [_one_panel(d, periods, level=LEVELS[d]) for d in DESTINATIONS]
    rows = pd.concat(parts, ignore_index=True)
    sums = [_sum_of(rows, aggregate=a, members=m) for a, m in AGGREGATES.items()]
    return pd.concat([rows, *sums], ignore_index=True)


def _one_panel(destination: str, periods: pd.DatetimeIndex, *, level: float) -> pd.DataFrame:
    step = np.arange(len(periods))
    wave = 1 + 0.08 * np.sin(2 * np.pi * step / 12) + 0.07 * np.sin(step * (1.7 + level % 7))
    shock = np.select(
        [periods == "2025-04-01", periods == "2025-05-01", periods == "2025-06-01"],
        [0.5, 0.12 if destination == "USA" else 0.25, 0.6],
        default=1.0,
    )
    kind = np.where(step % 4 == 3, "derived", np.where(step % 3 == 0, "estimated", "observed"))
    if destination == "USA":
        kind = np.where(periods.year >= 2025, "observed", kind)
    tonnes = level * (0.8 + 0.004 * step) * wave * shock
    return pd.DataFrame(
        {
            "destination": destination,
            "period": periods,
            "tonnes": tonnes,
            "stderr_t": np.select(
                [kind == "observed", kind == "derived"], [0.3, 3.0], 0.09 * tonnes
            ),
            "kind": kind,
            "available_at": (periods + pd.DateOffset(days=50)).tz_localize("UTC"),
        }
    )


def _sum_of(rows: pd.DataFrame, *, aggregate: str, members: tuple[str, ...]) -> pd.DataFrame:
    inside = rows[rows["destination"].isin(members)]
    total = inside.groupby("period", as_index=False).agg(
        tonnes=("tonnes", "sum"), available_at=("available_at", "max")
    )
    kind = "observed" if aggregate == "WLD" else "derived"
    return total.assign(destination=aggregate, stderr_t=1.0, kind=kind)


def make_forecasts(*, cutoff: str = CUTOFF, horizon: int = 15) -> pd.DataFrame:
    panel = make_panel(cutoff=cutoff)
    last = panel[panel["period"] >= panel["period"].max() - pd.DateOffset(months=5)]
    levels = last.groupby("destination")["tonnes"].mean()
    return pd.concat(
        [_one_forecast(d, float(levels[d]), cutoff, horizon) for d in [*DESTINATIONS, *AGGREGATES]],
        ignore_index=True,
    )[list(FORECAST_COLUMNS)]


def _one_forecast(destination: str, level: float, cutoff: str, horizon: int) -> pd.DataFrame:
    steps = np.arange(1, horizon + 1)
    months = pd.date_range(f"{cutoff}-01", periods=horizon + 1, freq="MS")[1:]
    centre = level * (1 + 0.06 * np.sin(2 * np.pi * steps / 12)) * 1.004**steps
    width = (0.08 if destination in AGGREGATES else 0.14) + 0.018 * steps
    bands = {
        name: centre * np.exp(norm.ppf(q) * width)
        for name, q in zip(QUANTILE_COLUMNS, QUANTILES, strict=True)
    }
    return pd.DataFrame(
        {
            "destination": destination,
            "cutoff": cutoff,
            "period": months.strftime("%Y-%m"),
            "horizon": steps,
            **bands,
            "mean": centre * np.exp(width**2 / 2),
            "model": "magnetcast-7",
            "status": "fallback: last good champion, training failed its gate"
            if destination == "THA"
            else "champion",
        }
    )


def make_drivers(forecasts: pd.DataFrame) -> pd.DataFrame:
    result = [
        json.dumps(
            [
                ["level of the last three months", round(0.06 * p50, 1)],
                ["US tariff in the month", round(-0.03 * p50, 1)],
                ["licences since the last control", round(0.02 * p50, 1)],
            ]
        )
        for p50 in forecasts["p50"]
    ]
    return forecasts.assign(drivers=result)


def make_events() -> pd.DataFrame:
    rows = pd.read_csv(DATA / "policy_events.csv", parse_dates=EVENT_DATES)
    day = AS_OF.tz_localize(None)
    known = rows[rows["announced_on"] <= day].copy()
    known.loc[known["end_known_on"] > day, "effective_to"] = pd.NaT
    known.loc[known["suspension_known_on"] > day, ["suspended_from", "suspended_to"]] = pd.NaT
    return known.drop(columns=["end_known_on", "suspension_known_on"])


def make_scores() -> pd.DataFrame:
    rows = []
    for scope, edge in (("ALL", 0.06), ("WLD", 0.05), ("USA", 0.02), ("THA", -0.04), ("DEU", 0.03)):
        for first, last in ((1, 3), (4, 6), (7, 12)):
            naive = 0.16 + 0.02 * first
            wape = {
                "magnetcast": naive - edge,
                "seasonal_naive": naive,
                "last_value": naive + (0.03 if scope != "USA" else -0.05 / first),
            }
            for model, error in wape.items():
                figures = {
                    "wape": error, "mase": error * 5, "sql": error * 0.8,
                    "coverage80": 0.81 if model == "magnetcast" else 0.7,
                    "value_added": 1 - error / naive,
                }  # fmt: skip
                rows += [
                    (model, scope, first, last, metric, value, 220)
                    for metric, value in figures.items()
                ]
            count = 12 if scope == "THA" else 220
            rows += [
                ("magnetcast", scope, first, last, BAND_COVERAGE, 0.78, count),
                ("seasonal_naive", scope, first, last, BAND_COVERAGE, 0.7, count),
                ("magnetcast", scope, first, last, SUM_COVERAGE, 0.76, count),
            ]
    return pd.DataFrame(
        rows, columns=["model", "scope", "horizon_from", "horizon_to", "metric", "value", "cells"]
    )


def make_cells() -> pd.DataFrame:
    """Forecasts of a backtest; those of eight months ahead miss the actuals."""
    rows = [
        (name, f"{cutoff:%Y-%m}", f"{period:%Y-%m}", 80.0, 100.0, 120.0 - ahead, 115.0)
        for name in ("USA", "WLD")
        for period in pd.date_range("2026-05-01", periods=3, freq="MS")
        for ahead in (1, 4, 8)
        for cutoff in [period - pd.DateOffset(months=ahead)]
    ]
    return pd.DataFrame(rows, columns=list(CELL_COLUMNS))


def make_suspicious() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("WLD 2024-02 net_weight_t 3326", -1120.0, -8.4, "https://example.org/february"),
            ("USA 2019-01..2019-12 yoy_pct 41.5", 640.0, 5.1, "https://example.org/2019"),
        ],
        columns=["statement", "residual_t", "z", "source_url"],
    )


def make_report(
    *,
    forecasts: pd.DataFrame | None = None,
    panel: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    scores: pd.DataFrame | None = None,
    suspicious: pd.DataFrame | None = None,
    kept: Sequence[str] = (),
    label: str = "",
    **columns: str,
) -> Publication:
    """Return the state of one forecast by itself.

    Args:
        kept: Destinations, for what does not depend on their number; none are all.
        columns: Of the forecast, its ``commodity`` and ``data_vintage`` among them.
    """
    rows = make_forecasts() if forecasts is None else forecasts
    about = {"as_of": AS_OF, "publication": 0, "commodity": COMMODITY, "data_vintage": VINTAGE}
    rows = rows.assign(
        **{"reason": None, "drivers": None, "contributions": None, **about, **columns}
    )
    months = make_panel() if panel is None else panel
    acts = make_events() if events is None else events
    found = make_suspicious() if suspicious is None else suspicious
    return of_one_forecast(
        rows[rows["destination"].isin(kept)] if kept else rows,
        StoredPanel(
            months.assign(stderr_log=months["stderr_t"] / months["tonnes"]),
            found.assign(weight=1.0),
        ),
        make_scores() if scores is None else scores,
        meanings=DRIVER_MEANINGS,
        label=label,
        events=acts.assign(available_at=acts["announced_on"].dt.tz_localize("UTC")),
    )
