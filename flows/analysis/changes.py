"""What changed published medians from one publication to another."""

from typing import Final, Protocol

import numpy as np
import pandas as pd

from flows.analysis.evidence_changes import evidence_replay
from flows.analysis.table_changes import table_replay
from flows.publishing.published_forecasts import ExplainRequest, common, publication
from flows.publishing.run_config import config_of
from models.explain.changes import MedianForecast, split
from store.errors import DataError
from store.settings import Settings
from store.vocabulary import CHANGES, COMMODITY, NOT_REPRODUCED

COLUMNS: Final = (
    "destination", "period", "since", "as_of", "before_p50", "after_p50", "change", *CHANGES,
)  # fmt: skip


class Recomputed(Protocol):
    """Forecasts between two publications, with any of their inputs replaced."""

    @property
    def changed(self) -> frozenset[str]:
        """Return the inputs that differ."""

    def value(self, replaced: frozenset[str]) -> MedianForecast:
        """Return the medians with these inputs of the later forecast, the others of the earlier."""


def changes(
    settings: Settings,
    asked: ExplainRequest,
    since: pd.Timestamp,
    *,
    commodity: str = COMMODITY,
) -> pd.DataFrame:
    """Return what changed published medians from one publication to another.

    Both are recomputed from what was known at their moments, with the models that made them; then
    one input after the other is replaced. Where a model is gone, the other stands in for it and
    what that leaves is ``not_reproduced``.

    Args:
        settings: Where things are kept.
        asked: What is to be explained; the newest publication up to its ``as_of`` is the later one.
        since: The newest publication up to this moment (UTC) is the earlier one.
        commodity: As published.

    Returns:
        One row per month that both tell, ``COLUMNS``: both medians, the change and the parts that
        add up to it, in tonnes.

    Raises:
        DataError: There is no publication that early, the days are the wrong way round, the
            destination or month is not in both, or who was in a group was not recorded.
    """
    old, new = _pair_of(settings, asked, since, commodity)
    before, after = (rows["p50"].to_numpy(float) for rows in (old, new))
    recomputed = _recomputed(settings, old, new)
    if recomputed is None:
        parts = dict.fromkeys(CHANGES, np.zeros(len(new))) | {NOT_REPRODUCED: after - before}
    else:
        parts = split(before, after, recomputed.value, changed=recomputed.changed)
    medians = {"before_p50": before, "after_p50": after, "change": after - before}
    return new.assign(since=old["as_of"].iloc[0], **medians, **parts)[list(COLUMNS)]


def _recomputed(settings: Settings, old: pd.DataFrame, new: pd.DataFrame) -> Recomputed | None:
    """Return both forecasts recomputed; None where no model of either is left."""
    config = config_of(str(new["commodity"].iloc[0]))
    if config.forecaster == "evidence":
        return evidence_replay(settings, old, new)
    return table_replay(settings, old, new, config)


def _pair_of(
    settings: Settings, asked: ExplainRequest, since: pd.Timestamp, commodity: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows asked for of an earlier and a later publication, month beside month."""
    before = publication(settings, since, commodity=commodity)
    old, new = common(before, publication(settings, asked.as_of, commodity=commodity), asked)
    if old["as_of"].iloc[0] > new["as_of"].iloc[0]:
        raise DataError(
            f"--since {since:%Y-%m-%d} lies after --as-of {asked.as_of:%Y-%m-%d}. "
            "Expected the earlier day in --since. Exchange them."
        )
    return old, new
