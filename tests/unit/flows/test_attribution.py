import numpy as np
import pandas as pd
import pytest

from docs.attribution import attribution_page
from flows.analysis.attribution import months_in_words, sentences
from models.event_study import Attribution, StudiedEvent
from tests.data.builders import at

PERIODS = [f"2025-{month:02d}" for month in range(4, 10)]
KEPT = [0.4, 0.2, 0.5, 1.0, 1.05, 1.0]


def make_rows(name: str, role: str, level: float, kept: list[float]) -> pd.DataFrame:
    """Build the months of one series: a flat path and actual months."""
    path, actual = np.full(6, level), level * np.array(kept)
    fall = np.arange(6) < 3
    cumulated = np.cumsum(path - actual)
    return pd.DataFrame(
        {
            "destination": name,
            "role": role,
            "period": PERIODS,
            "part": np.where(fall, "fall", "after"),
            "exports_t": actual,
            "exports_stderr_t": 0.0,
            "kind": ["observed", "observed", "derived", "estimated", "observed", "observed"],
            "without_p10": 0.9 * path,
            "without_p50": path,
            "without_p90": 1.1 * path,
            "lost_t": np.where(fall & (role == "hit"), path - actual, np.nan),
            "recovered_t": np.where(~fall & (role == "hit"), actual - path, np.nan),
            "displaced_t": np.where(fall & (role == "other"), actual - path, np.nan),
            "cumulated_t": cumulated,
            "cumulated_p10": cumulated - 20.0,
            "cumulated_p90": cumulated + 20.0,
        }
    )


def make_total(name: str, part: str, missing: float, *, band: float = 100.0) -> dict[str, object]:
    first, last = {"fall": (0, 2), "after": (3, 5), "all": (0, 5)}[part]
    return {
        "destination": name,
        "role": "other" if name in ("OTHERS", "DEU") else "hit",
        "part": part,
        "first_period": PERIODS[first],
        "last_period": PERIODS[last],
        "path_t": 3_000.0,
        "exports_t": 3_000.0 - missing,
        "missing_t": missing,
        "missing_p10": missing - band,
        "missing_p90": missing + band,
        "rank": 1,
        "dates": 24,
    }


def make_attribution() -> Attribution:
    """Build an event that took 1,900 t from the USA, of which 150 t returned."""
    tables = [
        make_rows("USA", "hit", 1_000.0, KEPT),
        make_rows("DEU", "other", 500.0, [1.1] * 6),
        make_rows("OTHERS", "other", 500.0, [1.1] * 6).assign(kind=""),
        make_rows("WLD", "sum", 1_500.0, KEPT),
    ]
    totals = [
        make_total("USA", "fall", 1_900.0),
        make_total("USA", "after", -150.0),
        make_total("USA", "all", 1_750.0, band=2_000.0),
        make_total("DEU", "fall", -150.0),
        make_total("OTHERS", "fall", -150.0),
        make_total("WLD", "fall", 1_750.0),
    ]
    months = pd.date_range("2024-04-01", "2025-09-01", freq="MS")
    past = [
        pd.DataFrame(
            {"destination": name, "period": months, "tonnes": 900.0, "stderr_t": 9.0}
        ).assign(kind="observed")
        for name in ("USA", "DEU", "WLD")
    ]
    act = StudiedEvent(
        "2025-04-test", at("2025-04-04"), "Licences.", "USA", ("USA",), pd.DataFrame()
    )
    return Attribution(
        act=act,
        as_of=at("2025-11-25"),
        fall=3,
        late=(3, 1, 5),
        depth=(1.9, 1, 25),
        touched="USA",
        table=pd.concat(tables, ignore_index=True),
        totals=pd.DataFrame(totals),
        past=pd.concat(past, ignore_index=True),
        companions=("2025-04-other",),
    )


def test_an_event_is_told_with_months_path_band_and_rank() -> None:
    said = sentences(make_attribution())

    assert said[0] == (
        "Exports to United States lost 1,900 t in April-June 2025 against the path foreseen on "
        "3 April 2025 (80% band 1,800 to 2,000 t), 63.3% of it: 1.9 months of exports. Of 24 "
        "earlier placebo dates none had as deep a fall; their windows overlap."
    )
    assert "or in the months shown: 2025-04-other." in said[1]
    assert said[2] == (
        "In July-September 2025 exports exceeded the path by 150 t (80% band 50 to 250 t)."
    )
    assert said[3] == (
        "The destinations it left alone received 150 t more than their own paths in the same "
        "months (80% band 50 to 250 t), beyond what placebo dates show; largest: Germany +150 t."
    )
    assert said[4].startswith("Of 12 months by destination 8 are observed, 2 derived and 2 est")


def test_the_page_holds_sentences_picture_and_tables() -> None:
    found = make_attribution()

    page = attribution_page(found, picture="x.png", made_by="make docs")

    assert all(f"- {sentence}" in page for sentence in sentences(found))
    assert "![With and without the act of 4 April 2025](x.png)" in page
    assert "2025-04-test" not in page
    assert "| 2025-04 | 400 | observed | 900 | 1,000 | 1,100 | +600 |" in page
    assert "| United States | the fall | April-June 2025 |" in page


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2025-04", "2025-04", "April 2025"),
        ("2025-04", "2025-06", "April-June 2025"),
        ("2025-11", "2026-01", "November 2025-January 2026"),
    ],
)
def test_months_in_words(first: str, last: str, words: str) -> None:
    assert months_in_words(first, last) == words
