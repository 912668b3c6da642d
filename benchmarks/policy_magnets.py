"""Magnet exports with and without policy: features left out of every origin, and the response."""

from dataclasses import replace

import page
import pandas as pd
from magnets import BUNDLED
from policy_cells import Found, Window

from features.history import EvidenceHistory
from features.origin import Origin
from flows.cli.options import moment
from models.evaluation.backtest import backtest_evidence
from models.forecasting.forecaster import MODEL, UNANSWERED
from models.learning.spec import ModelSpec
from sources.bundled.all_tables import load_bundled
from store.vocabulary import AGGREGATES, WORLD

PANEL = "magnets"
HORIZON = 6
SUMS = {WORLD, *AGGREGATES}
SCOPES = (WORLD, "USA", "destinations")
SHOCKS = {
    "licence duty of 2025-04-04": ("2025-04-04", "2025-04", "2025-09", SCOPES),
    "controls of 2025-10-09": ("2025-10-09", "2025-10", "2026-03", SCOPES),
    "US duties of 2025-02-01": ("2025-02-01", "2025-02", "2025-03", ("USA",)),
    "ban for Japan of 2026-01-06": ("2026-01-06", "2026-01", "2026-06", ("JPN",)),
}
"""Day of announcement, first and last month counted, and what was hit. The duties' months end
before the licence duty, which hit the USA as well."""

CALM = {
    "origins 2024-06 to 2025-01, months to 2025-01": ("2024-06", "2025-01", "2024-01", "2025-01"),
    "origins from 2026-04 on": ("2026-04", "2026-12", "2026-04", "2026-12"),
}
"""First and last origin, first and last month."""

TEXT = """
**Magnets.** `models.evaluation.backtest.replay` at the 25th of each month; scored only where a
level was published, so few cells are. Without: the same model with no event and no tariff in any
origin, past ones too. The row *destinations* holds all but the sums. How the response fares is not
blind: it was made knowing of April 2025, though no month of magnets after it was fitted to.
"""


class Blind(EvidenceHistory):
    """The past without policy: no event, no tariff and no analog is known at any origin."""

    def origin(self, moment: pd.Timestamp) -> Origin:
        """Return the origin at a moment with nothing but trade in it; made once."""
        if moment not in self._origins:
            self._origins[moment] = replace(super().origin(moment), events=None, tariffs=None)
        return self._origins[moment]


def magnet_cells(as_of: str, spec: ModelSpec) -> Found:
    """Replay the magnets with and without policy."""
    batch = load_bundled(page.DATA)
    frames = [batch.frame(name) for name in BUNDLED]
    answer = moment(as_of)
    seeing = backtest_evidence(EvidenceHistory(*frames), answer, spec=spec).cells
    blind = backtest_evidence(Blind(*frames[:3]), answer, spec=spec).cells
    ways = {UNANSWERED: "features", MODEL: "response"}
    result = seeing.loc[seeing["model"].isin(ways)]
    cells = pd.concat(
        [
            result.assign(model=result["model"].map(ways)),
            blind.loc[blind["model"] == UNANSWERED].assign(model="without"),
        ],
        ignore_index=True,
    )
    cells = cells.loc[cells["horizon"].between(1, HORIZON)]
    month = cells["period"].dt.strftime("%Y-%m")
    return Found(TEXT, *windows_of(cells.assign(month=month)))


def windows_of(cells: pd.DataFrame) -> tuple[list[Window], list[Window], list[Window]]:
    shocks, detail = [], []
    for name, (day, first, last, scopes) in SHOCKS.items():
        after = cells["as_of"] > moment(day)
        part = cells.loc[after & cells["month"].between(first, last)]
        for scope in scopes:
            hit = scope_of(part, scope)
            shocks.append(Window(PANEL, f"{name}, {scope}, all origins", hit))
            firsts = hit.loc[hit["as_of"] == part["as_of"].min()]
            shocks.append(Window(PANEL, f"{name}, {scope}, first origin", firsts))
            if scope in {WORLD, "USA"}:
                detail += [
                    Window(PANEL, f"{name}, {scope}, origin {one:%Y-%m-%d}", rows)
                    for one, rows in hit.groupby("as_of")
                ]
    origin = cells["as_of"].dt.strftime("%Y-%m")
    calm = [
        Window(PANEL, f"{name}, {scope}", scope_of(cells.loc[inside], scope))
        for name, (start, end, first, last) in CALM.items()
        for inside in [origin.between(start, end) & cells["month"].between(first, last)]
        for scope in SCOPES
    ]
    return shocks, calm, detail


def scope_of(cells: pd.DataFrame, scope: str) -> pd.DataFrame:
    own = ~cells["destination"].isin(SUMS) if scope == "destinations" else None
    return cells.loc[cells["destination"].eq(scope) if own is None else own]
