"""Why published medians are what they are, and what changed them between two publications."""

import json
from typing import Final

import numpy as np
import pandas as pd

from flows.analysis.table_changes import TableReplay, table_replay
from flows.context.console import echo
from flows.context.stores import store_of
from flows.context.workspace import Workspace, known_facts, open_workspace
from flows.publishing.published_forecasts import (
    ExplainRequest,
    chosen,
    common,
    model_of,
    publication,
)
from flows.publishing.run_config import config_of
from flows.training.predict import predict
from models.forecasting.changes import (
    ChangeReplay,
    ForecastSnapshot,
    KnownFacts,
    news_of,
    split,
    words_of,
)
from models.forecasting.decomposition import explained
from models.registry import model_store
from store.errors import DataError
from store.facts.reading import (
    latest_forecast,
)
from store.settings import Settings
from store.vocabulary import CHANGES, COMMODITY, CONTRIBUTIONS, NOT_REPRODUCED

SAME: Final = 1e-6
"""Difference up to which a number counts as reproduced: relative, and in tonnes."""

PART_COLUMNS: Final = (
    "destination", "period", "as_of", "model", "p50", *CONTRIBUTIONS, NOT_REPRODUCED,
)  # fmt: skip


def why(settings: Settings, asked: ExplainRequest) -> pd.DataFrame:
    """Return why published medians are what they are.

    Where nothing was published by then, the forecast is computed as ``predict`` does. A published
    number is computed anew with the model that made it. Where that gives another number, the parts
    stored on publication are returned; without these the difference is ``not_reproduced``.

    Returns:
        One row per month, ``PART_COLUMNS``: p50 and the parts that add up to it, in tonnes.

    Raises:
        DataError: The destination or month was not forecast.
    """
    published = latest_forecast(store_of(settings), as_of=asked.as_of)
    if published.empty:
        day = f"{asked.as_of:%Y-%m-%d}"
        echo(f"explain   nothing was published by {day}: forecasting as of that day")
        made = predict(settings, asked.as_of).table.assign(as_of=asked.as_of)
        rows = chosen(made, asked)
        return _table(rows, _stored(rows))
    rows = chosen(published, asked)
    anew = _computed(settings, rows)
    if np.allclose(anew["p50"], rows["p50"], rtol=SAME, atol=SAME):
        return _table(rows, anew)
    far = (anew["p50"] - rows["p50"]).abs().max()
    if far > 0:  # not so without the model, which model_of reports
        echo(
            f"explain   the forecast of {rows['as_of'].iloc[0]:%Y-%m-%d} computed anew is up to "
            f"{far:,.1f} t off: rows known by then came in later, or the program changed"
        )
    if rows["contributions"].isna().any():
        return _table(rows, anew)
    echo("explain   the parts are those stored on publication")
    return _table(rows, _stored(rows))


def _computed(settings: Settings, rows: pd.DataFrame) -> pd.DataFrame:
    """Return published rows computed anew; without their model only the level, p50 missing."""
    workspace = open_workspace(settings, rows["as_of"].iloc[0])
    model = model_of(settings, rows)
    if model is None:
        return _level_only(workspace, rows)
    table = explained(model.heads, model.card, workspace.history, workspace.as_of)
    return rows[["destination", "period"]].merge(table, how="left")


def _level_only(workspace: Workspace, rows: pd.DataFrame) -> pd.DataFrame:
    origin = workspace.history.origin(workspace.as_of)
    level = dict(zip(origin.series, origin.level.tolist(), strict=True))
    parts = dict.fromkeys(CONTRIBUTIONS, 0.0)
    known = rows[["destination"]].assign(p50=np.nan, **parts)
    return known.assign(level=rows["destination"].map(level))


def _stored(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the parts that are stored beside forecast rows."""
    parts = [json.loads(text) for text in rows["contributions"]]
    return pd.DataFrame(parts, index=rows.index, columns=list(CONTRIBUTIONS))


def _table(rows: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """Return forecast rows with their parts; what these leave out is ``not_reproduced``."""
    known = parts[list(CONTRIBUTIONS)]
    table = pd.concat([rows[["destination", "period", "as_of", "model", "p50"]], known], axis=1)
    return table.assign(**{NOT_REPRODUCED: rows["p50"] - known.sum(axis=1)})[list(PART_COLUMNS)]


CHANGE_COLUMNS: Final = (
    "destination", "period", "since", "as_of", "before_p50", "after_p50", "change", *CHANGES,
)  # fmt: skip


def changes(
    settings: Settings,
    asked: ExplainRequest,
    since: pd.Timestamp,
    *,
    commodity: str = COMMODITY,
) -> pd.DataFrame:
    """Return what changed published medians from one publication to another.

    Both are recomputed from what was known at their moments, with the models that made them; then
    one input after the other is replaced. Where a model is gone, the other stands in for it and
    what that leaves is ``not_reproduced``.

    Args:
        settings: Where things are kept.
        asked: What is to be explained; the newest publication up to its ``as_of`` is the later one.
        since: The newest publication up to this moment (UTC) is the earlier one.
        commodity: As published.

    Returns:
        One row per month that both tell, ``CHANGE_COLUMNS``: both medians, the change and the parts
        that add up to it, in tonnes.

    Raises:
        DataError: There is no publication that early, the days are the wrong way round, the
            destination or month is not in both, or who was in a group was not recorded.
    """
    old, new = _pair_of(settings, asked, since, commodity)
    before, after = (rows["p50"].to_numpy(float) for rows in (old, new))
    config = config_of(str(new["commodity"].iloc[0]))
    recomputed: ChangeReplay | TableReplay | None
    if config.forecaster == "evidence":
        recomputed = evidence_replay(settings, old, new)
    else:
        recomputed = table_replay(settings, old, new, config)
    if recomputed is None:
        parts = dict.fromkeys(CHANGES, np.zeros(len(new))) | {NOT_REPRODUCED: after - before}
    else:
        parts = split(before, after, recomputed.value, changed=recomputed.changed)
    medians = {"before_p50": before, "after_p50": after, "change": after - before}
    return new.assign(since=old["as_of"].iloc[0], **medians, **parts)[list(CHANGE_COLUMNS)]


def _pair_of(
    settings: Settings, asked: ExplainRequest, since: pd.Timestamp, commodity: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows asked for of an earlier and a later publication, month beside month."""
    before = publication(settings, since, commodity=commodity)
    old, new = common(before, publication(settings, asked.as_of, commodity=commodity), asked)
    if old["as_of"].iloc[0] > new["as_of"].iloc[0]:
        raise DataError(
            f"--since {since:%Y-%m-%d} lies after --as-of {asked.as_of:%Y-%m-%d}. "
            "Expected the earlier day in --since. Exchange them."
        )
    return old, new


def evidence_replay(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame
) -> ChangeReplay | None:
    """Return the forecasts of a destination recomputed between two publications.

    Args:
        settings: Where things are kept.
        old: Rows of the earlier publication, of one destination; not modified.
        new: The same months of the later one; not modified.

    Returns:
        None where neither's model is left; one model stands in for one that is gone.
    """
    earlier, later = old["as_of"].iloc[0], new["as_of"].iloc[0]
    facts = KnownFacts(*known_facts(store_of(settings), later))
    news = news_of(facts, earlier)
    echo(f"explain   news since {earlier:%Y-%m-%d}: {words_of(news, facts)}")
    snapshots = _snapshots(settings, old, new)
    if snapshots is None:
        return None
    replay = ChangeReplay(facts, *snapshots, new["destination"].iloc[0], list(new["period"]), news)
    is_new, is_revised = (name in replay.changed for name in ("new_actuals", "revised_actuals"))
    # The stored panels, where the facts are still those of then.
    for moment, key in ((earlier, (False, False)), (later, (is_new, is_revised))):
        replay.panels[moment, *key] = open_workspace(settings, moment).history.panel(moment)
    return replay


def _snapshots(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame
) -> tuple[ForecastSnapshot, ForecastSnapshot] | None:
    earlier = model_of(settings, old)
    is_one = old["model"].iloc[0] == new["model"].iloc[0]
    later = earlier if is_one else model_of(settings, new)
    first, last = earlier or later, later or earlier
    if first is None or last is None:
        return None
    return _snapshot(old, first), _snapshot(new, last)


def _snapshot(rows: pd.DataFrame, model: model_store.LoadedModel) -> ForecastSnapshot:
    return ForecastSnapshot(rows["as_of"].iloc[0], model.version, model.heads, model.card)
