import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from models.forecasting.changes import shared_effects
from publication.feeds import digest_of
from publication.pages.briefing import change_of, surprises_of
from publication.queries.destination_months import next_months
from publication.queries.explanation_sentences import run_sentence
from publication.state import Publication
from store.arrays import Floats
from store.database import open_store
from store.publications.explanations import NewFigure, StoredExplanation, runs_of, save_explanation
from tests.publication.pages import Outline, page_of, texts_of
from tests.publication.stores import NOW, copied, publications_of, publish

AHEAD = ("2026-12", "2027-01", "2027-02")


def figure(place: str, month: str, tonnes: float, expected: float, *moved: float) -> NewFigure:
    effects = {place: dict(zip(AHEAD, moved, strict=True))} if moved else None
    return NewFigure(
        place, month, month, "net_weight_t", tonnes, "2026-11-24T12:00:00Z", "example.org",
        f"https://example.org/{place}-{month}", is_revision=False, expected_t=expected,
        published_t=tonnes, moved=effects,
    )  # fmt: skip


GERMANY = (
    figure("DEU", "2026-10", 610.0, 1160.0, -89.0, -90.4, -60.0),
    figure("DEU", "2026-08", 661.0, 1200.0, -89.0, -90.4, -60.0),
    figure("DEU", "2026-09", 646.0, 1190.0, -89.0, -90.4, -60.0),
)
"""In the order in which they were loaded: 639 t a month of 1,183 t, 46% less."""

KOREA = figure("KOR", "2026-10", 800.0, 500.0, 30.0, 20.0, 10.0)
JAPAN = figure("JPN", "2026-08", 230.0, 231.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def surprised(
    published_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Publication]:
    """Newest of two publications, with figures loaded between them."""
    engine = open_store(copied(published_store, tmp_path_factory.mktemp("surprised")))
    publish(engine, datetime(2026, 11, 25, tzinfo=UTC), cutoff="2026-07", factor=0.9)
    save_explanation(engine, 3, StoredExplanation(2, figures=(*GERMANY, KOREA, JAPAN)))
    yield publications_of(engine)[0]
    engine.dispose()


def first_lines(page: str) -> list[str]:
    """Return what a page says that came."""
    return [
        Outline(part).words.replace("\xa0", " ")
        for part in re.findall(r'<p class="surprise">(.*?)</p>', page, re.DOTALL)
    ]


def test_what_came_stands_first_then_its_effect_then_the_forecast_and_the_usual(
    surprised: Publication,
) -> None:
    page = page_of(surprised, "DEU")

    main = Outline(page[page.index("</nav>", page.index("data-chosen")) :]).words.replace(
        "\xa0", " "
    )
    assert main.startswith(
        "August to October 2026: 639 t a month, 46% below what was expected. It moves the medians "
        "of Germany for December 2026 to February 2027 by \N{MINUS SIGN}717 t in sum. Germany, "
        "December 2026: "
    )
    assert main.index("in sum.") < main.index("the usual ")
    assert digest_of(page).startswith("August to October 2026: 639")


def test_the_overview_names_every_surprise_the_largest_first(surprised: Publication) -> None:
    overview, japan = page_of(surprised, "WLD", is_first=True), page_of(surprised, "JPN")

    first, second = first_lines(overview)
    assert first.startswith("Germany, August to October 2026: 639")
    assert second.startswith("South Korea, October 2026: 800")
    assert "60% above what was expected" in second
    assert 'class="surprise"' not in japan
    assert [*surprises_of(surprised, NOW)] == ["DEU", "KOR"]


def test_neighbouring_months_are_one_cause_with_one_sum_and_their_split_below(
    surprised: Publication,
) -> None:
    change = change_of(surprised, "DEU", "2027-01")

    (run,) = change.listed
    assert [row.first for row in run] == ["2026-08", "2026-09", "2026-10"]
    assert change.effect(run) == change.total == -270.0
    words = texts_of(page_of(surprised, "DEU"), "li")
    assert sum("by \N{MINUS SIGN}89 t" in text for text in words) >= 3
    assert "together: moved the median of December 2026 by \N{MINUS SIGN}267 t" in " ".join(words)


def test_months_with_one_between_them_or_of_another_place_are_not_neighbours() -> None:
    august, october = GERMANY[1], GERMANY[0]
    estimate = replace(GERMANY[2], published_t=None)

    runs = runs_of([october, KOREA, august, estimate])

    assert [[row.first for row in run] for run in runs] == [
        ["2026-10"], ["2026-10"], ["2026-08"], ["2026-09"],
    ]  # fmt: skip
    assert run_sentence([KOREA], "KOR", ["2026-12"]).startswith("South Korea, October 2026: 800")


def test_effects_are_shared_whatever_the_order() -> None:
    """Three alike share alike; of two, each the mean of coming first and of coming last."""

    def alike(seen: frozenset[int]) -> Floats:
        return np.array([{1: 0.0, 2: -213.0, 3: -247.0, 4: -267.0}[len(seen)]])

    values = {(): 5.0, (1,): 15.0, (2,): 25.0, (1, 2): 29.0}

    three, reached = shared_effects((4, 5, 6), frozenset({9}), np.zeros(1), alike)
    two, _ = shared_effects(
        (1, 2), frozenset(), np.array([5.0]), lambda seen: np.array([values[tuple(sorted(seen))]])
    )

    assert [float(part[0]) for part in three.values()] == pytest.approx([-89.0] * 3)
    assert reached[0] == -267.0
    assert {at: float(part[0]) for at, part in two.items()} == {1: 7.0, 2: 17.0}


def test_a_surprise_whose_effect_was_not_computed_says_only_what_came(engine: Engine) -> None:
    publish(engine, datetime(2026, 11, 25, tzinfo=UTC), cutoff="2026-07")
    alone = replace(KOREA, moved=None)
    save_explanation(engine, 3, StoredExplanation(2, figures=(alone,)))

    (text,) = first_lines(page_of(publications_of(engine)[0], "KOR"))

    assert text == "October 2026: 800 t, 60% above what was expected."


def test_the_first_screen_has_three_months_together_and_days_to_order_by(
    surprised: Publication,
) -> None:
    words = Outline(page_of(surprised, "DEU")).words.replace("\xa0", " ")
    together = next_months(surprised, "DEU", "2026-11")

    assert together is not None
    rows = surprised.latest.query("destination == 'DEU' and '2026-12' <= period <= '2027-02'")
    assert together.at("p50") == pytest.approx(rows["p50"].sum(), rel=0.02)
    assert rows["p10"].sum() < together.at("p10") < together.at("p90") < rows["p90"].sum()
    assert (
        f"December 2026 to February 2027 together: {together.at('p50'):,.0f} t (8 in 10:" in words
    )
    # 30 days less 45 + 45 days; 90 days of 25 November.
    assert "30 days of stock: order now, 60 days late; " in words
    assert "90 days of stock: order by 25 Nov 2026." in words
    assert next_months(surprised, "DEU", "2027-09") is None
