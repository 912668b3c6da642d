"""The world the providers tell of: one small truth, in each one's own shape."""

from dataclasses import dataclass, field

from tests.providers.answers import Provider
from tests.providers.comtrade import ComtradeWorld, comtrade
from tests.providers.policy import PolicyWorld, beijing, federal_register, feeds, hts


@dataclass
class World:
    """What tests may change between two calls."""

    comtrade: ComtradeWorld = field(default_factory=ComtradeWorld)
    policy: PolicyWorld = field(default_factory=PolicyWorld)


def providers_of(world: World) -> dict[str, Provider]:
    """Return every provider by the name of its path."""
    return {
        "comtrade": comtrade(world.comtrade), "hts": hts(world.policy),
        "federal_register": federal_register(world.policy), "mofcom": beijing(world.policy),
        "gacc": beijing(world.policy), "white_house": feeds(world.policy),
        "cbp": feeds(world.policy),
    }  # fmt: skip
