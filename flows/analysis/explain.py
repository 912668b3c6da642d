"""Why published medians are what they are, and what changed them between two publications."""

import json
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from flows.analysis.table_changes import TableReplay, table_replay
from flows.context.console import echo
from flows.context.recipes import prior_behind
from flows.context.stores import store_of
from flows.context.workspace import Workspace, known_facts, open_workspace
from flows.publishing.published_forecasts import (
    ExplainRequest,
    Which,
    chosen,
    common,
    facts_until,
    model_of,
    name_of,
    numbered,
    publication,
    record_of,
    workspace_behind,
)
from flows.publishing.run_config import config_of
from flows.training.predict import forecast
from models.forecasting.changes import (
    ChangeReplay,
    ForecastSnapshot,
    KnownFacts,
    NewRows,
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
    which, engine = asked.as_of, store_of(settings)
    if isinstance(which, int):
        published = numbered(engine, which)
    else:
        published = latest_forecast(engine, as_of=which)
        if published.empty:
            echo(f"explain   nothing was published by {which:%Y-%m-%d}: forecasting as of that day")
            made = forecast(open_workspace(settings, which), None, None)
            rows = chosen(made.table.assign(as_of=which), asked)
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
    workspace = workspace_behind(settings, rows)
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
    "destination", "period", "since", "as_of", "since_publication", "publication",
    "before_p50", "after_p50", "change", *CHANGES,
)  # fmt: skip


def changes(
    settings: Settings,
    asked: ExplainRequest,
    since: Which,
    *,
    commodity: str = COMMODITY,
) -> pd.DataFrame:
    """Return what changed published medians from one publication to another.

    Both are recomputed from what was known at their moments, with the models that made them; then
    one input after the other is replaced. Where a model is gone, the other stands in for it and
    what that leaves is ``not_reproduced``.

    Args:
        settings: Where things are kept.
        asked: What is to be explained, and the later publication.
        since: The earlier one.
        commodity: As published.

    Returns:
        One row per month that both tell, ``CHANGE_COLUMNS``: both medians, the change and the parts
        that add up to it, in tonnes.

    Raises:
        DataError: There is no publication that early, the days are the wrong way round, the
            destination or month is not in both, or who was in a group was not recorded.
    """
    return split_change(settings, *_pair_of(settings, asked, since, commodity))


def split_change(settings: Settings, old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return as ``changes`` what changed the medians of one publication to those of another.

    Args:
        settings: Where things are kept.
        old: Rows of the earlier; of one destination where they are of a partner table.
        new: The same destinations and months of the later, in the same order.
    """
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
    earlier = {"since": old["as_of"].iloc[0], "since_publication": old["publication"].iloc[0]}
    return new.assign(**earlier, **medians, **parts)[list(CHANGE_COLUMNS)]


def _pair_of(
    settings: Settings, asked: ExplainRequest, since: Which, commodity: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows asked for of an earlier and a later publication, month beside month."""
    before = publication(settings, since, commodity=commodity)
    old, new = common(before, publication(settings, asked.as_of, commodity=commodity), asked)
    first, last = ((one["as_of"].iloc[0], one["publication"].iloc[0]) for one in (old, new))
    if first > last:
        raise DataError(
            f"--since is {name_of(old)}, which is later than {name_of(new)}. "
            "Expected the earlier publication in --since. Exchange them."
        )
    if first == last:
        echo(
            f"explain   --since and --as-of are one publication, {name_of(new)}. For another, name "
            "a day before, or a number of `magnetcast publications list`"
        )
    return old, new


def evidence_replay(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame
) -> ChangeReplay | None:
    """Return forecasts recomputed between two publications.

    Args:
        settings: Where things are kept.
        old: Rows of the earlier publication; not modified.
        new: The same months of the later one; not modified.

    Returns:
        None where neither's model is left; one model stands in for one that is gone.
    """
    earlier, later = old["as_of"].iloc[0], new["as_of"].iloc[0]
    facts, news = _facts(settings, old, new)
    echo(f"explain   news since {name_of(old)}: {words_of(news, facts)}")
    snapshots = _snapshots(settings, old, new)
    if snapshots is None:
        return None
    cells = list(zip(new["destination"], new["period"], strict=True))
    replay = ChangeReplay(facts, *snapshots, cells, news)
    is_new, is_revised = (name in replay.changed for name in ("new_actuals", "revised_actuals"))
    # The stored panels: the facts are those of then.
    before, after = (snapshot.prior for snapshot in snapshots)
    stored = (
        (old, (earlier, False, False, before)),
        (new, (later, is_new, is_revised, after)),
    )
    for rows, key in stored:
        replay.panels[key] = workspace_behind(settings, rows).history.panel(key[0])
    return replay


def _facts(settings: Settings, old: pd.DataFrame, new: pd.DataFrame) -> tuple[KnownFacts, NewRows]:
    """Return what the later publication knew, and what of it the earlier one did not."""
    engine = store_of(settings)
    then, now = (
        KnownFacts(*known_facts(engine, rows["as_of"].iloc[0], until=facts_until(engine, rows)))
        for rows in (old, new)
    )
    return now, news_of(now, then)


def _snapshots(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame
) -> tuple[ForecastSnapshot, ForecastSnapshot] | None:
    earlier = model_of(settings, old)
    is_one = old["model"].iloc[0] == new["model"].iloc[0]
    later = earlier if is_one else model_of(settings, new)
    first, last = earlier or later, later or earlier
    if first is None or last is None:
        return None
    engine = store_of(settings)
    return _snapshot(engine, old, first), _snapshot(engine, new, last)


def _snapshot(
    engine: Engine, rows: pd.DataFrame, model: model_store.LoadedModel
) -> ForecastSnapshot:
    prior = prior_behind(record_of(engine, rows))
    return ForecastSnapshot(rows["as_of"].iloc[0], model.version, model.heads, model.card, prior)
