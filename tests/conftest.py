"""Options of the whole test run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.settings import Settings
from tests.providers.comtrade import ComtradeWorld
from tests.providers.server import Providers
from tests.providers.world import World


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-network",
        action="store_true",
        help="also run the tests that call the providers' real addresses",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "network: calls a provider's real address")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--run-network"):
        return
    for item in items:
        if "network" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="calls the network; pass --run-network"))


@pytest.fixture
def providers() -> Iterator[Providers]:
    """Serve all providers over two years of a small world."""
    world = World(comtrade=ComtradeWorld(first="2024-01", last="2025-12", partners=24))
    with Providers(world) as served:
        yield served


@pytest.fixture
def live_settings(providers: Providers, tmp_path: Path) -> Settings:
    """Return settings that point every source at the served providers."""
    return Settings(home=tmp_path / "var", **providers.urls())
