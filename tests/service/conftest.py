"""A published store, the app over its site, and a service that answers scenarios."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.publication.fixtures import *  # noqa: F403 - the fixtures that it lists
from tests.service.scenario_service import WhatIf, what_if_over


@pytest.fixture(scope="session")
def what_if(
    published_store: Path, site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WhatIf]:
    """A service that answers scenarios; its worker may be killed, the next answers."""
    home = tmp_path_factory.mktemp("what-if")
    (home / "site").symlink_to(site.resolve())
    with what_if_over(published_store, home) as opened:
        yield opened
