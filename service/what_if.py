"""The what-if page: both forecasts in one fan, the difference as a chart, the levers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pandas as pd

from publication.charts.chart import (
    DASHED,
    Chart,
    Spec,
    band,
    dots,
    layer,
    line,
    rows_of,
    tonnes_axis,
)
from publication.charts.fan import Fan, fan_of, touches
from publication.charts.fan_chart import (
    backdrop,
    highest,
    history_labels,
    history_layers,
    label,
    over_months,
    title_of,
    window,
)
from publication.language.formats import dated, listed, percentage, separated
from publication.language.phrases import act_words, gettext, in_a_row
from publication.pages.destination_pages import first_destination
from publication.pages.page_charts import PageChart
from publication.pages.render import page
from publication.queries.destination_months import known_destination, quantiles_ahead
from publication.queries.freshness import publication_words
from publication.state import Publication
from publication.tables import Record
from publication.words import (
    code_words,
    in_reading_order,
    name_of,
    rendered,
    signed_percent,
    signed_tonnes,
    tonnes,
)
from service.lever_form import (
    BESIDE,
    LICENCE_KINDS,
    LONGEST_QUERY,
    MOST_BESIDE,
    LeverForm,
    choices_of,
    lever_texts,
    rates_by_month,
    texts_of,
    typed_digits,
)
from store.errors import DataError
from store.messages import Message
from store.publications.explanations import Precedent, StoredExplanation
from store.schema.scenario import (
    OUTCOMES,
    SIDES,
    UNCHANGED,
    Scenario,
    ScenarioResult,
    ScenarioTariff,
)
from store.vocabulary import QUANTILE_COLUMNS, WORLD

_COLOURS: Final = {
    "base": ("median", "band80"), "scenario": ("scenario", "scenario80"),
    "never": ("median", "band80"), "certain": ("scenario", "scenario80"),
}  # fmt: skip
"""Of the line and of the band."""

_SEEN_THROUGH: Final = 0.6

_LOW: Final = 0.1
"""Share of the chart's height within which there is no room below a line."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both forecasts of one destination."""

    fan: Fan
    """As published, with the history."""
    table: pd.DataFrame
    """Rows of the answer about it, ``period`` as a naive first of the month."""
    base_label: str
    is_uncertain: bool
    """Whether the scenario has two outcomes, each with a band of its own."""

    @property
    def sides(self) -> tuple[str, str]:
        """The two forecasts that have a band."""
        return ("never", "certain") if self.is_uncertain else ("base", "scenario")


def paired_chart(pair: Pair, about: str) -> Chart:
    """Chart of both forecasts over the history; ``about`` describes it in words."""
    rows = _rows(pair)
    layers = [*backdrop(pair.fan), *history_layers(pair.fan), *history_labels(pair.fan)]
    for side in pair.sides:
        layers += _side(rows, side)
    if pair.is_uncertain:
        layers.append(line(rows, "scenario_mean", "earlier", 1.4, strokeDash=DASHED))
    return _chart(
        pair, [*layers, *_names(pair), _pointed(rows, f"{pair.sides[1]}_p50")], about, rows,
        height=260, title=title_of(pair.fan),
    )  # fmt: skip


def difference_chart(pair: Pair, about: str) -> Chart:
    """Difference with its own band around zero."""
    rows = _rows(pair)
    layers = [
        band(rows, "difference_p10", "difference_p90", "scenario80", opacity=_SEEN_THROUGH),
        line(rows, "difference_mean", "scenario"),
        layer("rule", [{"y": 0}], x=None, y="y:Q", stroke="muted"),
        _pointed(rows, "difference_mean"),
    ]
    numbers = pair.table[["difference_p10", "difference_p90"]].to_numpy(float)
    # Less than a tonne is a quiet line.
    scale: Spec = {"domain": [-1.1, 1.1]} if np.abs(numbers).max() < 1.0 else {}
    return _chart(
        pair, layers, about, rows, height=130, title=gettext("difference, t"),
        y=tonnes_axis(**scale),
    )  # fmt: skip


def _chart(
    pair: Pair,
    layers: Sequence[Spec],
    about: str,
    rows: list[Record],
    **options: Any,  # noqa: ANN401
) -> Chart:
    columns = [name for name in rows[0] if name not in ("t", "says")]
    return over_months(
        pair.fan, layers, label=about, rows=rows, columns=columns, params=[window(pair.fan)],
        **options,
    )  # fmt: skip


def _side(rows: list[Record], side: str) -> list[Spec]:
    """80% band and the median of one of the two."""
    low, middle, high = (f"{side}_{level}" for level in ("p10", "p50", "p90"))
    colour, fill = _COLOURS[side]
    return [
        band(rows, low, high, fill, opacity=_SEEN_THROUGH, line=False),
        *(line(rows, edge, colour, 0.7) for edge in (low, high)),
        line(rows, middle, colour, strokeDash=DASHED if side in {"base", "never"} else None),
    ]


def _names(pair: Pair) -> list[Spec]:
    """Names of the lines: the changed one where it is furthest off, the other where highest."""
    first, second = pair.sides
    months = pair.table
    apart = months[f"{second}_p50"] - months[f"{first}_p50"]
    furthest = months.loc[[apart.abs().idxmax()]]
    words = {
        "base": gettext("forecast"), "scenario": gettext("scenario"),
        "never": gettext("if not"), "certain": gettext("if it happens"),
    }  # fmt: skip
    looks = {side: {"color": _COLOURS[side][0], "fontWeight": "bold"} for side in pair.sides}
    ahead = months[months["period"] >= pair.fan.month]
    # Below the line where that is lower, unless it lies on the axis.
    below = apart[furthest.index[0]] < 0 and furthest[f"{second}_p50"].item() > _LOW * (
        months[f"{first}_p90"].max()
    )
    names = [
        highest(ahead, f"{first}_p50", words[first], **looks[first]),
        label(furthest, f"{second}_p50", words[second], dy=16 if below else -8, **looks[second]),
    ]
    if pair.is_uncertain:
        names.append(label(ahead[-1:], "scenario_mean", gettext("weighted"), color="earlier"))
    return names


def _pointed(rows: list[Record], at: str) -> Spec:
    """Invisible marks with the sentence of each month, for pointers and screen readers."""
    return dots(rows, at, 300, says=True, opacity=0)


def _rows(pair: Pair) -> list[Record]:
    names = [f"{side}_{level}" for side in pair.sides for level in ("p10", "p50", "p90")]
    names += [f"difference_{level}" for level in ("p10", "mean", "p90")]
    if pair.is_uncertain:
        names += ["scenario_mean", *(f"{outcome}_mean" for outcome in OUTCOMES)]
    return rows_of(pair.table, *names, says=_outcomes if pair.is_uncertain else _medians)


def _medians(row: Mapping[Any, Any]) -> str:
    return gettext(
        "%(month)s: median %(base)s t, with the scenario %(scenario)s t; difference of the "
        "means %(difference)s t.",
        month=dated(row["period"], "long month"),
        base=tonnes(row["base_p50"]),
        scenario=tonnes(row["scenario_p50"]),
        difference=signed_tonnes(row["difference_mean"]),
    )


def _outcomes(row: Mapping[Any, Any]) -> str:
    return gettext(
        "%(month)s: if it happens %(certain)s\xa0t, if not %(never)s\xa0t; weighted "
        "%(scenario)s\xa0t.",
        month=dated(row["period"], "long month"),
        **{side: tonnes(row[f"{side}_mean"]) for side in (*OUTCOMES, "scenario")},
    )


ADDRESS: Final = "what-if"
PUBLICATION: Final = "publication"
"""Field of a shared link: the publication that its sender saw."""


@dataclass(frozen=True, slots=True)
class WhatIfView:
    """The form to show, for which destination, and forms whose results are kept beside it."""

    form: LeverForm
    destination: str
    beside: tuple[LeverForm, ...] = ()

    @property
    def query(self) -> str:
        return self.query_of(self.form.texts)

    @property
    def query_keeping(self) -> str:
        """Query that keeps this result; empty if it is kept or the limit is reached."""
        is_kept = self.form.texts in [form.texts for form in self.beside]
        if is_kept or len(self.beside) == MOST_BESIDE:
            return ""
        return replace(self, beside=(*self.beside, self.form)).query

    def query_without(self, dropped: LeverForm) -> str:
        """Query of the same page without a kept result."""
        return replace(self, beside=tuple(f for f in self.beside if f is not dropped)).query

    def query_of(self, texts: Mapping[str, str]) -> str:
        """Query of other fields beside the results that are kept."""
        fields = [(BESIDE, form.query) for form in self.beside]
        return urlencode([("destination", self.destination), *fields, *texts.items()])


@dataclass(frozen=True, slots=True)
class Result:
    """What the page shows of a result."""

    form: LeverForm
    headline: str
    trough: str
    """Month that falls most, and when it is over; empty where none falls."""
    span: str
    effects: Mapping[Any, Mapping[Any, float]]
    """By destination that the scenario changes: tonnes of all months ahead, along joint paths.

    Medians; means where it is uncertain: they move in proportion to a probability, medians do not.
    """
    rows: Sequence[Mapping[Any, Any]]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    """Sentences, for the destination shown."""
    tariffs: tuple[Record, ...]
    """``tariff_record`` of the steps that change what a destination here is charged."""
    licence: Record
    """As ``licence_record``."""
    pair: Pair

    @property
    def is_tariff_alone(self) -> bool:
        """Whether the scenario changes nothing but a tariff, whose effect its own then is."""
        return self.form.scenario is not None and not self.form.scenario.events

    @property
    def label(self) -> str:
        return gettext(
            "Chart. %(headline)s The table below has the numbers.", headline=self.headline
        )

    @property
    def charts(self) -> list[PageChart]:
        drawn = {"paired": paired_chart}
        if not self.pair.is_uncertain:
            drawn["difference"] = difference_chart
        return [
            PageChart(f"what_if_{kind}", kind, make(self.pair, self.label))
            for kind, make in drawn.items()
        ]


def what_if_page(
    publication: Publication,
    read_at: pd.Timestamp,
    view: WhatIfView,
    result: Result | None = None,
    *,
    examples: Sequence[Scenario],
    trouble: str = "",
    beside: Sequence[Result] = (),
    shared_from: str = "",
) -> str:
    """Page; ``trouble`` explains why there is no result, ``beside`` are those kept.

    Args:
        examples: Not checked against the publication.
        shared_from: Number of the publication that a shared link was made with.
    """
    number, choices = str(publication.number), view.form.choices
    return page(
        "what_if.html.j2",
        publication,
        read_at=read_at,
        path=f"{ADDRESS}.html",
        view=view,
        form=view.form,
        choices=choices,
        examples=[(each, texts_of(each, choices), _is_about(each, view)) for each in examples],
        cleared=view.query_of({}),
        sharing=f"{view.query}&{PUBLICATION}={number}",
        shared_from=shared_from if shared_from not in {"", number} else "",
        number=number,
        name=name_of(view.destination),
        result=result,
        trouble=trouble,
        beside=beside,
        unchanged=None if result or trouble or view.form.errors else unchanged(publication, view),
        importers=[
            (code, name_of(code) if rate is None else f"{name_of(code)}, {_percent(rate)}")
            for code in choices.context.importers
            for rate in [choices.rate_of(code)]
        ],
        laws=_laws_of(view.form),
        other=_implied_field(view.form),
        places=[(code, name_of(code)) for code in choices.context.destinations],
        licence_kinds=[(kind, gettext(words)) for kind, words in LICENCE_KINDS.items()],
    )


def _is_about(scenario: Scenario, view: WhatIfView) -> bool:
    """Whether a scenario changes what the destination shown is charged or licensed."""
    places = view.form.choices.context.events.set_index("event_id")["destinations"]
    codes = [step.importer for step in scenario.tariffs]
    for act in scenario.events:
        codes += act.destinations or places.get(act.event_id, "").split(";")
    return view.destination == WORLD or touches(view.destination, codes)


def _note_words(note: Message, form: LeverForm) -> str:
    """Note in words, with the subject of an act in place of its code."""
    values, titles = dict(note.values), form.choices.titles
    kinds = {act.event_id: act.kind for act in form.scenario.events} if form.scenario else {}
    name = str(values.get("act", ""))
    if name in titles:
        values["act"] = act_words(titles[name]).rstrip(".。")
    elif name in kinds:
        values["act"] = gettext(LICENCE_KINDS.get(kinds[name], kinds[name]))
    return rendered(Message(note.key, values))


def _percent(rate: float) -> str:
    return percentage(f"{rate:g}")


def _laws_of(form: LeverForm) -> str:
    """Tariff rate in force of the form's importer, by law, as a sentence."""
    choices = form.choices
    importer = form.texts.get("tariffs.0.importer") or next(iter(choices.context.importers), "")
    rate = choices.rate_of(importer)
    if rate is None:
        return gettext("The present rate of %(name)s is not known.", name=name_of(importer))
    laws = [
        gettext(
            "%(rate)s %(law)s (since %(day)s)",
            rate=_percent(step["rate_pct"]),
            law=code_words(step["component"]),
            day=dated(step["effective_from"], "day"),
        )
        for step in choices.rates[importer].to_dict("records")
        if step["rate_pct"]
    ]
    return gettext(
        "In force in %(name)s on %(day)s: %(rate)s. %(laws)s",
        name=name_of(importer),
        day=dated(choices.context.day, "day"),
        rate=_percent(rate),
        laws=listed(laws),
    ).rstrip()


def _implied_field(form: LeverForm) -> dict[str, str]:
    """New rate implied by the points typed, or the points implied by the rate, by path."""
    rate = form.choices.rate_of(form.texts.get("tariffs.0.importer", ""))
    typed = {path: form.texts[path] for path in (_RATE, _POINTS) if path in form.texts}
    if rate is None or len(typed) != 1 or form.errors.keys() & typed.keys():
        return {}
    [(path, number)] = [(path, float(typed_digits(text))) for path, text in typed.items()]
    if path == _RATE:
        return {_POINTS: separated(f"{number - rate:+g}")}
    return {_RATE: separated(f"{max(rate + number, 0.0):g}")}


_RATE: Final = "tariffs.0.rate_pct"
_POINTS: Final = "tariffs.0.add_points"


def result_of(
    publication: Publication, form: LeverForm, destination: str, answer: ScenarioResult
) -> Result:
    """Result of a form as shown on the page for a destination."""
    table = answer.table.assign(period=pd.to_datetime(answer.table["period"]))
    months = table.loc[table["destination"] == destination].reset_index(drop=True)
    first = form.choices.context.day.replace(day=1)
    ahead = table.loc[table["period"] >= first]
    is_uncertain = answer.scenario.is_uncertain
    effects = _effects(publication, table, first, is_uncertain=is_uncertain)
    span = gettext(
        "%(first)s to %(last)s",
        first=dated(ahead["period"].min(), "long month"),
        last=dated(ahead["period"].max(), "long month"),
    )
    pair = Pair(
        fan_of(publication, destination),
        months,
        publication_words(publication, publication.latest),
        is_uncertain,
    )
    explained = publication.published.explanation or StoredExplanation()
    return Result(
        form=form,
        headline=_headline(destination, effects.get(destination), span, is_uncertain=is_uncertain),
        trough=_trough(months.loc[months["period"] >= first], is_uncertain=is_uncertain),
        span=span,
        effects=effects,
        rows=months.to_dict("records"),
        notes=tuple(_note_words(note, form) for note in answer.notes),
        warnings=tuple(map(rendered, answer.warnings.get(destination, ()))),
        tariffs=tuple(
            record
            for step in answer.scenario.tariffs
            for record in [tariff_record(publication, step)]
            if record["after"] != record["before"] and record["importer"] in effects
        ),
        licence=licence_record(explained.precedents, answer.scenario, form.choices.months),
        pair=pair,
    )


def tariff_record(publication: Publication, step: ScenarioTariff) -> Record:
    """How often a tariff as high as that of a step, ``after``, was in force, in months of ``of``.

    Rates are in percent; where one falls, months with at most that rate count.
    """
    rates = rates_by_month(publication, step.importer)
    before = float(rates[-1]) if len(rates) else 0.0
    after = float(before + (step.add_points or 0.0) if step.rate_pct is None else step.rate_pct)
    months = int((rates >= after if after > before else rates <= after).sum())
    return {
        "importer": step.importer, "before": before, "after": after, "months": months,
        "of": len(rates), "is_rare": months < _FEW_MONTHS,
    }  # fmt: skip


def licence_record(past: Sequence[Precedent], scenario: Scenario, months: Sequence[str]) -> Record:
    """What past controls left beside what a new act is assumed to leave; empty without either.

    ``worst`` left the least, ``lowest``, in a month; ``longest`` months of one control had at most
    what is ``assumed``, which is None where it is estimated; of ``months`` ahead are under it.
    """
    act = next((act for act in scenario.events if act.instrument), None)
    if not past or act is None or act.given["direction"] == "easing":
        return {}
    worst = min(past, key=lambda control: min(control.retained.values()))
    kept = float(str(act.given["kept_pct"]))
    assumed = None if math.isnan(kept) else kept / 100
    shares = [control.retained.values() for control in past]
    longest = max(sum(share <= (assumed or 0.0) for share in part) for part in shares)
    begins = f"{act.effective_from:%Y-%m}"
    count = sum(month[:7] >= begins for month in months)
    return {
        "worst": worst, "lowest": min(worst.retained.values()), "assumed": assumed,
        "longest": longest, "months": count, "is_rare": assumed is not None and count > longest,
    }  # fmt: skip


_FEW_MONTHS: Final = 6
"""Months on record below which a rate is extrapolated."""


def unchanged(publication: Publication, view: WhatIfView) -> Result:
    """Published forecast as the result of a scenario that changes nothing."""
    rows = publication.latest
    levels = (*QUANTILE_COLUMNS, "mean")
    table = rows[["destination", "period"]].assign(
        **{f"{side}_{name}": rows[name] for side in SIDES for name in levels},
        **dict.fromkeys(("difference_p10", "difference_mean", "difference_p90"), 0.0),
        warning="",
    )
    answer = ScenarioResult(UNCHANGED, table)
    return result_of(publication, view.form, view.destination, answer)


def _effects(
    publication: Publication, table: pd.DataFrame, first: pd.Timestamp, *, is_uncertain: bool
) -> Mapping[Any, Mapping[Any, float]]:
    """Effects on the world and on all affected destinations, over all months from ``first`` on."""
    ahead = table.loc[table["period"] >= first]
    sides = (*SIDES, *OUTCOMES) if is_uncertain else SIDES
    sums = ahead.groupby("destination")[[f"{side}_mean" for side in sides]].sum()
    sums = sums.set_axis(list(sides), axis="columns")
    touched = {*ahead.loc[ahead["scenario_mean"].ne(ahead["base_mean"]), "destination"]}
    shown = [name for name in in_reading_order(sums.index) if touched and name in touched | {WORLD}]
    for name, side in product(shown, () if is_uncertain else SIDES):
        columns = {f"{side}_{quantile}": quantile for quantile in QUANTILE_COLUMNS}
        months = table.loc[table["destination"].eq(name), ["period", *columns]]
        months = months.rename(columns=columns).sort_values("period")
        sums.loc[name, side] = quantiles_ahead(publication, months, first)["p50"]
    sums["difference"] = sums["scenario"] - sums["base"]
    sums["change"] = sums["difference"] / sums["base"].where(sums["base"] > 0)
    return sums.loc[shown].to_dict("index")


_RECOVERED: Final = 0.9
"""Share of the forecast from which a month is back."""


def _trough(months: pd.DataFrame, *, is_uncertain: bool) -> str:
    """Month of a scenario that falls most below the forecast, and the first that is back."""
    rows = months.to_dict("records")
    before, after = ("base_mean", "certain_mean") if is_uncertain else ("base_p50", "scenario_p50")
    shares = [row[after] / row[before] if row[before] else 1.0 for row in rows]
    at = int(np.argmin(shares))
    if shares[at] >= 1.0:
        return ""
    if is_uncertain:
        return _outcomes(rows[at])
    lowest = gettext(
        "Lowest: %(month)s, %(scenario)s\xa0t in the place of %(base)s\xa0t.",
        month=dated(rows[at]["period"], "long month"),
        scenario=tonnes(rows[at]["scenario_p50"]),
        base=tonnes(rows[at]["base_p50"]),
    )
    if shares[at] >= _RECOVERED:
        return lowest
    later = [row for row, share in zip(rows[at:], shares[at:], strict=True) if share >= _RECOVERED]
    back = gettext("Not back at 90%% within these months.")
    if later:
        back = gettext("Back at 90%% in %(month)s.", month=dated(later[0]["period"], "long month"))
    return in_a_row(lowest, back)


def _headline(
    destination: str, effect: Mapping[Any, float] | None, span: str, *, is_uncertain: bool
) -> str:
    if effect is None or effect["difference"] == 0:
        return gettext("%(name)s: no change in any month.", name=name_of(destination))
    if is_uncertain:
        branches = {name: effect[name] for name in (*OUTCOMES, "scenario")}
        base = effect["base"] or float("nan")
        changes = {f"{name}_change": total / base - 1 for name, total in branches.items()}
        return gettext(
            "%(name)s, %(months)s in total: if it happens %(certain)s\N{NO-BREAK SPACE}t "
            "(%(certain_change)s), if not %(never)s\N{NO-BREAK SPACE}t (%(never_change)s); "
            "weighted %(scenario)s\N{NO-BREAK SPACE}t instead of %(base)s\N{NO-BREAK SPACE}t, "
            "%(scenario_change)s.",
            name=name_of(destination),
            months=span,
            base=tonnes(effect["base"]),
            **{name: tonnes(total) for name, total in branches.items()},
            **{name: signed_percent(change) for name, change in changes.items()},
        )
    return gettext(
        "%(name)s, %(months)s: %(scenario)s\N{NO-BREAK SPACE}t in total instead of "
        "%(base)s\N{NO-BREAK SPACE}t, %(change)s.",
        name=name_of(destination),
        months=span,
        scenario=tonnes(effect["scenario"]),
        base=tonnes(effect["base"]),
        change=signed_percent(effect["change"]),
    )


def view_of(publication: Publication, fields: Sequence[tuple[str, str]]) -> WhatIfView:
    """Form of an address, and those kept beside it; of the reader's destination by default."""
    destination = dict(fields).get("destination", "") or first_destination(publication)
    known_destination(publication, destination)
    choices = choices_of(publication)
    queries = [parse_qsl(text[:LONGEST_QUERY]) for name, text in fields if name == BESIDE]
    kept = {form.query: form for form in (LeverForm(lever_texts(q), choices) for q in queries)}
    beside = tuple(form for form in kept.values() if not form.is_empty)[:MOST_BESIDE]
    for form in beside:
        scenario_in(form)
    return WhatIfView(LeverForm(lever_texts(fields), choices), destination, beside)


def scenario_in(form: LeverForm) -> Scenario:
    """Scenario of a form.

    Raises:
        DataError: There is none, or a field is wrong.
    """
    if form.scenario is None:
        errors = "; ".join(f"{path}: {text}" for path, text in form.errors.items())
        raise DataError(
            gettext(
                "No scenario in the address: %(errors)s. Expected the fields of the what-if page. "
                "Correct it there.",
                errors=errors.rstrip(".。") or gettext("no field is set"),
            )
        )
    return form.scenario
