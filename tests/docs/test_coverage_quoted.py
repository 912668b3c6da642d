"""The README quotes the coverage that the benchmark measured, to the letter."""

import pytest

from store.settings import PROJECT_ROOT

NAMES = {"all destinations": "ALL", "world": "WLD", "USA": "USA"}


def entries_of(page: str, name: str) -> list[str]:
    lines = (PROJECT_ROOT / page).read_text(encoding="utf-8").splitlines()
    own = next(line for line in lines if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in own.strip("|").split("|")[1:]]


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_quotes_the_measured_coverage(name: str) -> None:
    measured = entries_of("benchmarks/coverage.md", NAMES[name])

    assert entries_of("README.md", name) == [entry.split(";")[0] for entry in measured]
