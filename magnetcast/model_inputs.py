"""The panel of an as-of and what a model takes from it; needs no package of the ``ops`` extra."""

from datetime import date
from functools import lru_cache

import pandas as pd

from flows.cli.options import moment
from flows.context.run_config import config_of
from flows.context.stores import store_of
from flows.context.workspace import EvidenceWorkspace, Workspace, open_evidence, workspace_of
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
    """
    return _workspace(as_of, commodity).panel.frame.copy()


def features(as_of: Moment = None, *, commodity: str | None = None) -> pd.DataFrame:
    """Rows that a stored model takes as input at an as-of; arguments as of ``panel``.

    Returns:
        One row per destination and month to forecast: destination, period, horizon in months, one
        column per feature, level_tonnes, offset_tonnes and experts_tonnes, the base forecast; of a
        partner table usual_move_tonnes too, the scale of the series.
    """
    return rows_of(_workspace(as_of, commodity).origin)


def _workspace(as_of: Moment, commodity: str | None) -> Workspace:
    at = opened(as_of)
    return at if commodity is None else workspace_of(at.settings, at.as_of, config_of(commodity))


def opened(as_of: Moment) -> EvidenceWorkspace:
    """Workspace of what was known at a moment."""
    settings = Settings()
    ingest_if_empty(settings)
    if as_of is not None:
        return open_evidence(settings, moment(as_of, option="as_of"))
    present = moment(None)
    digest = evidence_digests(store_of(settings), as_of=present).digest
    return open_evidence(settings, _first_asked(digest, present.date()))


@lru_cache(maxsize=1)
def _first_asked(_known: str, _day: date) -> pd.Timestamp:
    """One moment for all calls of a day with the same facts, so that they share a history."""
    return moment(None)
