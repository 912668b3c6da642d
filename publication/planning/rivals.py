"""Forecasts by others beside ours: how they are written, and how both did for the same months."""

import csv
import io
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final

import numpy as np
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from models.evaluation.scores import lead_groups
from publication.planning.planning_file import LONGEST_MONTHS, Code, Month, Name, Planning
from publication.queries.track import TRUTH
from publication.state import Publication
from publication.tables import RIVAL_ROW, Record, records
from store.arrays import Floats
from store.errors import DataError
from store.planning import RivalForecast
from store.schema.scenario import fault_message
from store.vocabulary import COMMODITY


def _text(day: object) -> str:
    """Day as text; a number would be read as seconds since 1970."""
    if not isinstance(day, str):
        raise ValueError("Expected a day such as 2026-11-20. Correct it")  # noqa: TRY004 - pydantic's
    return day


MOST_TIMES: Final = 10.0
"""Times the largest p95 published from which tonnes are a slip of whoever wrote them."""

_UNPUBLISHED_MONTHS: Final = 3
"""Past months that may be without a figure when a forecast is made, January among them."""


class NewRival(BaseModel):
    """Somebody else's forecast of one month."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: Name = Field(description="Whose it is.")
    source: str = Field("", max_length=500, description="Where it stands.")
    made_on: Annotated[date, BeforeValidator(_text)] = Field(
        ge=date(2012, 1, 1),
        description="As its source says; it is scored from the day it is entered.",
    )
    commodity: Code = Field(COMMODITY)
    destination: Code
    period: Month
    tonnes: float = Field(ge=0, strict=True)

    @model_validator(mode="after")
    def _is_ahead(self) -> "NewRival":
        months = pd.Period(self.period, "M").ordinal - pd.Period(self.made_on, "M").ordinal
        if not -_UNPUBLISHED_MONTHS <= months <= LONGEST_MONTHS:
            raise ValueError(
                f"{self.period} is {months} months after made_on. Expected "
                f"-{_UNPUBLISHED_MONTHS} to {LONGEST_MONTHS}. Correct period or made_on"
            )
        return self

    @property
    def row(self) -> RivalForecast:
        period = date.fromisoformat(f"{self.period}-01")
        return RivalForecast(**{**self.model_dump(), "period": period})


_KEY: Final = ["destination", "period"]


def rival_cells(publication: Publication, planning: Planning) -> pd.DataFrame:
    """Every forecast by others of a commodity beside ours: ``RIVAL_ROW``, newest first.

    Ours is what was published when theirs was entered: an earlier ``made_on`` gains nothing.
    """
    rows = planning.rivals
    rows = rows.loc[rows["commodity"] == publication.commodity].sort_values("available_at")
    medians = publication.published.every
    medians = medians.assign(period=pd.to_datetime(medians["period"]))
    moments = _published(publication)
    cells = pd.merge_asof(rows, moments, left_on="available_at", right_on="published_at")
    cells = cells.astype({"period": medians["period"].dtype}).sort_values(["made_on", "id"])
    ours = medians[["publication", *_KEY, "p10", "p50", "p90"]]
    cells = cells.merge(ours, on=["publication", *_KEY], how="left", validate="many_to_one")
    panel = publication.snapshot.panel
    truth = panel.loc[panel["kind"] == TRUTH, [*_KEY, "tonnes"]].rename(
        columns={"tonnes": "actual"}
    )
    cells = cells.merge(truth, on=_KEY, how="left", validate="many_to_one")
    cells = cells.merge(_loaded(publication), on=_KEY, how="left", validate="many_to_one")
    entered = cells["available_at"]
    lead = (cells["period"].dt.year - entered.dt.year) * 12
    lead += cells["period"].dt.month - entered.dt.month
    in_time = cells.assign(day=entered.dt.date).loc[entered < cells["loaded_at"]]
    last = in_time.drop_duplicates(["name", "day", *_KEY], keep="last").index
    is_scored = cells["actual"].notna() & cells["p50"].notna() & cells.index.isin(last)
    marked_cells = cells.assign(lead=lead, scored=is_scored).sort_values("id", ascending=False)
    return marked_cells[list(RIVAL_ROW)].reset_index(drop=True)


def _published(publication: Publication) -> pd.DataFrame:
    """Publications that were the newest when they were published: number and moment, in order.

    One without a moment of its own counts from its ``as_of``.
    """
    rows = publication.published.publications.query("state == 'published'")
    rows = rows.assign(
        publication=rows["id"], published_at=rows["published_at"].fillna(rows["as_of"])
    )
    rows = rows.sort_values(["published_at", "id"])
    return rows.loc[rows["as_of"] >= rows["as_of"].cummax(), ["publication", "published_at"]]


def _loaded(publication: Publication) -> pd.DataFrame:
    """When the first figure of each destination and month came into the store."""
    figures, vintages = publication.published.observations, publication.published.vintages
    figures = figures.loc[figures["period_from"].eq(figures["period_to"])]
    loaded = figures.merge(
        vintages[["id", "ingested_at"]], left_on="vintage", right_on="id", how="left"
    )
    first = loaded.groupby(["destination", "period_from"])["ingested_at"].min()
    return first.rename_axis(_KEY).rename("loaded_at").reset_index()


def rivals(publication: Publication, planning: Planning) -> list[Record]:
    """Forecasts by others of a commodity, newest first."""
    cells = rival_cells(publication, planning)
    return records(cells.assign(period=cells["period"].dt.strftime("%Y-%m")))


def rival_scores(publication: Publication, planning: Planning) -> list[Record]:
    """How forecasts by others did beside ours, by name over all leads and then by lead.

    ``lead`` over all is empty; ``months`` are those scored, the same of both;
    ``error`` and ``our_error`` are absolute errors as shares of actual tonnes, None where these are
    0; ``value_added`` is 1 less their ratio, above 0 where theirs was closer, with 10% to 90% of
    1,000 draws of months with replacement, None below five.
    """
    cells = rival_cells(publication, planning)
    cells = cells.loc[cells["scored"]]
    cells = cells.assign(group=lead_groups(cells).astype(str))
    return [
        _score(str(name), lead, part)
        for name, named in cells.groupby("name")
        for lead, part in (("", named), *named.groupby("group"))
    ]


_DRAWS: Final = 1000
_FEWEST: Final = 5
"""Months from which an interval is given."""


def _score(name: str, lead: str, cells: pd.DataFrame) -> Record:
    errors = cells[["tonnes", "p50"]].sub(cells["actual"], axis=0).abs()
    by_month = errors.groupby(cells["period"]).sum().to_numpy()
    actual = float(cells["actual"].sum())
    theirs, ours = (errors.sum() / actual).tolist() if actual > 0 else (None, None)
    low = high = None
    if len(by_month) >= _FEWEST:
        picks = np.random.default_rng(0).integers(len(by_month), size=(_DRAWS, len(by_month)))
        low, high = np.quantile(_value(by_month[picks].sum(axis=1)), (0.1, 0.9)).tolist()
    return {
        "name": name,
        "lead": lead,
        "months": len(cells),
        "error": theirs,
        "our_error": ours,
        "value_added": float(_value(errors.sum().to_numpy()[None])[0]),
        "value_low": low,
        "value_high": high,
    }


def _value(errors: Floats) -> Floats:
    """Value added from sums of errors, theirs and ours; 0 where ours are none."""
    theirs, ours = errors.T
    return np.asarray(1.0 - np.divide(theirs, ours, out=np.ones_like(ours), where=ours > 0))


_FILE_COLUMNS: Final = ("name", "source", "made_on", "destination", "period", "tonnes")


def rows_of_file(
    body: bytes, file: str, highest: Mapping[tuple[str, str], float]
) -> list[RivalForecast]:
    """Rows of a CSV file with a heading: name, source, made_on, destination, period, tonnes.

    Args:
        highest: Largest p95 published, in tonnes, by commodity and destination.

    Raises:
        DataError: The file, line and reason; also of tonnes that are far above all we published.
    """
    try:
        text = io.StringIO(body.decode("utf-8-sig"), newline=None)
        lines = csv.DictReader(text, restkey="further")
        named_lines = list(lines)
    except (UnicodeDecodeError, csv.Error) as err:
        raise DataError(f"{file} is no CSV in UTF-8 ({err}). Save it as CSV UTF-8.") from err
    if missing := {*_FILE_COLUMNS} - {*(lines.fieldnames or ())}:
        raise DataError(
            f"{file} has no column {', '.join(sorted(missing))}. Expected a heading with "
            f"{', '.join(_FILE_COLUMNS)}, and commodity for others than magnets. Add it."
        )
    rows = []
    for number, line in enumerate(named_lines, start=2):
        try:
            fields = {name: text for name, text in line.items() if text}
            row = NewRival.model_validate_strings(fields).row
        except ValidationError as err:
            first = err.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise DataError(f"{file}, line {number}, {field}: {fault_message(first)}") from err
        most = MOST_TIMES * highest.get((row.commodity, row.destination), np.inf)
        if row.tonnes > most:
            raise DataError(
                f"{file}, line {number}, tonnes: {row.tonnes:,.0f} for {row.destination}. Expected "
                f"at most {most:,.0f}, {MOST_TIMES:.0f} times the largest p95 of ours. Correct it."
            )
        rows.append(row)
    return rows
