"""True as-of replay: forecast at past origins from what was published by then.

Scores are on what is known now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.months import month_label, month_starts
from features.origin import Origin
from features.panel.history import FIRST_TRAINING, EvidenceHistory, release_moments
from models.evaluation.scores import cell_scores, summarise
from models.forecasting.rolling import MODEL, OriginStep, ResidualHistory, walk
from models.forecasting.spec import ModelSpec
from models.statistical.seasonality import seasonal_scale
from store.errors import DataError
from store.vocabulary import FORECAST_COLUMNS

WARM_UP_FROM: Final = "2023-06-25"
"""First origin whose errors teach the bands; the year before the first scored origin."""

SCORED_FROM: Final = pd.Timestamp("2024-06-01", tz="UTC")
"""Origins from here on are scored. Before, hardly any month had a published level to score on."""

FIRST_REPLAY: Final = "2019-12-25"
"""First origin with half a year of origins before it to train on."""

SCORED_HORIZONS: Final = (1, 6)
Floats = NDArray[np.float64]
_Item = TypeVar("_Item")


class Progress(Protocol):
    """Shows progress over items."""

    def __call__(self, items: Sequence[_Item], label: str) -> Iterable[_Item]:
        """Yield the items, telling how far it got."""
        ...


def untracked(items: Sequence[_Item], label: str) -> Iterable[_Item]:  # noqa: ARG001 - the Track protocol
    """Show nothing."""
    return items


@dataclass(frozen=True, slots=True)
class Backtest:
    """What was said at past origins and how it turned out."""

    forecasts: pd.DataFrame
    """All models: model, as_of, cutoff, destination, period, horizon, quantiles, mean."""
    cells: pd.DataFrame
    """The forecasts of known months with their errors."""
    scores: pd.DataFrame
    """As ``models.evaluation.scores.summarise``."""
    memory: ResidualHistory
    """What was said, for the bands of the next forecast."""


def replay(
    history: EvidenceHistory,
    as_of: pd.Timestamp,
    *,
    spec: ModelSpec,
    track: Progress = untracked,
) -> Backtest:
    """Return the backtest of the evidence panel: one origin a month up to ``as_of``.

    The model is refitted at each. Only months with a published level at ``as_of`` are scored.

    Raises:
        DataError: ``as_of`` is too early for a past origin.
    """
    moments = replayed_moments(as_of)
    for moment in track(release_moments(FIRST_TRAINING, as_of), "evidence of past origins"):
        history.origin(moment)
    memory = ResidualHistory()
    steps = _walked(history, moments, spec=spec, memory=memory, track=track)
    now = history.origin(as_of)
    counted = [step for step in steps if step.moment >= min(SCORED_FROM, moments[-1])]
    origins = [step.origin for step in counted]
    scale = pd.concat([scale_rows(o.series, o.cutoff, o.tonnes) for o in origins])
    scale = scale.drop_duplicates(["destination", "cutoff"])
    return scored(_dated(counted), _observed(now), scale, memory)


def replayed_moments(as_of: pd.Timestamp) -> list[pd.Timestamp]:
    """Return the origins a backtest at ``as_of`` walks: from mid-2023, or the two years before.

    Raises:
        DataError: There is no origin to replay before ``as_of``.
    """
    start = min(pd.Timestamp(WARM_UP_FROM, tz="UTC"), as_of - pd.DateOffset(years=2))
    start = max(start, pd.Timestamp(FIRST_REPLAY, tz="UTC"))
    moments = release_moments(f"{start:%Y-%m-%d}", as_of)
    if not moments:
        raise DataError(
            f"as_of={as_of:%Y-%m-%d} has no past to learn from. "
            f"Expected a day after {FIRST_REPLAY}, "
            "because detail by destination was first published in mid-2019. Take a later --as-of."
        )
    return moments


def _walked(
    history: EvidenceHistory,
    moments: Sequence[pd.Timestamp],
    *,
    spec: ModelSpec,
    memory: ResidualHistory,
    track: Progress,
) -> list[OriginStep]:
    steps = walk(history, moments, spec=spec, refit_at=moments, memory=memory)
    return [next(steps) for _ in track(moments, "backtest")]


def _observed(now: Origin) -> pd.DataFrame:
    """Return the months with a published level."""
    row, column = np.nonzero(now.is_observed)
    return pd.DataFrame(
        {
            "destination": np.array(now.series, dtype=object)[row],
            "period": month_starts(now.first + column),
            "tonnes": now.tonnes[row, column],
        }
    )


def scored(
    forecasts: pd.DataFrame,
    truth: pd.DataFrame,
    scale: pd.DataFrame,
    memory: ResidualHistory | None = None,
) -> Backtest:
    """Return a backtest of forecasts.

    Args:
        forecasts: All models: model, destination, cutoff, period, horizon, quantiles, mean.
        truth: destination, period, tonnes: months as known now.
        scale: destination, cutoff, scale: what errors are scored in.
        memory: What was said, if bands are to be learned from it.
    """
    cells = cell_scores(forecasts, truth, scale)
    scores = summarise(cells, horizons=SCORED_HORIZONS) if len(cells) else pd.DataFrame()
    return Backtest(forecasts, cells, scores, memory or ResidualHistory())


def _dated(steps: Sequence[OriginStep]) -> pd.DataFrame:
    """Return the forecasts of all steps with the moment and the cutoff they were made at."""
    tables = [
        step.forecasts.assign(as_of=step.moment, cutoff=month_label(step.origin.cutoff))
        for step in steps
    ]
    return pd.concat(tables, ignore_index=True)


def scale_rows(series: Iterable[str], cutoff: int, tonnes: Floats) -> pd.DataFrame:
    """Return destination, cutoff, scale: the mean absolute difference to the year before.

    Args:
        series: Their names.
        cutoff: Last month known, as a month number.
        tonnes: Series x months up to it.
    """
    scale = np.nan_to_num(seasonal_scale(tonnes))
    return pd.DataFrame({"destination": series, "cutoff": month_label(cutoff), "scale": scale})


def forecast_file(forecasts: pd.DataFrame, *, status: str) -> pd.DataFrame:
    """Return the product's own forecasts in the columns of a forecast file."""
    own = forecasts.loc[forecasts["model"] == MODEL]
    labelled = own.assign(period=own["period"].dt.strftime("%Y-%m"), status=status)
    return labelled[list(FORECAST_COLUMNS)].reset_index(drop=True)
