import re

import pytest

from store.settings import PROJECT_ROOT

SCOPES = {
    "all destinations": "ALL", "months that could be forecast": "FORECASTABLE", "world": "WLD",
    "USA": "USA", "European Union": "EU27",
}  # fmt: skip
MODELS = {
    "magnetcast": "magnetcast", "base forecasts alone": "experts",
    "trees alone": "lightgbm", "seasonal naive": "seasonal_naive", "AutoETS": "auto_ets",
}  # fmt: skip
LONG = {**MODELS, "the same, parameters of panels": "panel_parameters"}
ERAS = (
    "2021-06 to 2023-05", "2023-06 to 2024-08", "2024-09 to 2025-04", "2025-05 to 2026-12",
    "2025-10 to 2026-12",
)  # fmt: skip
FIVE_YEARS = "## By lead, origins from June 2021 on"
RECENT = "## By lead, origins from June 2024 on"


def rows_below(page: str, heading: str) -> dict[str, list[str]]:
    """Return the entries of the tables of a page's section by the first, two in magnets.md."""
    text = (PROJECT_ROOT / page).read_text(encoding="utf-8")
    [section] = re.findall(rf"(?ms)^{re.escape(heading)}[^\n]*\n(.*?)(?=^##|\Z)", text)
    rows = [
        [entry.strip() for entry in line.strip("|").split("|")]
        for line in section.replace("**", "").splitlines()
        if line.startswith("| ")
    ]
    names = 2 if page == "benchmarks/magnets.md" else 1
    return {", ".join(row[:names]): row[names:] for row in rows}


def measured(section: str, scope: str, model: str) -> list[str]:
    entries = rows_below("benchmarks/magnets.md", section)[f"{scope}, {model}"]
    return [re.sub(r" \([^)]*\)", "", entry) for entry in entries]


@pytest.mark.parametrize(
    ("page", "heading", "section", "scopes", "models"),
    [
        ("README.md", "## How good is it", FIVE_YEARS, 1, tuple(LONG)[:4] + tuple(LONG)[5:]),
        ("README.md", "## How good is it", FIVE_YEARS, 4, ("magnetcast", "seasonal naive")),
        ("docs/accuracy.md", "## Over five years", FIVE_YEARS, 5, tuple(LONG)),
        ("docs/accuracy.md", "## From June 2024 on", RECENT, 5, tuple(MODELS)),
    ],
    ids=["readme, all", "readme", "five years", "recent"],
)
def test_a_page_quotes_the_measured_scores_by_lead(
    page: str, heading: str, section: str, scopes: int, models: tuple[str, ...]
) -> None:
    quoted = rows_below(page, heading)

    for scope in list(SCOPES)[:scopes]:
        for model in models:
            assert quoted[f"{scope}, {model}"] == measured(section, SCOPES[scope], LONG[model])


README, BY_LEAD = ("README.md", "## How good is it"), ("docs/accuracy.md", "## Over five years")
CONTEST = ("benchmarks/beat_us/README.md", "## Where we stand")
QUOTES = [
    *((README, f"{scope}, {model}, as an operator has it", "## As an operator has it", scope, model)
      for scope in list(SCOPES)[:2] for model in ("magnetcast", "seasonal naive")),
    *((BY_LEAD, f"{era}, {model}", f"### {era}", "all destinations", model)
      for era in ERAS for model in LONG),
    *((CONTEST, f"`magnetcast`, {scope}", RECENT, scope, "magnetcast") for scope in SCOPES),
]  # fmt: skip
"""Page and heading, the row that quotes, and what it quotes."""


@pytest.mark.parametrize(("place", "row", "section", "scope", "model"), QUOTES)
def test_replays_eras_and_the_contest_quote_the_measured_scores(
    place: tuple[str, str], row: str, section: str, scope: str, model: str
) -> None:
    assert rows_below(*place)[row] == measured(section, SCOPES[scope], LONG[model])
