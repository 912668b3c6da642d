"""The page of a scenario: both forecasts, the difference, and the levers to change it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from service.charts.paired_chart import Pair, paired_svg
from service.charts.publication_charts import fan_of
from service.http.responses import Answer
from service.live.publication import Publication
from service.scenarios.scenario_schema import ScenarioResult, WorkedScenario
from service.web.levers import LICENCE_KINDS, TARIFF_KINDS, LeverChoices, LeverForm
from service.web.render import page
from service.wording.names import in_reading_order, name_of
from service.wording.numbers import NBSP, signed_percent, tonnes
from store.vocabulary import WORLD

ADDRESS: Final = "/what-if"
KILOGRAM: Final = 0.001
"""To which answers are rounded, in tonnes."""


@dataclass(frozen=True, slots=True)
class WhatIfView:
    """What is asked, and of which destination it is shown."""

    destination: str
    form: LeverForm
    ground: LeverChoices
    wrong: dict[str, str]
    worked: tuple[WorkedScenario, ...]
    picked: WorkedScenario | None
    """The worked scenario that is shown, if one is."""

    @property
    def query(self) -> str:
        """Return the query of the address that shows the same."""
        if self.picked is not None:
            return LeverForm({}).query(destination=self.destination, worked=self.picked.key)
        return self.form.query(destination=self.destination)


@dataclass(frozen=True, slots=True)
class DestinationEffect:
    """What a scenario does to one destination over the months it changes; tonnes are means."""

    destination: str
    base: float
    scenario: float

    @property
    def difference(self) -> float:
        """Return the change in tonnes."""
        return self.scenario - self.base

    @property
    def change(self) -> float:
        """Return the change as a share."""
        return self.scenario / self.base - 1 if self.base > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Result:
    """What the page says of an answer."""

    told: ScenarioResult
    text: str
    """The scenario as YAML."""
    headline: str
    span: str
    hits: tuple[DestinationEffect, ...]
    rows: list[dict[str, object]]
    warnings: tuple[str, ...]
    """Of the destination shown."""
    chart: str
    base_label: str
    """What the base is: as published, or what the scenario names to compare with."""


def what_if_page(
    publication: Publication,
    now: pd.Timestamp,
    view: WhatIfView,
    result: Result | None = None,
    trouble: str = "",
) -> Answer:
    """Return the page; ``trouble`` says why there is no answer."""
    return page(
        "what_if.html.j2",
        publication,
        now=now,
        here=ADDRESS,
        view=view,
        name=name_of(view.destination),
        result=result,
        trouble=trouble,
        importers=[(code, name_of(code)) for code in view.ground.importers],
        places=[(code, name_of(code)) for code in view.ground.destinations],
        tariff_kinds=TARIFF_KINDS,
        licence_kinds=LICENCE_KINDS,
    )


def result_of(
    publication: Publication, view: WhatIfView, told: ScenarioResult, text: str
) -> Result:
    """Return what the page says of an answer about the destination shown."""
    table = told.table.assign(period=pd.to_datetime(told.table["period"]))
    own = table.loc[table["destination"] == view.destination].reset_index(drop=True)
    changed = table.loc[_differs(table), "period"]
    hits = _hits(table, changed)
    span = f"{changed.min():%B %Y} to {table['period'].max():%B %Y}" if len(changed) else ""
    mine = next((hit for hit in hits if hit.destination == view.destination), None)
    headline = _headline(view.destination, mine, span)
    label = f"Chart. {headline} The table below has the numbers."
    fan = fan_of(publication, view.destination)
    is_published = np.allclose(own["base_p50"], fan.forecast["p50"], atol=KILOGRAM)
    base_label = "As published" if is_published else "Compared with"
    return Result(
        told=told,
        text=text,
        headline=headline,
        span=span,
        hits=hits,
        rows=[{str(key): value for key, value in row.items()} for row in own.to_dict("records")],
        warnings=tuple(dict.fromkeys(filter(None, own["warning"]))),
        chart=paired_svg(Pair(fan, own, base_label.lower()), label=label),
        base_label=base_label,
    )


def _differs(table: pd.DataFrame) -> pd.Series:
    return table["scenario_mean"].ne(table["base_mean"]) | table["difference_p50"].ne(0.0)


def _hits(table: pd.DataFrame, changed: pd.Series) -> tuple[DestinationEffect, ...]:
    """Return the world and all whom a scenario changes, over its months."""
    if changed.empty:
        return ()
    rows = table.loc[table["period"] >= changed.min()]
    sums = rows.groupby("destination")[["base_mean", "scenario_mean"]].sum()
    touched = {*rows.loc[_differs(rows), "destination"], WORLD}
    return tuple(
        DestinationEffect(
            name, float(sums.loc[name, "base_mean"]), float(sums.loc[name, "scenario_mean"])
        )
        for name in in_reading_order(sums.index)
        if name in touched
    )


def _headline(destination: str, hit: DestinationEffect | None, span: str) -> str:
    if hit is None or hit.difference == 0:
        return f"{name_of(destination)}: no month changes."
    return (
        f"{name_of(destination)}, {span}: {tonnes(hit.scenario)}{NBSP}t instead of "
        f"{tonnes(hit.base)}{NBSP}t in all, {signed_percent(hit.change)} (mean)."
    )
