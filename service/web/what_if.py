"""The page of a scenario: both forecasts, the difference, and the levers to change it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from service.charts.paired_chart import Pair, paired_svg, phone_paired_svg
from service.charts.publication_charts import fan_of
from service.http.responses import Answer
from service.live.publication import Publication
from service.scenarios.scenario_schema import ScenarioResult, WorkedScenario
from service.web.levers import LICENCE_KINDS, TARIFF_KINDS, LeverChoices, LeverForm
from service.web.render import page
from service.wording import NBSP, in_reading_order, name_of, signed_percent, tonnes
from store.vocabulary import WORLD

ADDRESS: Final = "/what-if"
KILOGRAM: Final = 0.001
"""Precision of results in tonnes."""


@dataclass(frozen=True, slots=True)
class WhatIfView:
    """The scenario to show, and for which destination."""

    destination: str
    form: LeverForm
    choices: LeverChoices
    errors: dict[str, str]
    worked: tuple[WorkedScenario, ...]
    picked: WorkedScenario | None
    """The example scenario that is shown, if any."""

    @property
    def query(self) -> str:
        """Return the query of the address that shows the same page."""
        if self.picked is not None:
            return LeverForm({}).query(destination=self.destination, worked=self.picked.key)
        return self.form.query(destination=self.destination)


@dataclass(frozen=True, slots=True)
class DestinationEffect:
    """Effect of a scenario on one destination over the months it changes; means in tonnes."""

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
    """What the page shows of a result."""

    answer: ScenarioResult
    text: str
    """The scenario as YAML."""
    headline: str
    span: str
    effects: tuple[DestinationEffect, ...]
    rows: list[dict[str, object]]
    warnings: tuple[str, ...]
    """For the destination shown."""
    chart: str
    phone_chart: str
    base_label: str
    """Name of the base: as published, or as the scenario defines it."""


def what_if_page(
    publication: Publication,
    now: pd.Timestamp,
    view: WhatIfView,
    result: Result | None = None,
    trouble: str = "",
) -> Answer:
    """Return the page; ``trouble`` explains why there is no result."""
    return page(
        "what_if.html.j2",
        publication,
        now=now,
        here=ADDRESS,
        view=view,
        name=name_of(view.destination),
        result=result,
        trouble=trouble,
        importers=[(code, name_of(code)) for code in view.choices.importers],
        places=[(code, name_of(code)) for code in view.choices.destinations],
        tariff_kinds=TARIFF_KINDS,
        licence_kinds=LICENCE_KINDS,
    )


def result_of(
    publication: Publication, view: WhatIfView, answer: ScenarioResult, text: str
) -> Result:
    """Return what the page shows of a result for the destination chosen."""
    table = answer.table.assign(period=pd.to_datetime(answer.table["period"]))
    own = table.loc[table["destination"] == view.destination].reset_index(drop=True)
    changed = table.loc[_differs(table), "period"]
    effects = _effects(table, changed)
    span = f"{changed.min():%B %Y} to {table['period'].max():%B %Y}" if len(changed) else ""
    shown = next((one for one in effects if one.destination == view.destination), None)
    headline = _headline(view.destination, shown, span)
    label = f"Chart. {headline} The table below has the numbers."
    fan = fan_of(publication, view.destination)
    is_published = np.allclose(own["base_p50"], fan.forecast["p50"], atol=KILOGRAM)
    base_label = "As published" if is_published else "Compared with"
    pair = Pair(fan, own, base_label.lower())
    return Result(
        answer=answer,
        text=text,
        headline=headline,
        span=span,
        effects=effects,
        rows=[{str(key): value for key, value in row.items()} for row in own.to_dict("records")],
        warnings=tuple(dict.fromkeys(filter(None, own["warning"]))),
        chart=paired_svg(pair, label=label),
        phone_chart=phone_paired_svg(pair, label=label),
        base_label=base_label,
    )


def _differs(table: pd.DataFrame) -> pd.Series:
    return table["scenario_mean"].ne(table["base_mean"]) | table["difference_p50"].ne(0.0)


def _effects(table: pd.DataFrame, changed: pd.Series) -> tuple[DestinationEffect, ...]:
    """Return the effects on the world and on all affected destinations, over its months."""
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


def _headline(destination: str, effect: DestinationEffect | None, span: str) -> str:
    if effect is None or effect.difference == 0:
        return f"{name_of(destination)}: no change in any month."
    return (
        f"{name_of(destination)}, {span}: {tonnes(effect.scenario)}{NBSP}t in total instead of "
        f"{tonnes(effect.base)}{NBSP}t, {signed_percent(effect.change)} (mean)."
    )
