"""What the API's documentation says of a scenario; the reader of scenario files checks it."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sources.scenario_file import MOST_ENTRIES
from sources.tariffs import HIGHEST_RATE_PCT
from store.vocabulary import INSTRUMENTS


class Part(BaseModel):
    """A part of a scenario: these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Act(Part):
    """A new act, or other dates of a known one; no day lies before the forecast's."""

    event_id: str = Field(min_length=1, description="Known, or a new name.")
    announced_on: date = Field(None, description="The day of the forecast if left out.")
    effective_from: date = Field(None, description="A new act needs it.")
    effective_to: date = Field(None)
    suspended_from: date = Field(None)
    suspended_to: date = Field(None)
    instrument: str = Field(
        None, description="A new act needs it.", json_schema_extra={"enum": sorted(INSTRUMENTS)}
    )
    direction: str = Field(None, json_schema_extra={"enum": ["restrictive", "easing", "neutral"]})
    destinations: list[str] = Field(None, description="A new act needs them.")
    products: str = Field(None)
    kept_pct: float = Field(None, ge=0, le=100, description="Percent that still passes.")


class Step(Part):
    """A tariff on magnets from China, as a whole rate or as points added."""

    importer: str = Field(examples=["USA"])
    rate_pct: float = Field(None, ge=0, le=HIGHEST_RATE_PCT)
    add_points: float = Field(None, ge=-HIGHEST_RATE_PCT, le=HIGHEST_RATE_PCT)
    announced_on: date = Field(None)
    effective_from: date
    effective_to: date = Field(None)


Acts = Annotated[list[Act], Field(max_length=MOST_ENTRIES)]
Steps = Annotated[list[Step], Field(max_length=MOST_ENTRIES)]


class Levers(Part):
    """What to compare with instead of what is known."""

    events: Acts = Field(None)
    tariffs: Steps = Field(None)


class AskedScenario(Part):
    """A question: what if; with events or tariffs."""

    name: str = Field(min_length=1)
    description: str = Field(None)
    events: Acts = Field(None)
    tariffs: Steps = Field(None)
    against: Levers = Field(None)
