"""The world the providers tell of: one small truth, in each one's own shape."""

from dataclasses import dataclass, field

from tests.providers.answers import Provider
from tests.providers.comtrade import ComtradeWorld, comtrade


@dataclass
class World:
    """What tests may change between two calls."""

    comtrade: ComtradeWorld = field(default_factory=ComtradeWorld)


def providers_of(world: World) -> dict[str, Provider]:
    """Return every provider by the name of its path."""
    return {"comtrade": comtrade(world.comtrade)}
