"""The stock question: when a firm's stock runs out, and what to order by when."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, TypeVar

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from models.forecasting.firm_needs import WEEKS_A_MONTH, Firm, FirmOutlook, cover_from
from publication.language.phrases import act_words, gettext, marked
from publication.planning.needs import (
    SMALL,
    arrivals_of,
    bounded,
    firm_outlook,
    order_days,
    transit_of,
)
from publication.planning.planning_file import LONGEST_LEAD_DAYS
from publication.queries.destination_months import known_destination
from publication.state import Publication
from publication.tables import Record
from publication.words import message_of, name_of, rendered
from service.lever_form import typed_digits, typed_months
from store.errors import DataError, shown
from store.messages import message
from store.publications.explanations import StoredExplanation
from store.schema.scenario import ScenarioResult, WrongFieldError, fault_message
from store.vocabulary import QUANTILE_COLUMNS


def _whole(value: object) -> object:
    """Number as it is; a text, a truth value or a fraction is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
        raise WrongFieldError(
            message("%(value)s is not a whole number. Write it as 45.", value=shown(repr(value)))
        )
    return value


Days = Annotated[int, BeforeValidator(_whole)]

_MOST_TONNES: Final = 1e6
_LONGEST_COVER: Final = 520.0


class FirmQuestion(BaseModel):
    """Needs and stock of a firm; nothing of it is stored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    destination: str = Field(max_length=20)
    tonnes: float = Field(gt=0, le=_MOST_TONNES, description="Needed a month.")
    stock: float = Field(0.0, ge=0, le=_MOST_TONNES, description="Tonnes held today.")
    stock_weeks: float = Field(
        0.0, ge=0, le=_LONGEST_COVER, description="The same in weeks of need; adds to stock."
    )
    lead_days: Days = Field(
        0, ge=0, le=LONGEST_LEAD_DAYS, description="From order to clearance in China."
    )
    on_order: float = Field(
        0.0, ge=0, le=_MOST_TONNES, description="Tonnes ordered earlier, not yet cleared."
    )
    transit_days: Days | None = Field(
        None,
        ge=0,
        le=365,
        description="From clearance to arrival; by default the slow end of forwarders' ranges.",
    )
    controlled: bool = Field(default=True, description="Grade with dysprosium or terbium.")
    licence_days: Days = Field(0, ge=0, le=730, description="Until the licence is in hand.")
    licensed_first: bool = Field(
        default=False, description="Those with a licence are served first; else all in proportion."
    )
    by_month: str = Field(
        "", max_length=1000, description="Needs of single months, such as 2026-12 14.5."
    )

    @property
    def held(self) -> float:
        """Stock in tonnes."""
        return self.stock + self.stock_weeks * self.tonnes / WEEKS_A_MONTH

    @property
    def firm(self) -> Firm:
        return Firm(
            self.tonnes, self.held, self.controlled, self.licence_days, self.licensed_first,
            typed_months(self.by_month), self.lead_days, self.on_order,
        )  # fmt: skip


_LABELS: Final = {
    "destination": marked("Destination"),
    "tonnes": marked("Tonnes a month"),
    "stock": marked("Stock, tonnes"),
    "stock_weeks": marked("or weeks of stock"),
    "lead_days": marked("Days from order to clearance"),
    "on_order": marked("Tonnes on order, not yet cleared"),
    "transit_days": marked("Days from clearance to arrival"),
    "licence_days": marked("Days until your licence is in hand"),
    "by_month": marked("Tonnes of single months, as copied from a sheet"),
}
"""Fields as forms label them."""


def as_field(name: str, fault: str) -> str:
    """Fault with the label of its field."""
    return gettext("%(field)s: %(fault)s", field=gettext(_LABELS.get(name, name)), fault=fault)


_Value = TypeVar("_Value")


def field_in(fields: Mapping[str, str], name: str, read: Callable[[str], _Value]) -> _Value:
    """Field as ``read`` takes it; an error names it by its label."""
    try:
        return read(fields[name].strip())
    except DataError as err:
        raise DataError(as_field(name, message_of(err))) from err


_NUMBERS: Final = (
    "tonnes", "stock", "stock_weeks", "lead_days", "on_order", "transit_days", "licence_days",
)  # fmt: skip


def question_in(fields: Mapping[str, str]) -> FirmQuestion:
    """Question from the fields of an address; errors name the field."""
    values = {name: text for name, text in fields.items() if text}
    numbers = {n: field_in(values, n, typed_digits) for n in _NUMBERS if n in values}
    days = {name: float(text) for name, text in numbers.items() if name.endswith("_days")}
    try:
        question = FirmQuestion.model_validate(values | numbers | days)
    except ValidationError as err:
        first = err.errors()[0]
        raise DataError(as_field(str(first["loc"][-1]), rendered(fault_message(first)))) from err
    field_in({"by_month": question.by_month}, "by_month", typed_months)
    return question


def firm_answer(
    publication: Publication,
    question: FirmQuestion,
    results: Sequence[tuple[str, ScenarioResult]] = (),
    *,
    now: pd.Timestamp,
) -> Record:
    """Outlook of a firm whose stock was counted now, as published and under scenarios by name.

    Tonnes, days and shares. ``share`` is the firm's need in a normal month of its destination,
    ``normal_t``; ``is_small``, it is under a fifth of the median, so that a rule of sharing out
    must be assumed (``is_assumed``: who has a licence comes first). ``reach_on`` is the first day
    without stock if nothing arrives, ``order_by`` the last day to order so that it arrives by then,
    ``arrives_on`` the latest arrival of what is ordered today. ``chance_out`` is that of running
    out by the end of a month of clearance in China or of the last, ``chance_short`` that at least
    one month brings less than is needed, whatever the stock; 0.05 means at most, 0.95 at least
    that. What is ordered now is cleared from ``cleared_on`` on, what was ordered earlier,
    ``on_order``, evenly until then.
    ``next_date`` is the day of the next announced act, ``order_before_act`` the last day to order
    before it, None for a grade that it does not cover; ``is_late``: that day is past. ``scenario``
    is empty as published.
    """
    now = max(now, publication.as_of)
    name = known_destination(publication, question.destination)
    firm = question.firm
    outlook = firm_outlook(publication, name, firm, now)
    transit = question.transit_days
    transit = transit_of(name)[1] if transit is None else transit
    cover = cover_from(now, firm, transit, today=now)
    runs = [
        _run(title, firm_outlook(publication, name, firm, now, _scenario(result)))
        for title, result in results
    ]
    normal = publication.usual(name).tonnes
    median = publication.latest.loc[publication.latest["destination"].eq(name), "p50"].median()
    return {
        **_run("", outlook),
        "destination": name, "destination_name": name_of(name),
        "as_of": f"{publication.as_of:%Y-%m-%dT%H:%M:%SZ}", "normal_t": round(normal, 3),
        "share": round(question.tonnes / normal, 5),
        "is_small": bool(question.tonnes < SMALL * median),
        "stock_t": round(question.held, 3), "weeks_of_cover": round(cover.weeks, 1),
        "lead_days": question.lead_days, "transit_days": transit, **order_days(cover),
        "chance_short": bounded(outlook.chance_short), "on_order": question.on_order,
        "stock_95_t": round(outlook.stock_95, 1),
        "is_assumed": question.licensed_first,
        **_next_act(publication, question, now),
        "months": [
            {
                "cleared_in": month,
                "arrives_from": f"{arrivals[0]:%Y-%m}",
                "arrives_to": f"{arrivals[1]:%Y-%m}",
                "tonnes": need,
                "chance_out": bounded(chance),
            }
            for month, need, chance in outlook.rows
            for arrivals in [arrivals_of(month, (min(transit_of(name)[0], transit), transit))]
        ],
        "what_if": runs,
    }  # fmt: skip


def _run(title: str, outlook: FirmOutlook) -> Record:
    return {
        "scenario": title,
        "out_in": outlook.out_in,
        "chance_out": bounded(outlook.chances_out[-1]),
        "stock_90_t": round(outlook.stock_90, 1),
    }


def _scenario(result: ScenarioResult) -> pd.DataFrame:
    """Months of a result, with the quantiles of its scenario."""
    columns = {f"scenario_{name}": name for name in QUANTILE_COLUMNS}
    return result.table[["destination", "period", *columns]].rename(columns=columns)


def _next_act(publication: Publication, question: FirmQuestion, now: pd.Timestamp) -> Record:
    """Next announced act on a controlled grade, and the last day to order before it."""
    explained = publication.published.explanation or StoredExplanation()
    today = f"{now:%Y-%m-%d}"
    acts = sorted((act.due, act.event_id) for act in explained.announced if act.due > today)
    if not acts or not question.controlled:
        return {"next_date": None, "next_act": "", "order_before_act": None, "is_late": False}
    due, event = acts[0]
    titles = publication.snapshot.ledger.events.set_index("event_id")["summary"]
    order = f"{pd.Timestamp(due) - pd.Timedelta(days=question.lead_days + 1):%Y-%m-%d}"
    words = act_words(str(titles.get(event, event)))
    place = {"next_date": due, "next_act": words}
    return {**place, "order_before_act": order, "is_late": order < today}
