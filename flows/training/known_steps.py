"""What is known at a moment, as steps of a run in Prefect: the evidence panel and the analogs."""

from features.months import month_label
from features.panel.evidence_panel import KINDS, EvidencePanel
from flows.context.console import LOG
from flows.context.prefect_runs import kept_step
from flows.context.workspace import Workspace


def show_known(workspace: Workspace) -> None:
    """Compute what is known at the moment of a workspace, unless it is kept, and tell its figures.

    Raises:
        DataError: The moment is too early, or nothing is known.
    """
    cache = workspace.history.cache
    kept_step("evidence-panel", cache, lambda: _panel(workspace))
    kept_step("analogs", cache, lambda: _analogs(workspace))


def _panel(workspace: Workspace) -> EvidencePanel:
    panel = workspace.history.panel(workspace.as_of)
    cells = ", ".join(f"{(panel.kind == place).sum()} {kind}" for place, kind in enumerate(KINDS))
    LOG.info(
        "panel     %s destinations to %s: %s; %s suspicious statements",
        *(len(panel.kind), month_label(panel.cutoff), cells, len(panel.suspicious)),
    )
    return panel


def _analogs(workspace: Workspace) -> None:
    found = workspace.history.analogs(workspace.as_of)
    LOG.info("analogs   %s controls on other minerals", len(found))
