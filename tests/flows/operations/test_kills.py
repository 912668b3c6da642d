import random
from pathlib import Path

import pytest

from benchmarks.kills import Scene, environment, kill_once, lifetime
from tests.providers.server import Providers

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]


def test_a_killed_ingest_leaves_whole_vintages_and_the_next_one_completes(
    tmp_path: Path, child_environment: dict[str, str]
) -> None:
    with Providers() as providers:
        scene = Scene(tmp_path, providers, partners=40)
        variables = environment(scene, child_environment)
        life = lifetime(scene, variables)
        moments = random.Random(1)  # noqa: S311 - moments, not secrets

        kills = [kill_once(scene, variables, moments, life) for _ in range(5)]

    assert {kill.left for kill in kills if kill is not None} <= {"old", "new"}
