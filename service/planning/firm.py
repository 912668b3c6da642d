"""When a firm's stock runs out, for the page of needs and the API."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from models.forecasting.firm_needs import Firm, FirmOutlook
from service.http.responses import Record
from service.language.acts import act_words
from service.live.publication import Publication
from service.queries.destination_months import known_destination, normal_month
from service.queries.needs import SMALL, bounded, firm_outlook
from service.scenario_pool import ScenarioPool, ScenarioResult
from service.words import name_of
from store.errors import DataError
from store.messages import message
from store.numbers import plain_number
from store.publications.explanations import StoredExplanation
from store.schema.scenario import words_of
from store.vocabulary import QUANTILE_COLUMNS

_MOST_TONNES: Final = 1e6
_MONTH: Final = re.compile(r"(\d{4}-\d{2})[\s,;:]+(\d+(?:\.\d+)?)", re.ASCII)


def _by_month(text: str) -> str:
    if _MONTH.sub("", text).strip(" \t\r\n,;"):
        raise ValueError("Expected lines such as 2026-12 14.5, one a month. Correct them")
    return text


class FirmQuestion(BaseModel):
    """Needs and stock of a firm; nothing of it is stored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    destination: str = Field(max_length=20, examples=["DEU"])
    tonnes: float = Field(gt=0, le=_MOST_TONNES, description="Needed a month.", examples=[12.0])
    stock: float = Field(0.0, ge=0, le=_MOST_TONNES, description="Tonnes held today.")
    lead_days: int = Field(0, ge=0, le=730, description="From order to clearance in China.")
    controlled: bool = Field(default=True, description="Grade with dysprosium or terbium.")
    licence_days: int = Field(0, ge=0, le=730, description="Until the licence is in hand.")
    licensed_first: bool = Field(
        default=False, description="Those with a licence are served first; else all in proportion."
    )
    by_month: Annotated[str, AfterValidator(_by_month)] = Field(
        "", max_length=1000, description="Needs of single months, such as 2026-12 14.5."
    )

    @property
    def firm(self) -> Firm:
        single = {month: float(tonnes) for month, tonnes in _MONTH.findall(self.by_month)}
        return Firm(
            self.tonnes, self.stock, self.controlled, self.licence_days, self.licensed_first, single
        )


def question_in(fields: Mapping[str, str]) -> FirmQuestion:
    """Question from the fields of an address; errors name the field."""
    filled = {name: text for name, text in fields.items() if text}
    try:
        numbers = {n: plain_number(filled[n]) for n in ("tonnes", "stock") if n in filled}
        return FirmQuestion.model_validate({**filled, **numbers})
    except ValidationError as err:
        first = err.errors()[0]
        text = message("%(field)s: %(fault)s", field=str(first["loc"][-1]), fault=words_of(first))
        raise DataError(text) from err
    except ValueError as err:
        raise DataError(str(err)) from err


PARAMETERS: Final = [
    {"name": name, "in": "query", "required": "default" not in schema, "schema": schema}
    for name, schema in FirmQuestion.model_json_schema()["properties"].items()
]
"""Of the address, as the API documents them."""


class FirmMonth(BaseModel):
    """One month of an answer."""

    period: str
    tonnes: float
    chance_out: float = Field(description="Of running out by its end; 0.05 at most, 0.95 at least.")


class FirmRun(BaseModel):
    """When a firm runs out under one assumption."""

    scenario: str = Field(description="Empty: as published.")
    out_in: str | None = Field(description="First month by which it is more likely than not.")
    chance_out: float = Field(description="By the last month.")
    stock_90_t: float


class FirmAnswer(FirmRun):
    """The answers to a firm."""

    destination: str
    destination_name: str
    as_of: str
    normal_t: float = Field(description="Tonnes of the destination's normal month.")
    share: float = Field(description="The firm's need in it.")
    is_small: bool = Field(description="Under a fifth of the median: a rule must be assumed.")
    stock_t: float
    weeks_of_cover: float
    stock_95_t: float
    next_date: str | None = Field(description="Next announced act; its day.")
    next_act: str
    order_by: str | None = Field(description="Last day to order before it.")
    months: list[FirmMonth]
    what_if: list[FirmRun]


async def firm_answer(
    publication: Publication, question: FirmQuestion, pool: ScenarioPool | None
) -> FirmAnswer:
    """Outlook of a firm, with one for each example scenario if there is a pool."""
    name = known_destination(publication, question.destination)
    results: list[tuple[str, ScenarioResult]] = []
    if pool is not None:
        results = [
            (example.name, await pool.answer(publication, example.text.encode()))
            for example in pool.what_if.worked
        ]
    outlook = firm_outlook(publication, name, question.firm)
    runs = [
        _run(title, firm_outlook(publication, name, question.firm, _scenario(result)))
        for title, result in results
    ]
    normal = normal_month(publication, name)
    median = publication.latest.loc[publication.latest["destination"].eq(name), "p50"].median()
    return FirmAnswer(
        **_run("", outlook).model_dump(), destination=name, destination_name=name_of(name),
        as_of=f"{publication.as_of:%Y-%m-%dT%H:%M:%SZ}", normal_t=round(normal, 1),
        share=round(question.tonnes / normal, 5), is_small=bool(question.tonnes < SMALL * median),
        stock_t=question.stock, weeks_of_cover=round(outlook.weeks_of_cover, 1),
        stock_95_t=round(outlook.stock_95, 1), **_order(publication, question.lead_days),
        months=[
            FirmMonth(period=month, tonnes=need, chance_out=bounded(chance))
            for month, need, chance in outlook.rows
        ],
        what_if=runs,
    )  # fmt: skip


def _run(title: str, outlook: FirmOutlook) -> FirmRun:
    return FirmRun(
        scenario=title, out_in=outlook.out_in, chance_out=bounded(outlook.chances_out[-1]),
        stock_90_t=round(outlook.stock_90, 1),
    )  # fmt: skip


def _scenario(result: ScenarioResult) -> pd.DataFrame:
    """Months of a result, with the quantiles of its scenario."""
    columns = {f"scenario_{name}": name for name in QUANTILE_COLUMNS}
    return result.table[["destination", "period", *columns]].rename(columns=columns)


def _order(publication: Publication, lead_days: int) -> Record:
    """Next announced act, and the last day to order before it."""
    explained = publication.published.explanation or StoredExplanation()
    today = f"{publication.as_of:%Y-%m-%d}"
    acts = sorted((act.due, act.event_id) for act in explained.announced if act.due > today)
    if not acts:
        return {"next_date": None, "next_act": "", "order_by": None}
    due, event = acts[0]
    titles = publication.snapshot.ledger.events.set_index("event_id")["summary"]
    order = pd.Timestamp(due) - pd.Timedelta(days=lead_days + 1)
    words = act_words(str(titles.get(event, event)))
    return {"next_date": due, "next_act": words, "order_by": f"{order:%Y-%m-%d}"}
