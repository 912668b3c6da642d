"""The track record: every published forecast as it stood, beside what came."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from service.charts.markers import SCHEDULED_PREFIX, touches
from service.live.publication import Publication
from store.vocabulary import AGGREGATES, QUANTILE_COLUMNS, QUANTILES

TRUTH: Final = "observed"
"""Kind of month that forecasts are scored on; derived and estimated months are no truth."""

MISSES: Final = 10
WEIGHTY: Final = 2
"""Severity from which an event may explain a miss."""

CELL_COLUMNS: Final = (
    "as_of", "destination", "period", "horizon", "model", "status", *QUANTILE_COLUMNS, "tonnes",
    "seasonal_naive", "last_value", "error", "inside80", "pinball",
    "frozen_ahead",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrackScore:
    """Errors over some scored months; shares of the tonnes that came."""

    what: str
    cells: int
    wape: float
    seasonal_naive: float
    last_value: float
    coverage80: float
    pinball: float

    @property
    def loses(self) -> bool:
        """Tell whether a rule of thumb erred less."""
        return self.wape > min(self.seasonal_naive, self.last_value)


@dataclass(frozen=True, slots=True)
class Miss:
    """A month far from its forecast, and what became known after the forecast was made."""

    as_of: pd.Timestamp
    destination: str
    period: pd.Timestamp
    p10: float
    p50: float
    p90: float
    tonnes: float
    events: tuple[str, ...]


def cells_of(publication: Publication) -> pd.DataFrame:
    """Return one row a published month whose truth came out since: ``CELL_COLUMNS``.

    ``seasonal_naive`` and ``last_value`` use only what was known at the forecast's own moment;
    ``frozen_ahead`` tells whether the forecast was published before the month came out.
    Ordered by moment, destination and period; tonnes throughout, ``pinball`` the mean quantile
    loss.
    """
    rows = publication.published.forecasts
    rows = rows.assign(period=pd.to_datetime(rows["period"]), cutoff=pd.to_datetime(rows["cutoff"]))
    panel = publication.stand.panel
    truth = panel.loc[panel["kind"] == TRUTH, ["destination", "period", "tonnes"]]
    found = rows.merge(truth, on=["destination", "period"], validate="many_to_one")
    parts = [
        _with_rules(part, publication.stands[pd.Timestamp(str(moment))].panel)
        for moment, part in found.groupby("as_of")
    ]
    if not parts:
        return pd.DataFrame(columns=list(CELL_COLUMNS))
    cells = pd.concat(parts, ignore_index=True)
    scored = cells.assign(
        error=cells["p50"] - cells["tonnes"],
        inside80=cells["tonnes"].between(cells["p10"], cells["p90"]),
        pinball=_pinball(cells),
        frozen_ahead=_frozen_ahead(publication, cells),
    )
    order = ["as_of", "destination", "period"]
    return scored[list(CELL_COLUMNS)].sort_values(order, ignore_index=True)


def score(cells: pd.DataFrame, what: str) -> TrackScore:
    """Return the errors over some cells.

    Only months that all have an answer for count.
    """
    both = cells.dropna(subset=["seasonal_naive", "last_value"])
    came = float(both["tonnes"].sum())

    def share(missed: pd.Series) -> float:
        return float(missed.abs().sum()) / came if came > 0 else float("nan")

    return TrackScore(
        what=what,
        cells=len(both),
        wape=share(both["error"]),
        seasonal_naive=share(both["seasonal_naive"] - both["tonnes"]),
        last_value=share(both["last_value"] - both["tonnes"]),
        coverage80=float(both["inside80"].mean()) if len(both) else float("nan"),
        pinball=share(both["pinball"]),
    )


def without_sums(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of destinations that add up to the world, each counted once."""
    return cells.loc[~cells["destination"].isin(list(AGGREGATES))]


def by_horizon(cells: pd.DataFrame) -> list[TrackScore]:
    """Return the errors by months ahead, sums of destinations left out."""
    own = without_sums(cells)
    return [score(part, str(horizon)) for horizon, part in own.groupby("horizon")]


def by_destination(cells: pd.DataFrame, order: list[str]) -> list[TrackScore]:
    """Return the errors by destination, in a given order."""
    groups = dict(list(cells.groupby("destination")))
    return [score(groups[name], name) for name in order if name in groups]


def worst_misses(publication: Publication, cells: pd.DataFrame) -> list[Miss]:
    """Return the months that came farthest from their median, in tonnes, worst first."""
    own = without_sums(cells)
    worst = own.reindex(own["error"].abs().sort_values(ascending=False, kind="stable").index)
    # Of several forecasts of one month the worst stands for all.
    worst = worst.drop_duplicates(["destination", "period"]).head(MISSES)
    return [
        Miss(
            as_of=row["as_of"],
            destination=str(row["destination"]),
            period=row["period"],
            p10=float(row["p10"]),
            p50=float(row["p50"]),
            p90=float(row["p90"]),
            tonnes=float(row["tonnes"]),
            events=_between(publication.ledger.events, row),
        )
        for row in worst.to_dict("records")
    ]


def live(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of forecasts that were frozen before the month came out."""
    return cells.loc[cells["frozen_ahead"].astype(bool)]


def afterwards(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the other cells: of forecasts that nothing proves to be early."""
    return cells.loc[~cells["frozen_ahead"].astype(bool)]


def _frozen_ahead(publication: Publication, cells: pd.DataFrame) -> "pd.Series[bool]":
    """Tell which months were still to come when their forecast was published."""
    known = publication.published.publications
    own = known.loc[known["state"] == "published"]
    # Of several publications of one moment the latest first month counts.
    first = own.groupby("as_of")["ahead_from"].max()
    return cells["period"] >= first.reindex(cells["as_of"]).set_axis(cells.index)


def _with_rules(rows: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    """Add what two rules of thumb would have said, from the panel of the same moment."""
    known = panel.set_index(["destination", "period"])["tonnes"]
    years = np.ceil(rows["horizon"].to_numpy() / 12).astype(int)
    before = [p - pd.DateOffset(years=int(y)) for p, y in zip(rows["period"], years, strict=True)]
    return rows.assign(
        seasonal_naive=_looked_up(known, rows["destination"], before),
        last_value=_looked_up(known, rows["destination"], list(rows["cutoff"])),
    )


def _looked_up(
    known: pd.Series, destinations: pd.Series, periods: list[pd.Timestamp]
) -> np.ndarray:
    """Return the panel's tonnes, NaN where there are none."""
    wanted = pd.MultiIndex.from_arrays([destinations, periods])
    return known.reindex(wanted).to_numpy(dtype=float)


def _pinball(cells: pd.DataFrame) -> np.ndarray:
    """Return the mean quantile loss, twice the pinball loss, so that a point scores its error."""
    over = cells[["tonnes"]].to_numpy() - cells[list(QUANTILE_COLUMNS)].to_numpy()
    levels = np.asarray(QUANTILES)
    return np.asarray(2 * np.maximum(levels * over, (levels - 1) * over).mean(axis=1))


def _between(events: pd.DataFrame, row: Mapping[Hashable, object]) -> tuple[str, ...]:
    """Return the weighty events announced after the forecast and before the month was over."""
    start = pd.Timestamp(str(row["as_of"])).tz_localize(None)
    end = pd.Timestamp(str(row["period"])) + pd.offsets.MonthEnd(0)
    came = events.loc[
        ~events["event_id"].str.startswith(SCHEDULED_PREFIX)
        & events["announced_on"].gt(start)
        & events["announced_on"].le(end)
        & events["severity"].ge(WEIGHTY)
    ].sort_values(["severity", "announced_on"], ascending=[False, True])
    return tuple(
        f"{event['announced_on']:%-d %b %Y}: {event['summary']}"
        for event in came.to_dict("records")
        if touches(str(row["destination"]), str(event["destinations"]).split(";"))
    )[:3]
