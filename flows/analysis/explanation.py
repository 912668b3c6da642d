"""What is computed once a forecast is published, so that pages can explain it without a solver."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from features.controls.controls import controls_at
from features.controls.levers import EPOCH, charged_by
from features.families.tariffs import importer_rate
from features.months import month_number
from features.origin import Origin
from features.track_record import CERTAIN, rises_of
from flows.analysis.explain import split_change
from flows.context.console import echo
from flows.context.stores import store_of
from flows.publishing.published_forecasts import workspace_behind
from store.facts.reading import latest_forecast, publication_before
from store.publications.explanations import (
    DIGITS,
    Announced,
    StoredExplanation,
    read_explanation,
    save_explanation,
)
from store.settings import Settings
from store.vocabulary import CHANGES

CELL: Final = ["destination", "period"]


def explain_if_possible(settings: Settings) -> None:
    """Explain the newest publication of the magnets, unless it is; never fails a publication.

    One that was explained before rises of tariffs had scenarios is explained again.
    """
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
        settings: Where things are kept.
        new: Rows of a publication of the magnets; not modified.
    """
    as_of = pd.Timestamp(new["as_of"].iloc[0])
    origin = workspace_behind(settings, new).history.origin(as_of)
    announced = tuple(sorted(announced_at(origin), key=lambda one: (one.due, one.event_id)))
    old = publication_before(store_of(settings), new)
    if old.empty or not set(old["period"]) & set(new["period"]):
        return StoredExplanation(announced=announced)
    keys = old[CELL].merge(new[CELL])
    pair = [keys.merge(rows, on=CELL) for rows in (old, new)]
    models = pair[0]["model"] + "\n" + pair[1]["model"]
    parts = pd.concat(
        split_change(settings, *(rows[models == one].reset_index(drop=True) for rows in pair))
        for one in models.unique()
    )
    changes: dict[str, dict[str, dict[str, float]]] = {}
    for row in parts.to_dict("records"):
        causes = {name: round(float(row[name]), DIGITS) for name in CHANGES}
        months = changes.setdefault(str(row["destination"]), {})
        months[str(row["period"])] = {name: moved for name, moved in causes.items() if moved}
    return StoredExplanation(int(parts["since_publication"].iloc[0]), changes, announced)


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
