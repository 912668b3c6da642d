"""Forecasts of the evidence panel between two publications, one input replaced after the other."""

import pandas as pd
from sqlalchemy import Engine

from features.panel.evidence_panel import EvidencePanel
from flows.context.console import echo
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.publishing.published_forecasts import model_of
from models.explain.changes import (
    ChangeReplay,
    ForecastSnapshot,
    KnownFacts,
    news_of,
    words_of,
)
from models.registry import model_store
from store.facts.evidence import evidence_commodities
from store.facts.reading import read_analog_events, read_events, read_observations, read_tariffs
from store.settings import Settings


def evidence_replay(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame
) -> ChangeReplay | None:
    """Return the forecasts of a destination recomputed between two publications.

    Args:
        settings: Where things are kept.
        old: Rows of the earlier publication, of one destination; not modified.
        new: The same months of the later one; not modified.

    Returns:
        None where neither's model is left; one model stands in for one that is gone.
    """
    earlier, later = old["as_of"].iloc[0], new["as_of"].iloc[0]
    facts = _facts(store_of(settings), later)
    news = news_of(facts, earlier)
    echo(f"explain   news since {earlier:%Y-%m-%d}: {words_of(news, facts)}")
    snapshots = _snapshots(settings, old, new)
    if snapshots is None:
        return None
    replay = ChangeReplay(facts, *snapshots, new["destination"].iloc[0], list(new["period"]), news)
    inputs = replay.changed
    replay.panels[earlier, False, False] = _panel(settings, earlier)
    replay.panels[later, "new_actuals" in inputs, "revised_actuals" in inputs] = _panel(
        settings, later
    )
    return replay


def _panel(settings: Settings, moment: pd.Timestamp) -> EvidencePanel:
    """Return the panel at a moment: the stored one where the facts are still those of then."""
    return open_workspace(settings, moment).history.panel(moment)


def _facts(engine: Engine, moment: pd.Timestamp) -> KnownFacts:
    return KnownFacts(
        read_observations(engine, as_of=moment, commodities=evidence_commodities(engine)),
        read_events(engine, as_of=moment),
        read_tariffs(engine, as_of=moment),
        read_analog_events(engine, as_of=moment),
    )


def _snapshots(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame
) -> tuple[ForecastSnapshot, ForecastSnapshot] | None:
    earlier = model_of(settings, old)
    is_one = old["model"].iloc[0] == new["model"].iloc[0]
    later = earlier if is_one else model_of(settings, new)
    first, last = earlier or later, later or earlier
    if first is None or last is None:
        return None
    return _snapshot(old, first), _snapshot(new, last)


def _snapshot(rows: pd.DataFrame, model: model_store.LoadedModel) -> ForecastSnapshot:
    return ForecastSnapshot(rows["as_of"].iloc[0], model.version, model.heads, model.card)
