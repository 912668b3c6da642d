"""What a firm plans with: needs, alert rules and forecasts by others, in ``planning.yaml``.

The file lies in the home and is read at each publication; whoever keeps it in git has a record of
who changed what. Nothing of it is written by the program.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pandas as pd
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from store.errors import DataError
from store.schema.database_tables import rival_forecasts
from store.schema.frames import frame_of
from store.schema.scenario import fault_message
from store.vocabulary import COMMODITY, MONTH_PATTERN

FILE: Final = "planning.yaml"

_MOVED: Final = {
    "webhooks": "MAGNETCAST_ALERT_URLS says where alerts go. Write there jsons://HOST/PATH for "
    "https://HOST/PATH (json:// for http://), and delete webhooks here.",
    "emails": "MAGNETCAST_ALERT_URLS says where alerts go. Write there "
    "mailtos://USER:PASSWORD@HOST?from=ADDRESS&to=ADDRESS, and delete emails here.",
}
"""What to write in the place of fields that are gone."""

MOST_TONNES: Final = 1e6
"""Tonnes a month, some hundred times what China exports."""

LONGEST_LEAD_DAYS: Final = 730
LONGEST_MONTHS: Final = 36

Month = Annotated[str, StringConstraints(pattern=MONTH_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=40)]

Measure = Literal["shortfall", "below_last_year", "median"]
"""What an alert rule watches."""


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

    @model_validator(mode="after")
    def _has_months(self) -> "Need":
        first, last = pd.Period(self.period_from, "M"), pd.Period(self.period_to, "M")
        if not 0 <= last.ordinal - first.ordinal < LONGEST_MONTHS:
            raise ValueError(
                f"{self.period_from} to {self.period_to} is no span of 1 to {LONGEST_MONTHS} "
                "months. Correct period_from or period_to"
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
    forecasts_by_others: tuple[str, ...] = Field(
        (), description="CSV files, relative to this file."
    )

    @model_validator(mode="after")
    def _has_names(self) -> "PlanningFile":
        for entries in (self.needs, self.alert_rules):
            names = [entry.name for entry in entries]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"the name {twice[0]!r} stands twice. Name each once")
        unknown = {rule.need for rule in self.alert_rules if rule.need} - {
            need.name for need in self.needs
        }
        if unknown:
            raise ValueError(f"there is no need {min(unknown)!r} for an alert rule")
        return self

    def need_of(self, rule: AlertRule) -> Need | None:
        """Need that a rule watches."""
        return next((need for need in self.needs if need.name == rule.need), None)


def read_planning_file(home: Path) -> PlanningFile | None:
    """Planning of a home; None where it has none.

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
        return PlanningFile.model_validate(yaml.safe_load(text) or {})
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(err, "problem", None) or err
        raise DataError(f"{path}{line}: {problem}. Expected YAML. Correct it.") from err
    except ValidationError as err:
        first = err.errors()[0]
        place = ".".join(map(str, first["loc"]))
        number = _line_of(node, first["loc"])
        raise DataError(
            f"{path}, line {number}{f', {place}' if place else ''}: "
            f"{_MOVED.get(place) or fault_message(first)} See docs/planning.md."
        ) from err


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
