"""Why published medians are what they are, and what changed them between two publications."""

import json
import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from features.controls.analogs import magnet_analogs
from features.controls.controls import controls_at
from features.controls.levers import EPOCH, charged_by
from features.families.tariffs import importer_rate
from features.origin import Origin
from features.track_record import CERTAIN, announced_rises
from flows.context.console import echo
from flows.context.known_facts import known_facts
from flows.context.run_config import RunConfig
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.publishing.publication_lookup import (
    ExplainRequest,
    Which,
    chosen,
    common,
    facts_until,
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
    named_figures,
    news_of,
    news_summary,
    split,
    with_effects,
)
from models.forecasting.decomposition import explained
from store.errors import DataError
from store.facts.reading import latest_forecast
from store.months import month_number
from store.publications.explanations import (
    DIGITS,
    Announced,
    NewFigure,
    Precedent,
    StoredExplanation,
    read_explanation,
    save_explanation,
)
from store.publications.integrity import publication_before
from store.settings import Settings
from store.vocabulary import CHANGES, CONTRIBUTIONS, NOT_REPRODUCED

PART_COLUMNS: Final = (
    "destination", "period", "as_of", "model", "p50", *CONTRIBUTIONS, NOT_REPRODUCED,
)  # fmt: skip


def why(settings: Settings, request: ExplainRequest) -> pd.DataFrame:
    """Parts of published medians.

    Parts for the magnets are stored on publication; if nothing was published by then, the forecast
    is computed as in ``predict``. Parts for a partner table are computed by the model behind the
    forecast; the remainder is ``not_reproduced``.

    Returns:
        One row per month, ``PART_COLUMNS``: p50 and the parts that add up to it, in tonnes.
    """
    which, config = request.as_of, RunConfig(request.commodity)
    if (
        not config.table_key
        and not isinstance(which, int)
        and latest_forecast(store_of(settings), as_of=which).empty
    ):
        echo(f"explain   nothing was published by {which:%Y-%m-%d}: forecasting as of that day")
        rows = chosen(forecast(open_workspace(settings, which)).assign(as_of=which), request)
    else:
        published = publication(settings, which, commodity=request.commodity)
        echo(f"explain   the forecast of {name_of(published)}")
        rows = chosen(published, request)
    if rows["contributions"].fillna("").ne("").all():
        stored = rows["contributions"].map(json.loads).tolist()
        parts = pd.DataFrame(stored, index=rows.index, columns=list(CONTRIBUTIONS))
    else:
        parts = _computed(settings, rows)
    table = pd.concat([rows[["destination", "period", "as_of", "model", "p50"]], parts], axis=1)
    return table.assign(**{NOT_REPRODUCED: rows["p50"] - parts.sum(axis=1)})[list(PART_COLUMNS)]


def _computed(settings: Settings, rows: pd.DataFrame) -> pd.DataFrame:
    """Parts of published rows of a partner table; only the level if their model is gone."""
    workspace, model = workspace_behind(settings, rows), model_of(settings, rows)
    if model is None:
        origin = workspace.snapshot.origin
        level = rows["destination"].map(dict(zip(origin.series, origin.level, strict=True)))
        return pd.DataFrame(0.0, index=rows.index, columns=list(CONTRIBUTIONS)).assign(level=level)
    parts = rows[["destination", "period"]].merge(explained(model, workspace.snapshot), how="left")
    return parts[list(CONTRIBUTIONS)]


CHANGE_COLUMNS: Final = (
    "destination", "period", "since", "as_of", "since_publication", "publication",
    "before_p50", "after_p50", "change", *CHANGES,
)  # fmt: skip


def changes(
    settings: Settings, request: ExplainRequest, since: Which
) -> tuple[pd.DataFrame, tuple[NewFigure, ...]]:
    """Parts of the change of medians between two publications, and the figures since.

    Both are recomputed from the facts and models of their moments; then one input after the other
    is replaced. The other publication's model stands in for a model that is gone, and the
    remainder is ``not_reproduced``.

    Returns:
        One row per month of both, ``CHANGE_COLUMNS``: both medians, the change and the parts
        that add up to it, in tonnes. Then the figures that became known meanwhile.
    """
    if RunConfig(request.commodity).table_key:
        raise DataError(
            "--since explains changes of the magnets' forecast. Expected no --commodity beside it. "
            "Leave one of them out."
        )
    before = publication(settings, since)
    old, new = common(before, publication(settings, request.as_of), request)
    first, last = ((rows["as_of"].iloc[0], rows["publication"].iloc[0]) for rows in (old, new))
    if first > last:
        raise DataError(
            f"--since is {name_of(old)}, which is later than {name_of(new)}. "
            "Expected the earlier publication in --since. Exchange them."
        )
    return split_change(settings, before, old, new)


def split_change(
    settings: Settings, before: pd.DataFrame, old: pd.DataFrame, new: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[NewFigure, ...]]:
    """Parts of the change of medians between two publications, as in ``changes``.

    ``old`` are some rows of ``before``, ``new`` the same cells of the later, in the same order.
    """
    before_p50, after_p50 = (rows["p50"].to_numpy(float) for rows in (old, new))
    facts, news = _known_between(settings, old, new)
    rows = zip(before["destination"], before["period"], before["p50"], strict=True)
    expected = {(name, month): float(p50) for name, month, p50 in rows}
    panel = workspace_behind(settings, new).history.panel(new["as_of"].iloc[0])
    named = named_figures(facts, news, panel, expected)
    recomputed = _replay_between(settings, old, new, facts, news)
    if recomputed is None:
        figures = tuple(named)
        parts = dict.fromkeys(CHANGES, np.zeros(len(new))) | {
            NOT_REPRODUCED: after_p50 - before_p50
        }
    else:
        parts = split(before_p50, after_p50, recomputed.value, changed=recomputed.changed)
        figures = with_effects(recomputed, named)
    medians = {"before_p50": before_p50, "after_p50": after_p50, "change": after_p50 - before_p50}
    earlier = {"since": old["as_of"].iloc[0], "since_publication": old["publication"].iloc[0]}
    return new.assign(**earlier, **medians, **parts)[list(CHANGE_COLUMNS)], figures


def _known_between(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame
) -> tuple[KnownFacts, NewRows]:
    """Facts behind the later of two publications, and which of them the earlier did not know."""
    engine = store_of(settings)
    before, facts = (
        KnownFacts(*known_facts(engine, rows["as_of"].iloc[0], until=facts_until(engine, rows)))
        for rows in (old, new)
    )
    news = news_of(facts, before)
    echo(f"explain   news since {name_of(old)}: {news_summary(news, facts)}")
    return facts, news


def _replay_between(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame, facts: KnownFacts, news: NewRows
) -> ChangeReplay | None:
    """Forecasts recomputed between two publications, of the same months of both.

    None where neither's model is left; one model stands in for one that is gone.
    """
    engine = store_of(settings)
    first = model_of(settings, old)
    is_one = old["model"].iloc[0] == new["model"].iloc[0]
    last = (None if is_one else model_of(settings, new)) or first
    if last is None:
        return None
    before, after = (
        ForecastSnapshot(rows["as_of"].iloc[0], model, prior_behind(record_of(engine, rows)))
        for rows, model in ((old, first or last), (new, last))
    )
    cells = list(zip(new["destination"], new["period"], strict=True))
    replay = ChangeReplay(facts, before, after, cells, news)
    is_replaced = (name in replay.changed for name in ("new_actuals", "revised_actuals"))
    # The stored panels: the facts are those of then.
    for rows, snapshot, replaced in ((old, before, (False, False)), (new, after, is_replaced)):
        key = (snapshot.moment, *replaced, snapshot.prior)
        replay.panels[key] = workspace_behind(settings, rows).history.panel(snapshot.moment)
    return replay


_CELL: Final = ["destination", "period"]


def explain_if_possible(settings: Settings) -> None:
    """Explain the newest publication of the magnets, unless it is; never fails a publication."""
    try:
        engine = store_of(settings)
        new = latest_forecast(engine)
        number = 0 if new.empty else int(new["publication"].iloc[0])
        stored = read_explanation(engine, number) if number else None
        if number and stored is None:
            save_explanation(engine, number, explanation_of(settings, new))
    except Exception as err:  # noqa: BLE001 - the publication is stored already
        echo(f"explain   not explained ({type(err).__name__}: {err}). The next run tries again")


def explanation_of(settings: Settings, new: pd.DataFrame) -> StoredExplanation:
    """Changes of a publication since the one before it and the announced acts, as known then."""
    as_of = pd.Timestamp(new["as_of"].iloc[0])
    history = workspace_behind(settings, new).history
    origin = history.origin(as_of)
    precedents = tuple(
        Precedent(
            past.event_id, past.material, past.instrument,
            {f"{math.ceil(age)}": round(float(share), DIGITS)
             for age, share in zip(past.age, past.retained, strict=True)},
        )
        for past in (*magnet_analogs(origin, controls_at(origin)), *history.analogs(as_of))
    )  # fmt: skip
    announced = tuple(sorted(announced_at(origin), key=lambda act: (act.due, act.event_id)))
    old = publication_before(store_of(settings), new)
    if old.empty or not set(old["period"]) & set(new["period"]):
        return StoredExplanation(announced=announced, precedents=precedents)
    keys = old[_CELL].merge(new[_CELL])
    pair = [keys.merge(rows, on=_CELL) for rows in (old, new)]
    models = pair[0]["model"] + "\n" + pair[1]["model"]
    splits = [
        split_change(settings, old, *(rows[models == name].reset_index(drop=True) for rows in pair))
        for name in models.unique()
    ]
    parts = pd.concat(table for table, _ in splits)
    # Of the model that made most of it; for others the effect of a figure is not computed.
    _, figures = max(splits, key=lambda split: len(split[0]))
    changes: dict[str, dict[str, dict[str, float]]] = {}
    for row in parts.to_dict("records"):
        causes = {name: round(float(row[name]), DIGITS) for name in CHANGES}
        months = changes.setdefault(str(row["destination"]), {})
        months[str(row["period"])] = {name: moved for name, moved in causes.items() if moved}
    since = int(parts["since_publication"].iloc[0])
    return StoredExplanation(since, changes, announced, figures, precedents)


def announced_at(origin: Origin) -> Iterator[Announced]:
    """Yield the controls and rises of tariffs due within the horizon that are not certain."""
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
    for rise in announced_rises(tariffs):
        (importer,) = rise.destinations
        hit = charged.get(importer, ())
        if hit and record.day < rise.due and month_number(rise.due) <= origin.targets[-1]:
            day = f"{rise.due:%Y-%m-%d}"
            rates = _rates_around(tariffs, importer, rise.due)
            yield Announced("", day, rise.is_return, record.chances(rise), hit, importer, *rates)


def _rates_around(tariffs: pd.DataFrame, importer: str, due: pd.Timestamp) -> tuple[float, str]:
    """Rate in percent on the day before a rise, and the last day of the rise, empty if open."""
    before = importer_rate(tariffs, importer, np.array([(due - EPOCH).days - 1]))
    steps = tariffs["importer"].eq(importer) & tariffs["effective_from"].eq(due)
    ends = tariffs.loc[steps, "effective_to"]
    until = "" if ends.isna().any() else f"{ends.max():%Y-%m-%d}"
    return round(float(np.nan_to_num(before)[0]), DIGITS), until
