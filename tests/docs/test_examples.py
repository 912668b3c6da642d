"""The examples in docstrings answer as they say; those of ``mc`` in a home of the bundled facts."""

import doctest
import importlib
from pathlib import Path

import pandas as pd
import pytest

import magnetcast as mc
from store.settings import PROJECT_ROOT

ROOMS = ("store", "sources", "features", "models", "publication")

IN_TURN = (
    "panel", "features", "train", "forecast", "backtest", "explain", "scenario", "compare",
    "promote", "rollback", "compare_forecasts", "Forecaster",
)  # fmt: skip


def written() -> list[str]:
    paths = [path for room in ROOMS for path in (PROJECT_ROOT / room).rglob("*.py")]
    names = [
        path.relative_to(PROJECT_ROOT).with_suffix("")
        for path in paths
        if ">>> " in path.read_text(encoding="utf-8")
    ]
    return sorted(".".join(name.parts) for name in names)


def failures(name: str, found: object, names: dict[str, object]) -> str:
    """Return what doctest says of the examples of one object."""
    said: list[str] = []
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder(recurse=False).find(found, name, globs=names):
        assert test.examples, f"{name} has no example"
        runner.run(test, out=said.append)
    return "".join(said)


@pytest.mark.parametrize("name", written())
def test_an_example_answers_as_it_says(name: str) -> None:
    module = importlib.import_module(name)

    assert doctest.testmod(module).failed == 0


@pytest.mark.slow
def test_the_examples_of_the_public_functions_answer_as_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGNETCAST_HOME", str(tmp_path / "var"))

    assert set(IN_TURN) == set(mc.__all__) - {"DataError"}
    names: dict[str, object] = {"mc": mc, "pd": pd}
    assert "".join(failures(name, getattr(mc, name), names) for name in IN_TURN) == ""
