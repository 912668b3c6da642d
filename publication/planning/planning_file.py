"""What a firm plans with: needs, alert rules and forecasts by others, in ``planning.yaml``.

The file lies in the home and is read at each publication; whoever keeps it in git has a record of
who changed what. Nothing of it is written by the program.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pandas as pd
import pycountry
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from publication.state import Publication
from publication.words import name_of, tonnes
from store.errors import DataError, first_few
from store.schema.database_tables import rival_forecasts
from store.schema.frames import frame_of
from store.schema.scenario import fault_message
from store.vocabulary import COMMODITY, MONTH_PATTERN

FILE: Final = "planning.yaml"

MOST_TONNES: Final = 1e6
"""Tonnes a month, some hundred times what China exports."""

LARGE: Final = 0.5
"""Share of a usual month above which a need is asked back: kilograms for tonnes, most often."""


LONGEST_LEAD_DAYS: Final = 730
LONGEST_MONTHS: Final = 36

Month = Annotated[str, StringConstraints(pattern=MONTH_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=40)]

Measure = Literal["shortfall", "below_last_year", "median"]
"""What an alert rule watches."""


Fault = tuple[tuple[int | str, ...], str]
"""Place in the file, and what is wrong there."""


class PlanningEntry(BaseModel):
    """A part of the file, with these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Need(PlanningEntry):
    """Tonnes that a plant needs each month."""

    name: Name
    destination: Code
    period_from: Month
    period_to: Month
    tonnes: float = Field(gt=0, le=MOST_TONNES, description="Needed a month.")
    commodity: Code = COMMODITY
    stock: float = Field(0.0, ge=0, le=MOST_TONNES, description="Tonnes held on counted_on.")
    counted_on: date | None = Field(None, description="Day of the stock; the start of the need.")
    lead_days: int = Field(
        0, ge=0, le=LONGEST_LEAD_DAYS, description="From order to clearance in China."
    )
    on_order: float = Field(0.0, ge=0, le=MOST_TONNES, description="Tonnes ordered earlier.")
    transit_days: int | None = Field(
        None, ge=0, le=365, description="From clearance to arrival; as forwarders quote if missing."
    )

    large: bool = Field(default=False, description="Whether half of its country's trade is meant.")

    @model_validator(mode="after")
    def _has_months(self) -> "Need":
        first, last = pd.Period(self.period_from, "M"), pd.Period(self.period_to, "M")
        if not 0 <= last.ordinal - first.ordinal < LONGEST_MONTHS:
            raise ValueError(
                f"{self.period_from} to {self.period_to} is no span of 1 to {LONGEST_MONTHS} "
                "months. Correct period_from or period_to"
            )
        if self.counted_on is not None and f"{self.counted_on:%Y-%m}" > self.period_to:
            raise ValueError(
                f"the stock was counted on {self.counted_on}, after the need ends in "
                f"{self.period_to}. Correct counted_on or period_to"
            )
        return self


class AlertRule(PlanningEntry):
    """When to send an alert: a month of a new publication moved by so much."""

    name: Name
    measure: Measure
    points: float = Field(gt=0, description="Percentage points; percent for a median.")
    need: Name | None = Field(None, description="Name of the need, for shortfall.")
    destination: Code | None = Field(None, description="For the other measures.")
    commodity: Code = COMMODITY

    @model_validator(mode="after")
    def _has_place(self) -> "AlertRule":
        if (self.measure == "shortfall") != (self.need is not None):
            raise ValueError("a shortfall is of a need, the other measures are of a destination")
        if (self.need is None) != (self.destination is not None):
            raise ValueError("name either a need or a destination")
        return self


class PlanningFile(PlanningEntry):
    """Content of ``planning.yaml``."""

    needs: tuple[Need, ...] = ()
    alert_rules: tuple[AlertRule, ...] = ()
    webhooks: tuple[str, ...] = Field((), description="Addresses that every alert is posted to.")
    emails: tuple[str, ...] = Field((), description="Recipients of every alert.")
    forecasts_by_others: tuple[str, ...] = Field(
        (), description="CSV files, relative to this file."
    )

    def need_of(self, rule: AlertRule) -> Need | None:
        """Need that a rule watches."""
        return next((need for need in self.needs if need.name == rule.need), None)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the entries of a planning file are compared with."""

    today: date
    usual: Mapping[str, Mapping[str, float]]
    """Usual tonnes a month by commodity and destination that are forecast."""
    first_month: Mapping[str, str]
    """First month that was ever forecast of each commodity, ``YYYY-MM``."""


def ground_of(publications: Sequence[Publication], now: pd.Timestamp) -> Ground:
    """Ground of the newest publications at a moment."""
    return Ground(
        now.date(),
        {
            part.commodity: {name: part.usual(name).tonnes for name in part.destinations}
            for part in publications
        },
        {part.commodity: str(part.published.every["period"].min()) for part in publications},
    )


def read_planning_file(home: Path, ground: Ground | None = None) -> PlanningFile | None:
    """Planning of a home; None where it has none.

    Args:
        ground: What is forecast; without it only the form of the file is checked.

    Raises:
        DataError: The file is not as expected; the message has line and reason.
    """
    path = home / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as err:
        raise DataError(f"{path} cannot be read ({err}). Expected a YAML file in UTF-8.") from err
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        file = PlanningFile.model_validate(yaml.safe_load(text) or {})
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(err, "problem", None) or err
        raise DataError(f"{path}{line}: {problem}. Expected YAML. Correct it.") from err
    except ValidationError as err:
        first = err.errors()[0]
        raise DataError(_refusal(path, node, (first["loc"], _words(first)))) from err
    for fault in _faults(file, ground):
        raise DataError(_refusal(path, node, fault))
    return file


def _refusal(path: Path, node: Any, fault: Fault) -> str:  # noqa: ANN401 - of YAML
    """Message with file, line, place and reason."""
    places, text = fault
    place = ".".join(map(str, places))
    where = f"{path}, line {_line_of(node, places)}{f', {place}' if place else ''}"
    return f"{where}: {text} See docs/planning.md."


def _words(error: ErrorDetails) -> str:
    """What pydantic found wrong, without the entry it stands in."""
    entry, field = error["loc"][:1], str(error["loc"][-1])
    if error["type"] == "extra_forbidden":
        model, thing = _ENTRIES.get(str(*entry) if len(error["loc"]) > 1 else "", _WHOLE)
        near = get_close_matches(field, model.model_fields, n=1, cutoff=_NEAR)
        hint = f"Did you mean {near[0]}?" if near else f"Expected {', '.join(model.model_fields)}."
        return f"{thing} has no field {field!r}. {hint}"
    if error["type"] == "value_error":
        return f"{error['ctx']['error']}."
    return str(fault_message(error))


def _line_of(node: Any, places: tuple[int | str, ...]) -> int:  # noqa: ANN401 - of YAML
    """Line of a part of the file, or of what holds it where it is missing."""
    for place in places:
        if isinstance(node, yaml.MappingNode):
            part = next((value for key, value in node.value if key.value == place), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(place, int):
            part = node.value[place] if place < len(node.value) else None
        else:
            part = None
        if part is None:
            break
        node = part
    return 1 if node is None else int(node.start_mark.line) + 1


def _faults(file: PlanningFile, ground: Ground | None) -> Iterator[Fault]:
    """Yield names that stand twice or are unknown, days that cannot be, and likely slips."""
    needs = [need.name for need in file.needs]
    parts: dict[str, Sequence[Need | AlertRule]] = {
        "needs": file.needs,
        "alert_rules": file.alert_rules,
    }
    for part, entries in parts.items():
        names = [entry.name for entry in entries]
        for place, entry in enumerate(entries):
            faults = [*_of_names(entry, names[:place], needs)]
            if ground is not None:
                faults += [*_unknown(entry, ground), *_of_need(entry, ground)]
            yield from (((part, place, name), text) for name, text in faults)


def _of_names(
    entry: Need | AlertRule, earlier: Sequence[str], needs: Sequence[str]
) -> Iterator[tuple[str, str]]:
    if entry.name in earlier:
        number = earlier.index(entry.name) + 1
        yield "name", f"the name {entry.name!r} is that of entry {number} too. Give each its own."
    if isinstance(entry, AlertRule) and entry.need is not None and entry.need not in needs:
        yield (
            "need",
            f"there is no need {entry.need!r} for this rule. {_nearest(entry.need, needs)}",
        )


def _unknown(entry: Need | AlertRule, ground: Ground) -> Iterator[tuple[str, str]]:
    forecast, destination = ground.usual.get(entry.commodity), entry.destination
    if forecast is None:
        text = f"{entry.commodity} is not forecast. {_nearest(entry.commodity, ground.usual)}"
        yield "commodity", text
    elif destination is not None and destination not in forecast:
        yield "destination", f"{destination} is not forecast. {_nearest(destination, forecast)}"


def _of_need(need: Need | AlertRule, ground: Ground) -> Iterator[tuple[str, str]]:
    if isinstance(need, AlertRule):
        return
    if need.period_to < (first := ground.first_month.get(need.commodity, "")):
        text = (
            f"{need.period_to} is before {first}, the first month that was ever forecast here. "
            "Expected a month that is still to come. Correct the period."
        )
        yield "period_to", text
    if need.counted_on is not None and need.counted_on > ground.today:
        text = (
            f"{need.counted_on} is still to come; today is {ground.today}. Expected the day on "
            "which the stock was counted. Correct it, or leave it out where the stock is that at "
            "the start of the need."
        )
        yield "counted_on", text
    usual = ground.usual.get(need.commodity, {}).get(need.destination, math.nan)
    if need.tonnes > LARGE * usual and not need.large:
        text = (
            f"{need.tonnes:,g} t a month is more than half of the usual {tonnes(usual)} t of "
            f"{name_of(need.destination)}. If it is kilograms, write {need.tonnes / 1000:g}; if "
            "it is tonnes, add `large: true` to this need."
        )
        yield "tonnes", text


def _nearest(text: str, known: Mapping[str, object] | Sequence[str]) -> str:
    """The nearest name that is known, as a question; else all, if they are few."""
    names: dict[str, str] = {}
    for code in known:
        country = pycountry.countries.get(alpha_3=code)
        two_letters = [country.alpha_2] if country is not None else []
        names |= dict.fromkeys(map(str.casefold, (code, name_of(code), *two_letters)), code)
    near = get_close_matches(text.casefold(), [*names], n=1, cutoff=_NEAR)
    if near:
        return f"Did you mean {names[near[0]]}?"
    return f"Expected one of {first_few([*known])}. Take one of those." if names else "Add it."


_NEAR: Final = 0.75
"""Likeness from which a name is taken for a slip of another."""

_WHOLE: Final[tuple[type[PlanningEntry], str]] = (PlanningFile, "the file")
_ENTRIES: Final[dict[str, tuple[type[PlanningEntry], str]]] = {
    "needs": (Need, "a need"),
    "alert_rules": (AlertRule, "an alert rule"),
}


def no_rivals() -> pd.DataFrame:
    """Table of forecasts by others without a row."""
    return frame_of(None, list(rival_forecasts.columns))


@dataclass(frozen=True, slots=True)
class Planning:
    """The firm's file, and what the home stores beside it."""

    file: PlanningFile | None = None
    rivals: pd.DataFrame = field(default_factory=no_rivals)
    """Forecasts by others, oldest first; ``period`` is the first day of the month."""
    alerts: tuple[Mapping[str, object], ...] = ()
    """What the alert rules found, newest first."""

    @property
    def needs(self) -> tuple[Need, ...]:
        return self.file.needs if self.file else ()

    def rivals_of(self, commodity: str, destination: str) -> pd.DataFrame:
        """Newest forecast by each other of each month of a destination, by name and month."""
        rows = self.rivals
        rows = rows.loc[rows["commodity"].eq(commodity) & rows["destination"].eq(destination)]
        newest = rows.sort_values(["made_on", "id"]).drop_duplicates(
            ["name", "period"], keep="last"
        )
        return newest.sort_values(["name", "period"], ignore_index=True)
