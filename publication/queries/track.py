"""Track record: published forecasts beside the actual figures, and beside simple rules."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from models.evaluation.scores import (
    Coverage,
    coverage_of,
    coverage_scores,
    group_label,
    lead_groups,
    lead_of,
)
from models.forecasting.model_names import MODEL
from publication.charts.fan import SCHEDULED_PREFIX, Fan, touches
from publication.language.phrases import gettext, marked
from publication.state import Publication
from publication.tables import TRACK_ROW
from publication.words import DESTINATION_NAMES, lead_words, percent, scope_name
from store.vocabulary import AGGREGATES, ALL, FORECASTABLE, QUANTILE_COLUMNS, QUANTILES

TRUTH: Final = "observed"
"""Kind of month that forecasts are scored on; derived and estimated months are not."""

LARGEST_ERRORS: Final = 10
MAJOR_SEVERITY: Final = 2
"""Severity from which an event is listed beside a large error."""


@dataclass(frozen=True, slots=True)
class TrackScore:
    """Errors over some scored months, as shares of actual tonnes."""

    label: str
    cells: int
    inside: int
    """Months inside the 80% band."""
    wape: float
    bias: float
    """Sum of medians to sum of tonnes, less 1."""
    seasonal_naive: float
    last_value: float
    pinball: float

    @property
    def loses(self) -> bool:
        return self.wape > min(self.seasonal_naive, self.last_value)


Coverages = dict[str, tuple[Coverage, ...]]
"""Coverage of the 80% band by destination, then by group of leads."""


def cells_of(publication: Publication) -> pd.DataFrame:
    """One row a published month with an observed figure: ``TRACK_ROW``.

    ``seasonal_naive`` and ``last_value`` use only what was known at the forecast's moment;
    ``frozen_ahead``: whether it was published before the figure. Months published when it was
    made are left out. Ordered by moment, destination and period; tonnes.
    """
    rows = publication.published.forecasts
    rows = rows.assign(period=pd.to_datetime(rows["period"]), cutoff=pd.to_datetime(rows["cutoff"]))
    panel = publication.snapshot.panel
    truth = panel.loc[panel["kind"] == TRUTH, ["destination", "period", "tonnes"]]
    actual = rows.merge(truth, on=["destination", "period"], validate="many_to_one")
    parts = []
    for moment, part in actual.groupby("as_of"):
        panel_then = publication.snapshots[pd.Timestamp(str(moment))].panel
        parts.append(_with_simple_rules(_not_yet_published(part, panel_then), panel_then))
    if not parts:
        return pd.DataFrame(columns=list(TRACK_ROW))
    cells = pd.concat(parts, ignore_index=True)
    scored = cells.assign(
        lead=lead_of(cells),
        error=cells["p50"] - cells["tonnes"],
        inside80=cells["tonnes"].between(cells["p10"], cells["p90"]),
        pinball=_pinball(cells),
        frozen_ahead=_frozen_ahead(publication, cells),
    )
    order = ["as_of", "destination", "period"]
    return scored[list(TRACK_ROW)].sort_values(order, ignore_index=True)


def score(cells: pd.DataFrame, label: str) -> TrackScore:
    """Errors over the cells that the simple rules forecast too."""
    scored = cells.dropna(subset=["seasonal_naive", "last_value"])
    actual = float(scored["tonnes"].sum())

    def share(errors: pd.Series) -> float:
        return float(errors.abs().sum()) / actual if actual > 0 else float("nan")

    return TrackScore(
        label=label,
        cells=len(scored),
        inside=int(scored["inside80"].sum()),
        wape=share(scored["error"]),
        bias=float(scored["error"].sum()) / actual if actual > 0 else float("nan"),
        seasonal_naive=share(scored["seasonal_naive"] - scored["tonnes"]),
        last_value=share(scored["last_value"] - scored["tonnes"]),
        pinball=share(scored["pinball"]),
    )


def without_sums(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of destinations that add up to the world, each counted once."""
    return cells.loc[~cells["destination"].isin(list(AGGREGATES))]


def by_lead(cells: pd.DataFrame) -> list[TrackScore]:
    """Errors by group of leads, sums of destinations left out."""
    groups = without_sums(cells).groupby(lead_groups(cells), observed=True)
    return [score(part, str(lead)) for lead, part in groups]


def by_destination(cells: pd.DataFrame, order: list[str]) -> list[TrackScore]:
    """Errors by destination, in a given order."""
    groups = dict(list(cells.groupby("destination")))
    return [score(groups[name], name) for name in order if name in groups]


def coverage(cells: pd.DataFrame, order: list[str]) -> Coverages:
    """Coverage of published bands: all destinations first, then each in a given order."""
    if cells.empty:
        return {}
    scores = coverage_scores(cells.assign(model=MODEL, is_covered=cells["inside80"].astype(bool)))
    names = [ALL, *(name for name in order if name in set(cells["destination"]))]
    return {name: coverage_of(scores, name, "") for name in names}


def backtest_coverage(scores: pd.DataFrame, fans: Sequence[Fan]) -> Coverages:
    """Coverage of bands in the backtest: all destinations first, then those scored."""
    rows = {fan.destination: fan.coverage for fan in fans if fan.coverage}
    return {ALL: coverage_of(scores, ALL, ""), **rows} if rows else {}


def largest_errors(publication: Publication, cells: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Months with the largest errors in tonnes, largest first: ``TRACK_ROW`` and ``events``.

    The events are major ones that were announced after the forecast, each a day and a summary.
    """
    errors = without_sums(cells)
    worst = errors.reindex(errors["error"].abs().sort_values(ascending=False, kind="stable").index)
    # Each month is listed once, with its largest error.
    worst = worst.drop_duplicates(["destination", "period"]).head(LARGEST_ERRORS)
    events = publication.ledger.events
    return [{**row, "events": _events_between(events, row)} for row in worst.to_dict("records")]


def live_and_later(cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cells of forecasts published before the figure, and the others."""
    is_live = cells["frozen_ahead"].astype(bool)
    return cells.loc[is_live], cells.loc[~is_live]


def _frozen_ahead(publication: Publication, cells: pd.DataFrame) -> "pd.Series[bool]":
    publications = publication.published.publications
    publications = publications.loc[publications["state"] == "published"]
    # Of several publications of one moment the latest first month counts.
    first = publications.groupby("as_of")["ahead_from"].max()
    return cells["period"] >= first.reindex(cells["as_of"]).set_axis(cells.index)


def _not_yet_published(rows: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    keys = ["destination", "period"]
    published = pd.MultiIndex.from_frame(panel.loc[panel["kind"] == TRUTH, keys])
    return rows.loc[~pd.MultiIndex.from_frame(rows[keys]).isin(published)]


def _with_simple_rules(rows: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    tonnes = panel.set_index(["destination", "period"])["tonnes"]
    years = np.ceil(rows["horizon"].to_numpy() / 12).astype(int)

    def at(periods: list[pd.Timestamp]) -> np.ndarray:
        keys = pd.MultiIndex.from_arrays([rows["destination"], periods])
        return tonnes.reindex(keys).to_numpy(dtype=float)

    year_before = [
        period - pd.DateOffset(years=int(count))
        for period, count in zip(rows["period"], years, strict=True)
    ]
    return rows.assign(seasonal_naive=at(year_before), last_value=at(list(rows["cutoff"])))


def _pinball(cells: pd.DataFrame) -> np.ndarray:
    """Mean quantile loss, twice the pinball loss, so that a point scores its error."""
    over = cells[["tonnes"]].to_numpy() - cells[list(QUANTILE_COLUMNS)].to_numpy()
    levels = np.asarray(QUANTILES)
    return np.asarray(2 * np.maximum(levels * over, (levels - 1) * over).mean(axis=1))


def _events_between(
    events: pd.DataFrame, row: Mapping[Hashable, object]
) -> tuple[tuple[pd.Timestamp, str], ...]:
    start = pd.Timestamp(str(row["as_of"])).tz_localize(None)
    end = pd.Timestamp(str(row["period"])) + pd.offsets.MonthEnd(0)
    between = events.loc[
        ~events["event_id"].str.startswith(SCHEDULED_PREFIX)
        & events["announced_on"].gt(start)
        & events["announced_on"].le(end)
        & events["severity"].ge(MAJOR_SEVERITY)
    ].sort_values(["severity", "announced_on"], ascending=[False, True])
    return tuple(
        (event["announced_on"], str(event["summary"]))
        for event in between.to_dict("records")
        if touches(str(row["destination"]), str(event["destinations"]).split(";"))
    )[:3]


YARDSTICKS: Final[dict[str, str]] = {
    "seasonal_naive": marked("seasonal naive"),
    "last_value": marked("last value"),
}
"""Models anyone could run by hand: the same month a year before, and the latest month."""

_OURS: Final = "magnetcast"
"""Name of the forecast beside the yardsticks, whichever model made it."""

_METRICS: Final = ("wape", "mase", "sql")
"""Compared here; coverage comes from ``models.evaluation.scores``."""

_CELL: Final = ["scope", "horizon_from", "horizon_to", "model"]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Scores of one model in one scope and range of horizons; shares are 0..1."""

    scope: str
    months: str
    model: str
    yardstick: bool
    wape: float
    mase: float
    sql: float
    cells: int
    loses_to: tuple[str, ...]

    @property
    def scope_name(self) -> str:
        return scope_name(self.scope)

    @property
    def model_name(self) -> str:
        return gettext(YARDSTICKS[self.model]) if self.yardstick else _OURS


def without_components(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of the forecast and of the yardsticks, without those of its components.

    A version of the model has hyphens in its name; a component is one word.
    """
    if scores.empty:
        return scores
    names = scores["model"]
    return scores.loc[names.isin({_OURS, *YARDSTICKS}) | names.str.contains("-", regex=False)]


def score_rows(scores: pd.DataFrame) -> list[ScoreRow]:
    """One row a scope, range of leads and model: all destinations first, our forecast on top.

    A backtest stored without leads has horizons in their place.
    """
    if scores.empty:
        return []
    by_lead = scores.loc[scores["metric"].str.startswith("lead_")]
    scores = by_lead if len(by_lead) else scores
    scores = scores.assign(metric=scores["metric"].str.removeprefix("lead_"))
    scores = scores.loc[scores["metric"].isin(_METRICS)]
    wide = scores.pivot_table(index=_CELL, columns="metric", values="value", observed=True)
    wide = wide.reindex(columns=list(_METRICS))
    cells = scores.groupby(_CELL, observed=True)["cells"].max()
    frame = wide.join(cells).reset_index()
    return [_score_row(row, frame) for row in sorted(frame.to_dict("records"), key=_reading_order)]


def held_ahead(scores: pd.DataFrame) -> Mapping[Hashable, Any] | None:
    """Share and number of months up to a year to come within the 80% band; None where unknown."""
    if scores.empty:
        return None
    is_band = scores["metric"].eq("lead_coverage80") & scores["scope"].eq(ALL)
    is_band &= scores["horizon_from"].eq(1) & scores["horizon_to"].eq(12)
    rows = scores.loc[is_band & ~scores["model"].isin(list(YARDSTICKS))].to_dict("records")
    return rows[0] if rows else None


def losses(rows: list[ScoreRow]) -> list[str]:
    """One sentence for each scope and range in which a yardstick has the smaller error."""
    wape = {(row.scope, row.months, row.model): row.wape for row in rows}
    return [
        gettext(
            "%(scope)s, months %(months)s: error of %(model)s %(error)s, %(others)s.",
            scope=row.scope_name,
            months=row.months,
            model=row.model_name,
            error=percent(row.wape),
            others=", ".join(
                f"{gettext(YARDSTICKS[other])} {percent(wape[row.scope, row.months, other])}"
                for other in row.loses_to
            ),
        )
        for row in rows
        if row.loses_to
    ]


def _score_row(row: Mapping[Hashable, Any], frame: pd.DataFrame) -> ScoreRow:
    same = frame["model"].isin(list(YARDSTICKS)) & frame["wape"].lt(row["wape"])
    for name in ("scope", "horizon_from", "horizon_to"):
        same &= frame[name].eq(row[name])
    yardstick, first, last = row["model"] in YARDSTICKS, row["horizon_from"], row["horizon_to"]
    return ScoreRow(
        scope=str(row["scope"]),
        months=lead_words(group_label(first, last)),
        model=str(row["model"]),
        yardstick=yardstick,
        cells=int(row["cells"]),
        loses_to=() if yardstick else tuple(frame.loc[same, "model"].astype(str)),
        **{metric: float(row[metric]) for metric in _METRICS},
    )


def _reading_order(row: Mapping[Hashable, Any]) -> tuple[int, bool, int, int, bool, str]:
    """Order by scope as people read it, then months to come, wide ranges first; ours on top."""
    scopes = [ALL, FORECASTABLE, *DESTINATION_NAMES]
    place = scopes.index(row["scope"]) if row["scope"] in scopes else len(scopes)
    first, last, model = row["horizon_from"], row["horizon_to"], str(row["model"])
    return place, last <= 0, first, -last, model in YARDSTICKS, model
