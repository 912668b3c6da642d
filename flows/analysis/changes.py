"""What changed published medians from one publication to another."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from flows.context.console import say
from flows.context.workspace import store_of
from flows.publishing.published_forecasts import ExplainRequest, common, model_of, publication
from models.explain.changes import (
    ChangeReplay,
    ForecastSnapshot,
    KnownFacts,
    news_of,
    split,
    words_of,
)
from models.registry import registry
from store.errors import DataError
from store.facts.reading import (
    evidence_commodities,
    read_analog_events,
    read_events,
    read_observations,
    read_tariffs,
)
from store.settings import Settings
from store.vocabulary import CHANGES, COMMODITY, NOT_REPRODUCED

COLUMNS: Final = (
    "destination", "period", "since", "as_of", "before_p50", "after_p50", "change", *CHANGES,
)  # fmt: skip


def changes(settings: Settings, asked: ExplainRequest, since: pd.Timestamp) -> pd.DataFrame:
    """Return what changed published medians from one publication to another.

    Both are computed anew from what was known at their moments and with the models that made them.
    Where a model is gone, the other stands in for it and what that leaves is ``not_reproduced``.

    Args:
        settings: Where things are kept.
        asked: What is to be explained; the newest publication up to its ``as_of`` is the later one.
        since: The newest publication up to this moment (UTC) is the earlier one.

    Returns:
        One row per month that both tell, ``COLUMNS``: both medians, the change and the parts that
        add up to it, in tonnes.

    Raises:
        DataError: There is no publication that early, the days are the wrong way round, or the
            destination or month is not in both.
    """
    old, new = pair_of(settings, asked, since)
    before, after = old["p50"].to_numpy(), new["p50"].to_numpy()
    earlier, later = old["as_of"].iloc[0], new["as_of"].iloc[0]
    facts = _facts(store_of(settings), later)
    news = news_of(facts, earlier)
    say(f"explain   news since {earlier:%Y-%m-%d}: {words_of(news, facts)}")
    stands = _stands(settings, old, new)
    parts = dict.fromkeys(CHANGES, np.zeros(len(new)))
    parts[NOT_REPRODUCED] = after - before
    if stands is not None:
        replay = ChangeReplay(facts, *stands, asked.destination, list(new["period"]), news)
        parts = split(before, after, replay.value, changed=replay.changed)
    return with_parts(old, new, parts)


def pair_of(
    settings: Settings, asked: ExplainRequest, since: pd.Timestamp, *, commodity: str = COMMODITY
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows asked for of an earlier and a later publication, month beside month.

    Raises:
        DataError: There is no publication that early, the days are the wrong way round, or the
            destination or month is not in both.
    """
    before = publication(settings, since, commodity=commodity)
    old, new = common(before, publication(settings, asked.as_of, commodity=commodity), asked)
    if old["as_of"].iloc[0] > new["as_of"].iloc[0]:
        raise DataError(
            f"--since {since:%Y-%m-%d} lies after --as-of {asked.as_of:%Y-%m-%d}. "
            "Expected the earlier day in --since. Exchange them."
        )
    return old, new


def with_parts(
    old: pd.DataFrame, new: pd.DataFrame, parts: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Return the rows of a change, ``COLUMNS``, from two publications and its parts by name."""
    before, after = old["p50"].to_numpy(), new["p50"].to_numpy()
    medians = {"before_p50": before, "after_p50": after, "change": after - before}
    return new.assign(since=old["as_of"].iloc[0], **medians, **parts)[list(COLUMNS)]


def _facts(engine: Engine, moment: pd.Timestamp) -> KnownFacts:
    return KnownFacts(
        read_observations(engine, as_of=moment, commodities=evidence_commodities(engine)),
        read_events(engine, as_of=moment),
        read_tariffs(engine, as_of=moment),
        read_analog_events(engine, as_of=moment),
    )


def _stands(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame
) -> tuple[ForecastSnapshot, ForecastSnapshot] | None:
    """Return where both stand, one model standing in for one that is gone; None without both."""
    earlier = model_of(settings, old)
    is_one = old["model"].iloc[0] == new["model"].iloc[0]
    later = earlier if is_one else model_of(settings, new)
    first, last = earlier or later, later or earlier
    if first is None or last is None:
        return None
    return _stand(old, first), _stand(new, last)


def _stand(rows: pd.DataFrame, model: registry.LoadedModel) -> ForecastSnapshot:
    return ForecastSnapshot(rows["as_of"].iloc[0], model.version, model.heads, model.card)
