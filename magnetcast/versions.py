"""Versions of the model: trained, compared and promoted, as the commands of the same names do.

What is written goes to the registry of the home; nothing is published and no server started.
"""

import pandas as pd

from flows.cli.options import moment
from flows.context.run_config import config_of
from flows.context.stores import single_writer
from flows.context.workspace import workspace_with
from flows.ingest.ingest import ingest_if_empty
from flows.training.compare_runs import compare_runs
from flows.training.promote import PromotionOutcome
from flows.training.promote import promote as promote_in
from flows.training.train import train as train_in
from store.settings import Settings


def train(
    as_of: str | pd.Timestamp | None = None, *, commodity: str | None = None, **parameters: float
) -> int:
    """Train a model, promote it if it passes the gate, and return its version.

    Args:
        commodity: Code of a full partner table, e.g. ``"250410"``; the magnets if left out.
        parameters: As ``--set`` takes them, laid over those of the champion.

    Raises:
        DataError: A parameter is none, or out of its range.
    """
    settings, known_by = Settings(), moment(as_of, option="as_of")
    ingest_if_empty(settings)
    with single_writer(settings):
        return train_in(workspace_with(settings, known_by, commodity, parameters))


def compare(a: int | str, b: int | str, *, commodity: str | None = None) -> pd.DataFrame:
    """Return the scores of two versions or MLflow runs on the cells they share.

    Args:
        commodity: Whose versions, as of ``train``.

    Returns:
        One row a scope and metric: A, B, the difference B less A, and its bounds p05 and p95.
    """
    return compare_runs(Settings(), str(a), str(b), config_of(commodity)).scores


def promote(
    version: int | None = None, *, commodity: str | None = None, accept: str | None = None
) -> PromotionOutcome:
    """Compare a version with the champion, and promote it if every rule holds.

    Args:
        version: The challenger if left out.
        commodity: Whose model, as of ``train``.
        accept: Why a person promotes what a rule refuses or nothing could be compared with.

    Returns:
        ``is_champion``, and the ``decision`` with its ``table`` of rules.
    """
    settings = Settings()
    with single_writer(settings):
        return promote_in(settings, moment(None), version, accept, config=config_of(commodity))
