"""README and docs/accuracy.md quote what the benchmarks measured, to the letter."""

import re

import pytest

from store.settings import PROJECT_ROOT

NAMES = {"all destinations": "ALL", "world": "WLD", "USA": "USA", "European Union": "EU27"}


def entries_of(page: str, name: str) -> list[str]:
    lines = (PROJECT_ROOT / page).read_text(encoding="utf-8").splitlines()
    own = next(line for line in lines if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in own.strip("|").split("|")[1:]]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_on_accuracy_quotes_the_measured_coverage(name: str) -> None:
    measured = entries_of("benchmarks/coverage.md", NAMES[name])

    assert entries_of("docs/accuracy.md", name) == [entry.split(";")[0] for entry in measured]


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
def test_the_page_on_accuracy_quotes_the_measured_errors_by_horizon(
    quoted: str, measured: str
) -> None:
    page = (PROJECT_ROOT / "benchmarks" / "magnets.md").read_text(encoding="utf-8")
    _, _, ahead = page.partition("## By horizon")
    accuracy = (PROJECT_ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")

    [found] = re.findall(rf"^\| {re.escape(measured)} (\|.*)$", ahead, re.MULTILINE)
    assert f"| {quoted} {found}" in accuracy.replace("**", "")


@pytest.mark.parametrize("scope", ["all destinations", "world", "USA"])
@pytest.mark.parametrize("model", ["magnetcast", "seasonal naive"])
def test_the_readme_quotes_the_measured_errors_by_lead(scope: str, model: str) -> None:
    page = (PROJECT_ROOT / "benchmarks" / "magnets.md").read_text(encoding="utf-8")
    _, _, by_lead = page.partition("## By lead")
    row = rf"^\| {NAMES[scope]} \| {model.replace(' ', '_')} \|(.*)\|$"

    measured = re.search(row, by_lead, re.MULTILINE)

    assert measured is not None
    entries = [entry.rpartition("; ")[0].strip() for entry in measured[1].split("|")]
    quoted = entries_of("README.md", f"{scope}, {model}")
    assert [entry.replace("**", "") for entry in quoted] == entries
