"""What the report on a forecast shows, of a run's own and of a publication."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from flows.publishing.evidence_pipeline import EvidencePipeline
from flows.publishing.run_config import RunConfig
from flows.publishing.table_pipeline import TablePipeline
from flows.training.backtest import kept_scores
from flows.training.predict import BacktestedForecast
from service.charts.fan import ReportInput
from service.language.choice import in_language
from service.report.report import write_report
from store.messages import Message
from store.publications.panels import StoredPanel


def write_run_report(
    pipeline: EvidencePipeline | TablePipeline, forecast: BacktestedForecast, folder: Path
) -> Path:
    """Write the report on a forecast just made in the language set; return its page."""
    snapshot = pipeline.snapshot
    report = report_input(
        pipeline.config,
        forecast.table.assign(as_of=snapshot.as_of, data_vintage=snapshot.data_vintage),
        pipeline.panel(),
        scores=kept_scores(forecast.backtest),
        sentences=pipeline.unknowns(),
        pictures=snapshot.settings.pictures,
        events=pipeline.events(),
    )
    with in_language(snapshot.settings.report_language):
        return write_report(report, folder)


def report_input(
    config: RunConfig,
    rows: pd.DataFrame,
    panel: StoredPanel,
    *,
    scores: pd.DataFrame,
    sentences: Sequence[str] | Sequence[Message],
    pictures: bool,
    events: pd.DataFrame | None = None,
) -> ReportInput:
    """Return what a report shows; nothing given is modified.

    Args:
        rows: The forecast, with ``as_of`` and ``data_vintage``.
        events: Newest version of each policy event known then; None for a table, which has none.
    """
    is_main = events is not None
    return ReportInput(
        commodity=config.commodity,
        label=config.label,
        as_of=pd.Timestamp(rows["as_of"].iloc[0]),
        cutoff=str(rows["cutoff"].max()),
        forecasts=rows,
        panel=panel.frame,
        events=pd.DataFrame() if events is None else events,
        scores=scores,
        suspicious=panel.contradictions,
        unknowns=[str(one) for one in sentences] if is_main else (),
        notes=() if is_main else sentences,
        model_version=", ".join(dict.fromkeys(rows["model"].astype(str))),
        data_vintage=str(rows["data_vintage"].iloc[0]),
        pictures=pictures,
        sections=is_main,
    )
