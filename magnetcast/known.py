"""What was known, as tidy tables: what needs neither MLflow nor a server."""

from datetime import date
from functools import lru_cache

import pandas as pd

from flows.cli.options import moment
from flows.context.stores import store_of
from flows.context.workspace import EvidenceWorkspace, open_evidence
from flows.ingest.ingest import ingest_if_empty
from models.forecasting.model_frame import rows_of
from store.facts.evidence import evidence_digests
from store.settings import Settings

Moment = str | pd.Timestamp | None


def panel(as_of: Moment = None) -> pd.DataFrame:
    """Return the table of every month and destination as it was known.

    Returns:
        One row a destination and month: destination, period, tonnes, stderr_t, kind (``observed``,
        ``derived`` or ``estimated``), available_at.
    """
    workspace = opened(as_of)
    return workspace.panel.frame.copy()


def features(as_of: Moment = None) -> pd.DataFrame:
    """Return the rows that a model is asked about at an as_of, as a stored model takes them.

    Returns:
        One row a destination and month to forecast: destination, cutoff, period, horizon, one
        column a feature, level_tonnes, offset_tonnes and experts_tonnes, the middle of the experts.
    """
    workspace = opened(as_of)
    return rows_of(workspace.origin)


def opened(as_of: Moment) -> EvidenceWorkspace:
    """Return what was known at a moment."""
    settings = Settings()
    ingest_if_empty(settings)
    if as_of is not None:
        return open_evidence(settings, moment(as_of, option="as_of"))
    now = moment(None)
    known = evidence_digests(store_of(settings), as_of=now).digest
    return open_evidence(settings, _first_asked(known, now.date()))


@lru_cache(maxsize=1)
def _first_asked(_known: str, _day: date) -> pd.Timestamp:
    """Return one moment for all calls of a day that know the same facts: they share a history."""
    return moment(None)
