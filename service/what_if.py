"""The what-if page: both forecasts in one fan, the difference as a chart, the levers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pandas as pd
import yaml

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
    WHAT_IF,
    CheckedForm,
    LeverChoices,
    LeverForm,
    choices_of,
    form_like,
    form_of,
    rates_by_month,
    typed_digits,
)
from service.scenario_pool import WorkedScenario
from store.errors import DataError
from store.messages import Message
from store.publications.explanations import Precedent, StoredExplanation
from store.schema.scenario import SIDES, ScenarioResult, ScenarioTariff
from store.vocabulary import QUANTILE_COLUMNS, WORLD

_COLOURS: Final = {"base": ("median", "band80"), "scenario": ("scenario", "scenario80")}
"""Of the median and of the band."""

_SEEN_THROUGH: Final = 0.6


@dataclass(frozen=True, slots=True)
class Pair:
    """Both forecasts of one destination."""

    fan: Fan
    """As published, with the history."""
    table: pd.DataFrame
    """Rows of the answer about it, ``period`` as a naive first of the month."""
    base_label: str


def paired_chart(pair: Pair, about: str) -> Chart:
    """Chart of both forecasts over the history; ``about`` describes it in words."""
    rows = _rows(pair)
    layers = [*backdrop(pair.fan), *history_layers(pair.fan), *history_labels(pair.fan)]
    for side in SIDES:
        layers += _side(rows, side)
    return _chart(
        pair, [*layers, *_names(pair), _pointed(rows, "scenario_p50")], about, rows, height=260,
        title=title_of(pair.fan),
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
        line(rows, middle, colour, strokeDash=DASHED if side == "base" else None),
    ]


def _names(pair: Pair) -> list[Spec]:
    """Names of both lines: the scenario where it is furthest off, the forecast where highest."""
    months = pair.table
    apart = months["scenario_p50"] - months["base_p50"]
    furthest = months.loc[[apart.abs().idxmax()]]
    colours = {
        side: {"color": colour, "fontWeight": "bold"} for side, (colour, _) in _COLOURS.items()
    }
    below = 16 if apart[furthest.index[0]] < 0 else -8
    return [
        highest(
            months[months["period"] >= pair.fan.month],
            "base_p50",
            gettext("forecast"),
            **colours["base"],
        ),
        label(furthest, "scenario_p50", gettext("scenario"), dy=below, **colours["scenario"]),
    ]


def _pointed(rows: list[Record], at: str) -> Spec:
    """Invisible marks with the sentence of each month, for pointers and screen readers."""
    return dots(rows, at, 300, says=True, opacity=0)


def _rows(pair: Pair) -> list[Record]:
    names = [f"{side}_{level}" for side in SIDES for level in ("p10", "p50", "p90")]
    names += [f"difference_{level}" for level in ("p10", "mean", "p90")]
    return rows_of(
        pair.table,
        *names,
        says=lambda row: gettext(
            "%(month)s: median %(base)s t, with the scenario %(scenario)s t; difference of the "
            "means %(difference)s t.",
            month=dated(row["period"], "long month"),
            base=tonnes(row["base_p50"]),
            scenario=tonnes(row["scenario_p50"]),
            difference=signed_tonnes(row["difference_mean"]),
        ),
    )


ADDRESS: Final = "what-if"
PUBLICATION: Final = "publication"
"""Field of a shared link: the publication that its sender saw."""


class WhatIfView(CheckedForm):
    """The scenario to show, and for which destination."""

    def __init__(
        self,
        form: LeverForm,
        destination: str,
        choices: LeverChoices,
        beside: Sequence["WhatIfView"] = (),
    ) -> None:
        """Take a form; ``beside`` are scenarios whose results are kept for comparison."""
        super().__init__(form, choices)
        self.destination, self.beside = destination, beside

    @property
    def query(self) -> str:
        return self.query_of(self.form, self.beside)

    @property
    def keeping(self) -> str:
        """Query that keeps this result; empty if it is kept or the limit is reached."""
        is_kept = self.form in [view.form for view in self.beside]
        if is_kept or len(self.beside) == MOST_BESIDE:
            return ""
        return self.query_of(self.form, (*self.beside, self))

    def without(self, dropped: "WhatIfView") -> str:
        """Query of the same page without a kept result."""
        return self.query_of(self.form, [view for view in self.beside if view is not dropped])

    def instead(self, form: LeverForm) -> str:
        """Query of another form beside the results that are kept."""
        return self.query_of(form, self.beside)

    def query_of(self, form: LeverForm, beside: Sequence["WhatIfView"]) -> str:
        """Query of a form beside some results."""
        fields = [(BESIDE, view.form.query()) for view in beside]
        return f"{urlencode([('destination', self.destination), *fields])}&{form.query()}".rstrip(
            "&"
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What the page shows of a result."""

    view: WhatIfView
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
    is_uncertain: bool
    """Whether an act of the scenario has a probability between 0 and 1."""

    @property
    def is_tariff_alone(self) -> bool:
        """Whether the scenario changes nothing but a tariff, whose effect its own then is."""
        form = self.view.form
        return not (form.texts.get("licence_from") or form.acts or form.chances)

    @property
    def label(self) -> str:
        return gettext(
            "Chart. %(headline)s The table below has the numbers.", headline=self.headline
        )

    @property
    def query(self) -> str:
        return self.view.query_of(self.view.form, ())

    @property
    def charts(self) -> list[PageChart]:
        return [
            PageChart(f"what_if_{kind}", kind, make(self.pair, self.label))
            for kind, make in CHARTS.items()
        ]


CHARTS: Final[Mapping[str, Callable[[Pair, str], Chart]]] = {
    "paired": paired_chart,
    "difference": difference_chart,
}
"""Charts of a result."""


def what_if_page(
    publication: Publication,
    read_at: pd.Timestamp,
    view: WhatIfView,
    result: Result | None = None,
    *,
    worked: Sequence[WorkedScenario],
    trouble: str = "",
    beside: Sequence[Result] = (),
    shared_from: str = "",
) -> str:
    """Page; ``trouble`` explains why there is no result, ``beside`` are those kept.

    Args:
        worked: Example scenarios.
        shared_from: Number of the publication that a shared link was made with.
    """
    number = str(publication.number)
    return page(
        "what_if.html.j2",
        publication,
        read_at=read_at,
        path=f"{ADDRESS}.html",
        view=view,
        worked=[(each, form_like(each), _concerns(each, view)) for each in worked],
        cleared=view.instead(LeverForm({})),
        sharing=f"{view.query}&{PUBLICATION}={number}",
        shared_from=shared_from if shared_from not in {"", number} else "",
        number=number,
        name=name_of(view.destination),
        result=result,
        trouble=trouble,
        beside=beside,
        unchanged=None if result or trouble or view.errors else unchanged(publication, view),
        importers=[
            (code, name_of(code) if rate is None else f"{name_of(code)}, {_percent(rate)}")
            for code in view.choices.context.importers
            for rate in [view.choices.rate_of(code)]
        ],
        laws=_laws_of(view),
        other=_other_of(view),
        places=[(code, name_of(code)) for code in view.choices.context.destinations],
        licence_kinds=[(kind, gettext(words)) for kind, words in LICENCE_KINDS.items()],
    )


def _concerns(worked: WorkedScenario, view: WhatIfView) -> bool:
    """Whether an example changes what the destination shown is charged or licensed."""
    top = yaml.safe_load(worked.text)
    places = view.choices.context.events.set_index("event_id")["destinations"]
    codes = [step["importer"] for step in top.get("tariffs") or ()]
    for event in top.get("events") or ():
        codes += event.get("destinations") or places.get(event["event_id"], "").split(";")
    return view.destination == WORLD or touches(view.destination, codes)


def _note_words(note: Message, choices: LeverChoices) -> str:
    """Note in words, with the subject of an act in place of its code."""
    events, values = choices.context.events, dict(note.values)
    summary = events.loc[events["event_id"] == values.get("act"), "summary"]
    if len(summary):
        values["act"] = act_words(str(summary.iloc[0])).rstrip(".。")
    elif WHAT_IF in (named := str(values.get("act", ""))):
        kind = named.partition(WHAT_IF)[2].replace("-", "_")
        values["act"] = gettext(LICENCE_KINDS.get(kind, named))
    return rendered(Message(note.key, values))


def _percent(rate: float) -> str:
    return percentage(f"{rate:g}")


def _laws_of(view: WhatIfView) -> str:
    """Tariff rate in force of the form's importer, by law, as a sentence."""
    importer = view.form.texts.get("tariff_importer") or next(
        iter(view.choices.context.importers), ""
    )
    rate = view.choices.rate_of(importer)
    if rate is None:
        return gettext("The present rate of %(name)s is not known.", name=name_of(importer))
    laws = [
        gettext(
            "%(rate)s %(law)s (since %(day)s)",
            rate=_percent(step["rate_pct"]),
            law=code_words(step["component"]),
            day=dated(step["effective_from"], "day"),
        )
        for step in view.choices.rates[importer].to_dict("records")
        if step["rate_pct"]
    ]
    return gettext(
        "In force in %(name)s on %(day)s: %(rate)s. %(laws)s",
        name=name_of(importer),
        day=dated(view.choices.context.day, "day"),
        rate=_percent(rate),
        laws=listed(laws),
    ).rstrip()


def _other_of(view: WhatIfView) -> dict[str, str]:
    """New rate implied by the points typed, or the points implied by the rate, by field."""
    texts = view.form.texts
    rate = view.choices.rate_of(texts.get("tariff_importer", ""))
    try:
        typed = {name: float(typed_digits(texts[name])) for name in _PAIR if texts.get(name)}
    except DataError:
        return {}
    if rate is None or len(typed) != 1:
        return {}
    if "tariff_rate" in typed:
        return {"tariff_points": separated(f"{typed['tariff_rate'] - rate:+g}")}
    return {"tariff_rate": separated(f"{max(rate + typed['tariff_points'], 0.0):g}")}


_PAIR: Final = ("tariff_rate", "tariff_points")


def result_of(publication: Publication, view: WhatIfView, answer: ScenarioResult) -> Result:
    """Result as shown on the page for the chosen destination."""
    table = answer.table.assign(period=pd.to_datetime(answer.table["period"]))
    months = table.loc[table["destination"] == view.destination].reset_index(drop=True)
    ahead = table.loc[table["period"] >= view.choices.context.day.replace(day=1)]
    is_uncertain = bool(table["certain_mean"].ne(table["never_mean"]).any())
    effects = _effects(publication, table, view.choices.context.day.replace(day=1))
    span = gettext(
        "%(first)s to %(last)s",
        first=dated(ahead["period"].min(), "long month"),
        last=dated(ahead["period"].max(), "long month"),
    )
    base_label = publication_words(publication, publication.latest)
    explained = publication.published.explanation
    return Result(
        view=view,
        headline=_headline(view.destination, effects.get(view.destination), span),
        trough=_trough(months.loc[months["period"] >= ahead["period"].min()]),
        span=span,
        effects=effects,
        rows=months.to_dict("records"),
        notes=tuple(_note_words(note, view.choices) for note in answer.notes),
        warnings=tuple(map(rendered, answer.warnings.get(view.destination, ()))),
        tariffs=tuple(
            record
            for step in view.tariffs
            for record in [tariff_record(publication, step)]
            if record["after"] != record["before"] and record["importer"] in effects
        ),
        licence=licence_record((explained or StoredExplanation()).precedents, view),
        pair=Pair(fan_of(publication, view.destination), months, base_label),
        is_uncertain=is_uncertain,
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


def licence_record(past: Sequence[Precedent], view: WhatIfView) -> Record:
    """What past controls left beside what a licence is assumed to leave; empty without either.

    ``worst`` left the least, ``lowest``, in a month; ``longest`` months of one control had at most
    what is ``assumed``, which is None where it is estimated; ``months`` ahead are under it.
    """
    texts = view.form.texts
    kind, begin = texts.get("licence_kind", ""), texts.get("licence_from", "")
    if not (past and begin and view.text) or kind == "export_licence_relaxation":
        return {}
    worst = min(past, key=lambda control: min(control.retained.values()))
    typed = texts.get("licence_kept") or ("0" if kind == "export_ban" else "")
    assumed = float(typed_digits(typed)) / 100 if typed else None
    shares = [control.retained.values() for control in past]
    longest = max(sum(share <= (assumed or 0.0) for share in part) for part in shares)
    months = sum(month[:7] >= begin[:7] for month in view.choices.months)
    return {
        "worst": worst, "lowest": min(worst.retained.values()), "assumed": assumed,
        "longest": longest, "months": months, "is_rare": assumed is not None and months > longest,
    }  # fmt: skip


_FEW_MONTHS: Final = 6
"""Months on record below which a rate is extrapolated."""


def unchanged(publication: Publication, view: WhatIfView) -> Result:
    """Published forecast as the result of a scenario that changes nothing."""
    rows = publication.latest
    table = rows[["destination", "period"]].assign(
        **{f"{side}_{name}": rows[name] for side in SIDES for name in (*QUANTILE_COLUMNS, "mean")},
        **dict.fromkeys(("difference_p10", "difference_mean", "difference_p90"), 0.0),
        **dict.fromkeys(("certain_mean", "never_mean"), rows["mean"]),
        warning="",
    )
    return result_of(publication, view, ScenarioResult("", "", table, (), {}))


def _effects(
    publication: Publication, table: pd.DataFrame, first: pd.Timestamp
) -> Mapping[Any, Mapping[Any, float]]:
    """Effects on the world and on all affected destinations, over all months from ``first`` on."""
    ahead = table.loc[table["period"] >= first]
    means = ["base_mean", "scenario_mean", "certain_mean", "never_mean"]
    sums = ahead.groupby("destination")[means].sum()
    sums = sums.set_axis(["base", "scenario", "certain", "never"], axis="columns")
    touched = {*ahead.loc[ahead["scenario_mean"].ne(ahead["base_mean"]), "destination"]}
    shown = [name for name in in_reading_order(sums.index) if touched and name in touched | {WORLD}]
    if table["certain_mean"].eq(table["never_mean"]).all():
        for name, side in product(shown, SIDES):
            columns = {f"{side}_{quantile}": quantile for quantile in QUANTILE_COLUMNS}
            months = table.loc[table["destination"].eq(name), ["period", *columns]]
            months = months.rename(columns=columns).sort_values("period")
            sums.loc[name, side] = quantiles_ahead(publication, months, first)["p50"]
    sums["difference"] = sums["scenario"] - sums["base"]
    sums["change"] = sums["difference"] / sums["base"].where(sums["base"] > 0)
    return sums.loc[shown].to_dict("index")


_RECOVERED: Final = 0.9
"""Share of the forecast from which a month is back."""


def _trough(months: pd.DataFrame) -> str:
    """Month of a scenario that falls most below the forecast, and the first that is back."""
    rows = months.to_dict("records")
    shares = [row["scenario_p50"] / row["base_p50"] if row["base_p50"] else 1.0 for row in rows]
    at = int(np.argmin(shares))
    if shares[at] >= 1.0:
        return ""
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


def _headline(destination: str, effect: Mapping[Any, float] | None, span: str) -> str:
    if effect is None or effect["difference"] == 0:
        return gettext("%(name)s: no change in any month.", name=name_of(destination))
    if effect["certain"] != effect["never"]:
        branches = {name: effect[name] for name in ("scenario", "certain", "never")}
        base = effect["base"] or float("nan")
        changes = {f"{name}_change": total / base - 1 for name, total in branches.items()}
        return gettext(
            "%(name)s, %(months)s: %(scenario)s\N{NO-BREAK SPACE}t in total on average instead of "
            "%(base)s\N{NO-BREAK SPACE}t, %(scenario_change)s: %(certain)s\N{NO-BREAK SPACE}t "
            "(%(certain_change)s) if it takes effect, %(never)s\N{NO-BREAK SPACE}t "
            "(%(never_change)s) if not.",
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
    """Scenario of an address, and those kept beside it; of the reader's destination by default."""
    destination = dict(fields).get("destination", "")
    destination = destination or first_destination(publication)
    known_destination(publication, destination)
    choices = choices_of(publication)
    kept_forms = [
        form_of(parse_qsl(text[:LONGEST_QUERY])) for name, text in fields if name == BESIDE
    ]
    forms = {form.query(): form for form in kept_forms if not form.is_empty}
    beside = [WhatIfView(form, destination, choices) for form in [*forms.values()][:MOST_BESIDE]]
    for view in beside:
        text_of(view)
    return WhatIfView(form_of(fields), destination, choices, beside)


def text_of(view: WhatIfView) -> bytes:
    """Scenario of a view as YAML.

    Raises:
        DataError: There is none, or a field is wrong.
    """
    if not view.text:
        errors = "; ".join(f"{name}: {text}" for name, text in view.errors.items())
        raise DataError(
            gettext(
                "No scenario in the address: %(errors)s. Expected the fields of the what-if page. "
                "Correct it there.",
                errors=errors.rstrip(".。") or gettext("no field is set"),
            )
        )
    return view.text.encode()
