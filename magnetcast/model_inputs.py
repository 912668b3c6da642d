"""The panel of an as-of and what a model takes from it; needs no package of the ``ops`` extra."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

import pandas as pd

from flows.cli.options import moment
from flows.context.parameter_sources import parameters_for
from flows.context.run_config import config_of
from flows.context.stores import store_of
from flows.context.workspace import Workspace, open_workspace
from flows.ingest.ingest import ingest_if_empty
from models.forecasting.model_frame import rows_of
from store.facts.commodities import evidence_digests
from store.settings import Settings

Moment = str | pd.Timestamp | None


def panel(as_of: Moment = None, *, commodity: str | None = None) -> pd.DataFrame:
    """The panel of every month and destination as known at an as-of.

    Args:
        as_of: Day or UTC moment.
        commodity: Code of a full partner table, e.g. ``"250410"``; the magnets if left out.

    Returns:
        One row per destination and month: destination, period, tonnes, stderr_t, kind
        (``observed``, ``derived`` or ``estimated``), available_at.

    Examples:
        >>> panel = mc.panel("2026-11-25").set_index(["destination", "period"])
        >>> float(panel.loc[("USA", "2025-05-01"), "tonnes"].round(1))
        46.4
    """
    return opened(as_of, commodity).panel.frame.copy()


def features(as_of: Moment = None, *, commodity: str | None = None) -> pd.DataFrame:
    """Rows that a stored model takes as input at an as-of; arguments as of ``panel``.

    Returns:
        One row per destination and month to forecast: destination, period, horizon in months, one
        column per feature, level_tonnes, offset_tonnes and experts_tonnes, the base forecast; of a
        partner table usual_move_tonnes too, the spread of the series.

    Examples:
        >>> rows = mc.features("2026-11-25")
        >>> sorted({"horizon", "tonnes_lag_1m_log", "experts_tonnes"} - set(rows))
        []
    """
    return rows_of(opened(as_of, commodity).origin)


def opened(
    as_of: Moment, commodity: str | None = None, changes: Mapping[str, float] | None = None
) -> Workspace:
    """Workspace of what was known at a moment, with the champion's parameters and changes."""
    settings, config = Settings(), config_of(commodity)
    ingest_if_empty(settings)
    known_by = moment(as_of, option="as_of")
    if as_of is None:
        digest = evidence_digests(store_of(settings), as_of=known_by).digest
        known_by = _first_asked(digest, known_by.date())
    values = parameters_for(settings, known_by, changes=changes or {}, config=config).parameters
    return open_workspace(settings, known_by, config, parameters=values)


@lru_cache(maxsize=1)
def _first_asked(_known: str, _day: date) -> pd.Timestamp:
    """One moment for all calls of a day with the same facts, so that they share a history."""
    return moment(None)
