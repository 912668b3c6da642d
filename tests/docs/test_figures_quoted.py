"""The README quotes the errors and the coverage that the benchmarks measured, to the letter."""

import re

import pytest

from store.settings import PROJECT_ROOT

NAMES = {"all destinations": "ALL", "world": "WLD", "USA": "USA", "European Union": "EU27"}


def entries_of(page: str, name: str) -> list[str]:
    lines = (PROJECT_ROOT / page).read_text(encoding="utf-8").splitlines()
    own = next(line for line in lines if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in own.strip("|").split("|")[1:]]


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_quotes_the_measured_coverage(name: str) -> None:
    measured = entries_of("benchmarks/coverage.md", NAMES[name])

    assert entries_of("README.md", name) == [entry.split(";")[0] for entry in measured]


@pytest.mark.parametrize(
    ("quoted", "measured"),
    [
        ("magnetcast, every destination and sum", "ALL | magnetcast"),
        ("seasonal naive", "ALL | seasonal_naive"),
        ("world, magnetcast", "WLD | magnetcast"),
        ("world, seasonal naive", "WLD | seasonal_naive"),
        ("USA, magnetcast", "USA | magnetcast"),
        ("USA, seasonal naive", "USA | seasonal_naive"),
    ],
)
def test_the_readme_quotes_the_measured_errors_by_months_ahead(quoted: str, measured: str) -> None:
    page = (PROJECT_ROOT / "benchmarks" / "magnets.md").read_text(encoding="utf-8")
    _, _, ahead = page.partition("## By months ahead")
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8").replace("**", "")

    [found] = re.findall(rf"^\| {re.escape(measured)} (\|.*)$", ahead, re.MULTILINE)
    assert f"| {quoted} {found}" in readme
