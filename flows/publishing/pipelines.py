"""Configurations as pipelines: the same steps, each kind of forecast in its own way."""

from collections.abc import Iterator, Sequence

import pandas as pd

from flows.publishing.evidence_pipeline import EvidencePipeline, open_evidence
from flows.publishing.run_config import RunConfig, by_model
from flows.publishing.table_pipeline import TablePipeline, open_table_pipelines
from store.settings import Settings

Pipeline = EvidencePipeline | TablePipeline
"""Both hold ``config`` and ``snapshot``, and have the same methods: ``is_current``, ``forecast``,
``fallback``, ``plausible_at``, ``panel``, ``made_with``, ``unknowns`` and ``write_report``."""


def open_pipelines(
    settings: Settings, as_of: pd.Timestamp, configs: Sequence[RunConfig]
) -> Iterator[tuple[str, Pipeline | str]]:
    """Yield by key the pipelines of configurations, or why one cannot be forecast.

    Those that share a model come together, and are opened when their turn comes.

    Args:
        settings: Where things are kept.
        as_of: The moment to forecast at (UTC).
        configs: What to forecast; the main job brings the bundled figures in first.
    """
    for members in by_model(configs):
        if members[0].forecaster == "evidence":
            yield members[0].published_as, open_evidence(settings, as_of)
        else:
            yield from open_table_pipelines(settings, as_of, members).items()
