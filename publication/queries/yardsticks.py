"""Scores of the backtest beside those of simple rules, and where the rules are better."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from models.evaluation.scores import group_label
from publication.language.phrases import gettext, marked
from publication.words import DESTINATION_NAMES, lead_words, percent, scope_name
from store.vocabulary import ALL, FORECASTABLE

YARDSTICKS: Final[dict[str, str]] = {
    "seasonal_naive": marked("seasonal naive"),
    "last_value": marked("last value"),
}
"""Models anyone could run by hand: the same month a year before, and the latest month."""

_OURS: Final = "magnetcast"
"""Name of the forecast beside the yardsticks, whichever model made it."""

_METRICS: Final = ("wape", "mase", "sql")
"""Compared here; coverage comes from ``models.evaluation.scores``."""

_CELL: Final = ["scope", "horizon_from", "horizon_to", "model"]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Scores of one model in one scope and range of horizons; shares are 0..1."""

    scope: str
    months: str
    model: str
    yardstick: bool
    wape: float
    mase: float
    sql: float
    cells: int
    loses_to: tuple[str, ...]

    @property
    def scope_name(self) -> str:
        return scope_name(self.scope)

    @property
    def model_name(self) -> str:
        return gettext(YARDSTICKS[self.model]) if self.yardstick else _OURS


def without_components(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of the forecast and of the yardsticks, without those of its components.

    A version of the model has hyphens in its name; a component is one word.
    """
    if scores.empty:
        return scores
    names = scores["model"]
    return scores.loc[names.isin({_OURS, *YARDSTICKS}) | names.str.contains("-", regex=False)]


def score_rows(scores: pd.DataFrame) -> list[ScoreRow]:
    """One row a scope, range of leads and model: all destinations first, our forecast on top.

    A backtest stored without leads has horizons in their place.
    """
    if scores.empty:
        return []
    by_lead = scores.loc[scores["metric"].str.startswith("lead_")]
    scores = by_lead if len(by_lead) else scores
    scores = scores.assign(metric=scores["metric"].str.removeprefix("lead_"))
    scores = scores.loc[scores["metric"].isin(_METRICS)]
    wide = scores.pivot_table(index=_CELL, columns="metric", values="value", observed=True)
    wide = wide.reindex(columns=list(_METRICS))
    cells = scores.groupby(_CELL, observed=True)["cells"].max()
    frame = wide.join(cells).reset_index()
    return [_score_row(row, frame) for row in sorted(frame.to_dict("records"), key=_reading_order)]


def held_ahead(scores: pd.DataFrame) -> Mapping[Hashable, Any] | None:
    """Share and number of months up to a year to come within the 80% band; None where unknown."""
    if scores.empty:
        return None
    is_band = scores["metric"].eq("lead_coverage80") & scores["scope"].eq(ALL)
    is_band &= scores["horizon_from"].eq(1) & scores["horizon_to"].eq(12)
    rows = scores.loc[is_band & ~scores["model"].isin(list(YARDSTICKS))].to_dict("records")
    return rows[0] if rows else None


def losses(rows: list[ScoreRow]) -> list[str]:
    """One sentence for each scope and range in which a yardstick has the smaller error."""
    wape = {(row.scope, row.months, row.model): row.wape for row in rows}
    return [
        gettext(
            "%(scope)s, months %(months)s: error of %(model)s %(error)s, %(others)s.",
            scope=row.scope_name,
            months=row.months,
            model=row.model_name,
            error=percent(row.wape),
            others=", ".join(
                f"{gettext(YARDSTICKS[other])} {percent(wape[row.scope, row.months, other])}"
                for other in row.loses_to
            ),
        )
        for row in rows
        if row.loses_to
    ]


def _score_row(row: Mapping[Hashable, Any], frame: pd.DataFrame) -> ScoreRow:
    same = frame["model"].isin(list(YARDSTICKS)) & frame["wape"].lt(row["wape"])
    for name in ("scope", "horizon_from", "horizon_to"):
        same &= frame[name].eq(row[name])
    yardstick, first, last = row["model"] in YARDSTICKS, row["horizon_from"], row["horizon_to"]
    return ScoreRow(
        scope=str(row["scope"]),
        months=lead_words(group_label(first, last)),
        model=str(row["model"]),
        yardstick=yardstick,
        cells=int(row["cells"]),
        loses_to=() if yardstick else tuple(frame.loc[same, "model"].astype(str)),
        **{metric: float(row[metric]) for metric in _METRICS},
    )


def _reading_order(row: Mapping[Hashable, Any]) -> tuple[int, bool, int, int, bool, str]:
    """Order by scope as people read it, then months to come, wide ranges first; ours on top."""
    scopes = [ALL, FORECASTABLE, *DESTINATION_NAMES]
    place = scopes.index(row["scope"]) if row["scope"] in scopes else len(scopes)
    first, last, model = row["horizon_from"], row["horizon_to"], str(row["model"])
    return place, last <= 0, first, -last, model in YARDSTICKS, model
