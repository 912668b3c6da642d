"""Which forecast a run makes and where it publishes it."""

from dataclasses import dataclass
from typing import Final

from models.forecasting.forecaster import MODEL
from store.vocabulary import BY_PARTNER, COMMODITY, figures_of


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One forecast that is made and published.

    The main one is the magnets', on the evidence panel; the others are of full partner tables.
    """

    published_as: str
    """Key of its forecasts, scores and runs in the store."""
    label: str = ""
    """What the commodity is called; empty where nobody said."""

    @property
    def commodity(self) -> str:
        return figures_of(self.published_as)

    @property
    def is_main(self) -> bool:
        return self.published_as == COMMODITY

    @property
    def model(self) -> str:
        """Name of its registered model."""
        return MODEL if self.is_main else f"{MODEL}-{self.published_as}"

    @property
    def option(self) -> str:
        """How a verb is asked about it, after the verb."""
        return "" if self.is_main else f" --commodity {self.commodity}"

    @property
    def flow(self) -> str:
        return "run" if self.is_main else "run-table"

    @property
    def prefix(self) -> str:
        return "" if self.is_main else f"{self.published_as}: "


MAGNETS: Final = RunConfig(COMMODITY)
"""The main job: magnets by destination."""


def config_of(commodity: str | None) -> RunConfig:
    """Return the configuration of a commodity's full partner table; of the magnets if None.

    The magnets' own table has another key than their forecast from the evidence, so that no reader
    mixes the two.
    """
    if commodity is None:
        return MAGNETS
    return RunConfig(f"{commodity}{BY_PARTNER}" if commodity == COMMODITY else commodity)
