"""Model versions: trained, compared and promoted, as by the verbs of the same names.

Results are written to the registry of the home; nothing is published and no server is started.
"""

from pathlib import Path

import pandas as pd

from flows.cli.options import moment
from flows.context.run_config import config_of
from flows.context.stores import single_writer
from flows.context.workspace import workspace_with
from flows.ingest.ingest import ingest_if_empty
from flows.training.compare_runs import compare_runs
from flows.training.promote import PromotionOutcome
from flows.training.promote import promote as promote_in
from flows.training.promote import rollback as rollback_in
from flows.training.train import train as train_in
from store.settings import Settings


def train(
    as_of: str | pd.Timestamp | None = None,
    *,
    commodity: str | None = None,
    file: str | Path | None = None,
    **parameters: float,
) -> int:
    """Train a model, promote it if it passes the gate, and return its version.

    Args:
        commodity: Code of a full partner table, e.g. ``"250410"``; the magnets if left out.
        file: Parameter file, as by ``--parameters``.
        parameters: Changes of its parameters, or of the champion's, as by ``--set``.

    Raises:
        DataError: A parameter is unknown or out of range.
    """
    settings, known_by = Settings(), moment(as_of, option="as_of")
    place = None if file is None else str(file)
    ingest_if_empty(settings)
    with single_writer(settings):
        return train_in(workspace_with(settings, known_by, commodity, parameters, place))


def compare(a: int | str, b: int | str, *, commodity: str | None = None) -> pd.DataFrame:
    """Scores of two versions or MLflow runs on the cells they share.

    Args:
        commodity: Commodity of the versions, as in ``train``.

    Returns:
        One row per scope and metric: A, B, the difference B minus A, and its bounds p05 and p95.
    """
    return compare_runs(Settings(), str(a), str(b), config_of(commodity)).scores


def promote(
    version: int | None = None, *, commodity: str | None = None, accept: str | None = None
) -> PromotionOutcome:
    """Compare a version with the champion, and promote it if every rule holds.

    Args:
        version: The challenger if left out.
        commodity: Commodity of the model, as in ``train``.
        accept: Reason to promote a version that a rule refuses or that cannot be compared.

    Returns:
        ``is_champion``, and the ``decision`` with its ``table`` of rules.
    """
    settings = Settings()
    with single_writer(settings):
        return promote_in(settings, moment(None), version, accept, config=config_of(commodity))


def rollback(reason: str, *, commodity: str | None = None) -> int:
    """Let the previous champion publish again, and return its version.

    Args:
        reason: Why; kept with the version that is withdrawn.
        commodity: Commodity of the model, as in ``train``.
    """
    settings = Settings()
    with single_writer(settings):
        return rollback_in(settings, moment(None), reason, config_of(commodity))[0].version
