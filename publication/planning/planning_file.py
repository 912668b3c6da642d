"""What a firm plans with: needs and alert rules, in ``planning.yaml``.

The file lies in the home and is read at each publication; whoever keeps it in git has a record of
who changed what. Nothing of it is written by the program.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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

from publication.language.formats import locale_of
from publication.language.phrases import LANGUAGES
from publication.state import Publication
from publication.words import name_of, tonnes
from store.errors import DataError, first_few
from store.schema.scenario import fault_message
from store.vocabulary import COMMODITY, MONTH_PATTERN

FILE: Final = "planning.yaml"

_MOVED: Final = {
    "webhooks": "MAGNETCAST_ALERT_URLS says where alerts go. Write there jsons://HOST/PATH for "
    "https://HOST/PATH (json:// for http://), and delete webhooks here.",
    "forecasts_by_others": "Forecasts by others are no longer read or scored. Delete "
    "forecasts_by_others here; what you expect yourself are `estimates` of a need.",
    "emails": "MAGNETCAST_ALERT_URLS says where alerts go. Write there "
    "mailtos://USER:PASSWORD@HOST?from=ADDRESS&to=ADDRESS, and delete emails here.",
}
"""What to write in the place of fields that are gone."""

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

    large: bool = Field(default=False, description="Whether so much tonnage is meant.")
    estimates: Mapping[Month, Annotated[float, Field(ge=0, le=MOST_TONNES)]] = Field(
        {}, description="Your own numbers of the country's exports, by month."
    )

    @model_validator(mode="after")
    def _has_estimates_of_its_months(self) -> "Need":
        first, last = self.period_from, self.period_to
        if others := [month for month in self.estimates if not first <= month <= last]:
            raise ValueError(
                f"an estimate of {others[0]} lies outside {first} to {last}. Correct or remove it"
            )
        return self

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

    def need_of(self, rule: AlertRule) -> Need | None:
        """Need that a rule watches."""
        return next((need for need in self.needs if need.name == rule.need), None)


def read_planning_file(
    home: Path, publications: Sequence[Publication] = (), today: date | None = None
) -> PlanningFile | None:
    """Planning of a home; None where it has none.

    Args:
        publications: What is forecast; without them and ``today`` the form alone is checked.

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
        # Every value as it is typed: YAML itself makes days and numbers of what looks like some.
        file = PlanningFile.model_validate(yaml.load(text, yaml.BaseLoader) or {})  # noqa: S506
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(err, "problem", None) or err
        raise DataError(f"{path}{line}: {problem}. Expected YAML. Correct it.") from err
    except ValidationError as err:
        first = err.errors()[0]
        raise DataError(_refusal(path, node, (first["loc"], _fault_text(first)))) from err
    for fault in _repeated(node):
        raise DataError(_refusal(path, node, fault))
    for fault in _faults(file, {part.commodity: part for part in publications}, today):
        raise DataError(_refusal(path, node, fault))
    return file


def _refusal(path: Path, node: Any, fault: Fault) -> str:  # noqa: ANN401 - of YAML
    """Message with file, line, place and reason."""
    places, text = fault
    place = ".".join(map(str, places))
    where = f"{path}, line {_line_of(node, places)}{f', {place}' if place else ''}"
    return f"{where}: {text} See docs/planning.md."


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


def _fault_text(error: ErrorDetails) -> str:
    """What is wrong with the form, in words; an entry is not repeated."""
    place, kind = error["loc"], error["type"]
    if (name := ".".join(map(str, place))) in _MOVED:
        return _MOVED[name]
    if kind == "value_error":
        return f"{error['ctx']['error']}."
    if kind == "extra_forbidden":
        parts: dict[int | str, type[PlanningEntry]] = {"needs": Need, "alert_rules": AlertRule}
        part = parts.get(place[0], PlanningFile)
        return f"there is no such field. {_nearest(str(place[-1]), [*part.model_fields])}"
    return _FORM[kind].format(error["input"]) if kind in _FORM else str(fault_message(error))


_FORM: Final = {
    "date_from_datetime_parsing": "{} is not a date. Write it as YYYY-MM-DD, e.g. 2026-12-01.",
    "int_parsing": "{} is not a whole number. Write it as 45.",
    "bool_parsing": "{} is neither true nor false.",
    "tuple_type": "expected a list. Begin each entry with a hyphen.",
    "model_type": "expected fields. Write one a line, such as `name: plant 3`.",
}
"""By pydantic's type of error, where its own words are of Python."""


def _repeated(node: Any, place: tuple[int | str, ...] = ()) -> Iterator[Fault]:  # noqa: ANN401
    """Yield fields that stand twice in one entry; YAML would take the last."""
    parts = list[tuple[int | str, Any]]()
    if isinstance(node, yaml.MappingNode):
        parts = [(key.value, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        parts = [*enumerate(node.value)]
    names = [name for name, _ in parts]
    for at, (name, part) in enumerate(parts):
        if name in names[:at]:
            yield (*place, name), f"the field stands again in line {_line_of(part, ())}. Keep one."
        yield from _repeated(part, (*place, name))


def _faults(
    file: PlanningFile, publications: Mapping[str, Publication], today: date | None
) -> Iterator[Fault]:
    """Yield names that stand twice or are unknown, days that cannot be, and likely slips."""
    needs = [need.name for need in file.needs]
    entries: dict[str, Sequence[Need | AlertRule]] = {
        "needs": file.needs, "alert_rules": file.alert_rules,
    }  # fmt: skip
    for part, listed in entries.items():
        names = [entry.name for entry in listed]
        for place, entry in enumerate(listed):
            faults = [*_wrong_names(entry, names[:place], needs, publications)]
            if isinstance(entry, Need) and today is not None and not faults:
                faults += _wrong_amounts(entry, publications[entry.commodity], today)
            yield from (((part, place, name), text) for name, text in faults)


def _wrong_names(
    entry: Need | AlertRule,
    earlier: Sequence[str],
    needs: Sequence[str],
    publications: Mapping[str, Publication],
) -> Iterator[tuple[str, str]]:
    code, publication = entry.destination, publications.get(entry.commodity)
    if entry.name in earlier:
        number = earlier.index(entry.name) + 1
        yield "name", f"the name {entry.name!r} is that of entry {number} too. Give each its own."
    if isinstance(entry, AlertRule) and entry.need is not None and entry.need not in needs:
        yield "need", f"there is no need {entry.need!r}. {_nearest(entry.need, needs)}"
    if publications and publication is None:
        text = f"{entry.commodity} is not forecast. {_nearest(entry.commodity, [*publications])}"
        yield "commodity", text
    elif publication is not None and code is not None and code not in publication.destinations:
        yield "destination", f"{code} is not forecast. {_nearest(code, publication.destinations)}"


def _wrong_amounts(need: Need, publication: Publication, today: date) -> Iterator[tuple[str, str]]:
    if need.period_to < (first := str(publication.published.every["period"].min())):
        text = f"{need.period_to} is before {first}, the first month that was ever forecast here."
        yield "period_to", f"{text} Expected a month that is still to come. Correct the period."
    if need.counted_on is not None and need.counted_on > today:
        text = f"{need.counted_on} is still to come; today is {today}."
        yield "counted_on", f"{text} Enter the day on which the stock was counted, or leave it out."
    usual = publication.usual(need.destination).tonnes
    if need.stock > LONGEST_MONTHS * need.tonnes and not need.large:
        text = (
            f"{need.stock:,g} t of stock last {need.stock / need.tonnes:,.0f} months. If it is "
            f"kilograms, write {need.stock / 1000:g}; if it is tonnes, add `large: true` to this "
            "need."
        )
        yield "stock", text
    if need.tonnes > LARGE * usual and not need.large:
        text = (
            f"{need.tonnes:,g} t a month is more than half of the usual {tonnes(usual)} t of "
            f"{name_of(need.destination)}. If it is kilograms, write {need.tonnes / 1000:g}; if "
            "it is tonnes, add `large: true` to this need."
        )
        yield "tonnes", text


def _nearest(text: str, codes: Sequence[str]) -> str:
    """The nearest of some names or codes as a question; else what there is."""
    names: dict[str, str] = {}
    for code in codes:
        country = pycountry.countries.get(alpha_3=code)
        words = [code, name_of(code)]
        if country is not None:
            by_language = [locale_of(name).territories for name in LANGUAGES]
            words += [country.alpha_2, *(names[country.alpha_2] for names in by_language)]
        names |= dict.fromkeys(map(str.casefold, words), code)
    if near := get_close_matches(text.casefold(), [*names], n=1, cutoff=_NEAR):
        return f"Did you mean {names[near[0]]}?"
    return f"Expected one of {first_few(codes)}. Take one of those." if codes else "Add it."


_NEAR: Final = 0.75
"""Likeness from which a name is taken for a slip of another."""


@dataclass(frozen=True, slots=True)
class Planning:
    """The firm's file, and what the home stores beside it."""

    file: PlanningFile | None = None
    alerts: tuple[Mapping[str, object], ...] = ()
    """What the alert rules found, newest first."""

    @property
    def needs(self) -> tuple[Need, ...]:
        return self.file.needs if self.file else ()
