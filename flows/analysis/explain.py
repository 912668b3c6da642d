"""Why published medians are what they are, and what changed them between two publications."""

import json
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from features.controls.controls import controls_at
from features.controls.levers import EPOCH, charged_by
from features.families.tariffs import importer_rate
from features.months import month_number
from features.origin import Origin
from features.track_record import CERTAIN, rises_of
from flows.context.console import echo
from flows.context.stores import store_of
from flows.context.workspace import known_facts, open_workspace
from flows.publishing.published_forecasts import (
    ExplainRequest,
    Which,
    chosen,
    common,
    facts_until,
    known_behind,
    model_of,
    name_of,
    prior_behind,
    publication,
    record_of,
    workspace_behind,
)
from flows.training.predict import forecast
from models.forecasting.changes import (
    ChangeReplay,
    ForecastSnapshot,
    KnownFacts,
    NewRows,
    new_figures,
    news_of,
    split,
    words_of,
)
from models.forecasting.decomposition import explained
from models.registry.served import TrainedModel
from store.errors import DataError
from store.facts.reading import latest_forecast
from store.publications.explanations import (
    DIGITS,
    Announced,
    NewFigure,
    StoredExplanation,
    read_explanation,
    save_explanation,
)
from store.publications.integrity import publication_before
from store.settings import Settings
from store.vocabulary import CHANGES, COMMODITY, CONTRIBUTIONS, NOT_REPRODUCED

_SAME: Final = 1e-6
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
    """
    which, engine = asked.as_of, store_of(settings)
    if isinstance(which, int) or asked.commodity != COMMODITY:
        published = publication(settings, which, commodity=asked.commodity)
    else:
        published = latest_forecast(engine, as_of=which)
        if published.empty:
            echo(f"explain   nothing was published by {which:%Y-%m-%d}: forecasting as of that day")
            made = forecast(open_workspace(settings, which))
            rows = chosen(made.assign(as_of=which), asked)
            return _table(rows, _stored(rows))
    echo(f"explain   the forecast of {name_of(published)}")
    rows = chosen(published, asked)
    anew = _computed(settings, rows)
    if np.allclose(anew["p50"], rows["p50"], rtol=_SAME, atol=_SAME):
        return _table(rows, anew)
    far = (anew["p50"] - rows["p50"]).abs().max()
    if far > 0:  # not so without the model, which model_of reports
        echo(
            f"explain   the forecast of {rows['as_of'].iloc[0]:%Y-%m-%d} computed anew is up to "
            f"{far:,.1f} t off: rows known by then were ingested later, or the program changed"
        )
    if rows["contributions"].isna().any():
        return _table(rows, anew)
    echo("explain   the parts are those stored on publication")
    return _table(rows, _stored(rows))


def _computed(settings: Settings, rows: pd.DataFrame) -> pd.DataFrame:
    """Return published rows computed anew; without their model only the level, p50 missing."""
    known, model = known_behind(settings, rows), model_of(settings, rows)
    if model is None:
        origin = known.snapshot.origin
        level = dict(zip(origin.series, origin.level.tolist(), strict=True))
        parts = dict.fromkeys(CONTRIBUTIONS, 0.0)
        left = rows[["destination"]].assign(p50=np.nan, **parts)
        return left.assign(level=rows["destination"].map(level))
    return rows[["destination", "period"]].merge(explained(model, known.snapshot), how="left")


def _stored(rows: pd.DataFrame) -> pd.DataFrame:
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
) -> tuple[pd.DataFrame, tuple[NewFigure, ...]]:
    """Return what changed published medians from one publication to another, and the figures since.

    Both are recomputed from what was known at their moments, with the models that made them; then
    one input after the other is replaced. Where a model is gone, the other stands in for it and
    what that leaves is ``not_reproduced``.

    Returns:
        One row per month that both tell, ``CHANGE_COLUMNS``: both medians, the change and the parts
        that add up to it, in tonnes. Then the figures that became known meanwhile.
    """
    if asked.commodity != COMMODITY:
        raise DataError(
            "--since explains changes of the magnets' forecast. Expected no --commodity beside it. "
            "Leave one of them out."
        )
    before = publication(settings, since)
    after = publication(settings, asked.as_of)
    return split_change(settings, before, *_pair_of(before, after, asked))


def split_change(
    settings: Settings, before: pd.DataFrame, old: pd.DataFrame, new: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[NewFigure, ...]]:
    """Return as ``changes`` what changed the medians of one publication to those of another.

    Args:
        before: All rows of the earlier.
        old: Some of them; not modified.
        new: The same destinations and months of the later, in the same order.
    """
    figures: tuple[NewFigure, ...] = ()
    then, now = (rows["p50"].to_numpy(float) for rows in (old, new))
    recomputed = evidence_replay(settings, old, new)
    if recomputed is None:
        parts = dict.fromkeys(CHANGES, np.zeros(len(new))) | {NOT_REPRODUCED: now - then}
    else:
        parts = split(then, now, recomputed.value, changed=recomputed.changed)
        rows = zip(before["destination"], before["period"], before["p50"], strict=True)
        expected = {(name, month): float(p50) for name, month, p50 in rows}
        panel = workspace_behind(settings, new).history.panel(recomputed.after.moment)
        figures = new_figures(recomputed, panel, expected)
    medians = {"before_p50": then, "after_p50": now, "change": now - then}
    earlier = {"since": old["as_of"].iloc[0], "since_publication": old["publication"].iloc[0]}
    return new.assign(**earlier, **medians, **parts)[list(CHANGE_COLUMNS)], figures


def _pair_of(
    before: pd.DataFrame, after: pd.DataFrame, asked: ExplainRequest
) -> tuple[pd.DataFrame, pd.DataFrame]:
    old, new = common(before, after, asked)
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


def _snapshot(engine: Engine, rows: pd.DataFrame, model: TrainedModel) -> ForecastSnapshot:
    prior = prior_behind(record_of(engine, rows))
    return ForecastSnapshot(rows["as_of"].iloc[0], model, prior)


_CELL: Final = ["destination", "period"]


def explain_if_possible(settings: Settings) -> None:
    """Explain the newest publication of the magnets, unless it is; never fails a publication."""
    try:
        engine = store_of(settings)
        new = latest_forecast(engine)
        number = 0 if new.empty else int(new["publication"].iloc[0])
        found = read_explanation(engine, number) if number else None
        if number and found is None:
            save_explanation(engine, number, explanation_of(settings, new))
    except Exception as err:  # noqa: BLE001 - the publication is stored already
        echo(f"explain   not explained ({type(err).__name__}: {err}). The next run tries again")


def explanation_of(settings: Settings, new: pd.DataFrame) -> StoredExplanation:
    """Return what changed a publication since the one before it, and what may come.

    Nothing that became known after it is used.

    Args:
        new: Rows of a publication of the magnets; not modified.
    """
    as_of = pd.Timestamp(new["as_of"].iloc[0])
    origin = workspace_behind(settings, new).history.origin(as_of)
    announced = tuple(sorted(announced_at(origin), key=lambda one: (one.due, one.event_id)))
    old = publication_before(store_of(settings), new)
    if old.empty or not set(old["period"]) & set(new["period"]):
        return StoredExplanation(announced=announced)
    keys = old[_CELL].merge(new[_CELL])
    pair = [keys.merge(rows, on=_CELL) for rows in (old, new)]
    models = pair[0]["model"] + "\n" + pair[1]["model"]
    found = [
        split_change(settings, old, *(rows[models == one].reset_index(drop=True) for rows in pair))
        for one in models.unique()
    ]
    parts = pd.concat(table for table, _ in found)
    # Of the model that made most of it; for others the effect of a figure is not computed.
    _, figures = max(found, key=lambda one: len(one[0]))
    changes: dict[str, dict[str, dict[str, float]]] = {}
    for row in parts.to_dict("records"):
        causes = {name: round(float(row[name]), DIGITS) for name in CHANGES}
        months = changes.setdefault(str(row["destination"]), {})
        months[str(row["period"])] = {name: moved for name, moved in causes.items() if moved}
    return StoredExplanation(int(parts["since_publication"].iloc[0]), changes, announced, figures)


def announced_at(origin: Origin) -> Iterator[Announced]:
    """Yield the controls and the rises of tariffs that are not certain, as the forecast sees them.

    They are due within the horizon.
    """
    record, events, tariffs = origin.record, origin.events, origin.tariffs
    if record is None or events is None or tariffs is None:
        return
    begins = events.set_index("event_id")["effective_from"]
    for control in controls_at(origin):
        if control.chances != CERTAIN:
            hit = tuple(np.array(origin.series)[control.hit].tolist())
            is_return = bool(control.bound > begins[control.event_id])
            day = f"{control.bound:%Y-%m-%d}"
            yield Announced(control.event_id, day, is_return, control.chances, hit)
    charged = charged_by(origin)
    for rise in rises_of(tariffs):
        (importer,) = rise.destinations
        hit = charged.get(importer, ())
        if hit and record.day < rise.due and month_number(rise.due) <= origin.targets[-1]:
            day = f"{rise.due:%Y-%m-%d}"
            rates = _rates_around(tariffs, importer, rise.due)
            yield Announced("", day, rise.is_return, record.chances(rise), hit, importer, *rates)


def _rates_around(tariffs: pd.DataFrame, importer: str, due: pd.Timestamp) -> tuple[float, str]:
    """Return the rate in percent on the day before a rise, and the last day of the rise."""
    before = importer_rate(tariffs, importer, np.array([(due - EPOCH).days - 1]))
    steps = tariffs["importer"].eq(importer) & tariffs["effective_from"].eq(due)
    ends = tariffs.loc[steps, "effective_to"]
    until = "" if ends.isna().any() else f"{ends.max():%Y-%m-%d}"
    return round(float(np.nan_to_num(before)[0]), DIGITS), until
