"""Which forecast a run makes and where it publishes it."""

from dataclasses import dataclass, replace
from typing import Final

from models.forecasting.model_names import MODEL
from models.learning.parameters import MAGNETS_PRESET, PANEL_PRESET, ModelParameters
from store.vocabulary import BY_PARTNER, COMMODITY, figures_of


@dataclass(frozen=True, slots=True)
class RunConfig:
    """One forecast that is computed and published.

    The main one is the magnets', on the evidence panel; the others are of full partner tables.
    """

    published_as: str
    """Key of its forecasts, scores and runs in the store."""
    label: str = ""
    """Name of the commodity; empty if nobody gave one."""

    @property
    def commodity(self) -> str:
        return figures_of(self.published_as)

    @property
    def table_key(self) -> str:
        """Key of a partner table, which its names and messages carry; empty for the magnets."""
        return "" if self.published_as == COMMODITY else self.published_as

    @property
    def model(self) -> str:
        """Name of its registered model."""
        return f"{MODEL}-{self.table_key}".rstrip("-")

    @property
    def option(self) -> str:
        """Option of a verb that names it, after a space."""
        return f" --commodity {self.commodity}" if self.table_key else ""

    @property
    def flow(self) -> str:
        return "run-table" if self.table_key else "run"

    @property
    def prefix(self) -> str:
        return f"{self.table_key}: " if self.table_key else ""

    def preset(self, threads: int) -> ModelParameters:
        """Default parameters of its model; the magnets' is too small for more than one thread."""
        return replace(PANEL_PRESET, threads=threads) if self.table_key else MAGNETS_PRESET


MAGNETS: Final = RunConfig(COMMODITY)
"""The main job: magnets by destination."""


def config_of(commodity: str | None) -> RunConfig:
    """Configuration of a commodity's full partner table; of the magnets if None.

    The magnets' own table has another key than their forecast from the evidence, so that no reader
    mixes the two.
    """
    if commodity is None:
        return MAGNETS
    return RunConfig(f"{commodity}{BY_PARTNER}" if commodity == COMMODITY else commodity)
