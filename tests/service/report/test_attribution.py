from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from service.report.attribution_chart import AttributionView, attribution_png, months_in_words
from service.report.attribution_page import attribution_page
from service.report.attribution_words import sentences

PERIODS = [f"2025-{month:02d}" for month in range(4, 10)]
CAME = [0.4, 0.2, 0.5, 1.0, 1.05, 1.0]


def make_rows(name: str, role: str, level: float, kept: list[float]) -> pd.DataFrame:
    """Build the months of one series: a flat path and what came."""
    path, came = np.full(6, level), level * np.array(kept)
    fall = np.arange(6) < 3
    cumulated = np.cumsum(path - came)
    return pd.DataFrame(
        {
            "destination": name,
            "role": role,
            "period": PERIODS,
            "part": np.where(fall, "fall", "after"),
            "actual_t": came,
            "actual_stderr_t": 0.0,
            "kind": ["observed", "observed", "derived", "estimated", "observed", "observed"],
            "foreseen_p50": path,
            "without_p10": 0.9 * path,
            "without_p50": path,
            "without_p90": 1.1 * path,
            "missing_t": path - came,
            "missing_p10": path - came - 10.0,
            "missing_p90": path - came + 10.0,
            "lost_t": np.where(fall & (role == "hit"), path - came, np.nan),
            "recovered_t": np.where(~fall & (role == "hit"), came - path, np.nan),
            "displaced_t": np.where(fall & (role == "other"), came - path, np.nan),
            "cumulated_t": cumulated,
            "cumulated_p10": cumulated - 20.0,
            "cumulated_p90": cumulated + 20.0,
            "synthetic_t": np.where(role == "hit", 1.02 * path, np.nan),
        }
    )


def make_total(
    name: str, part: str, missing: float, *, way: str = "as_of", band: float = 100.0
) -> dict[str, object]:
    first, last = {"fall": (0, 2), "after": (3, 5), "all": (0, 5)}[part]
    return {
        "destination": name,
        "role": "other" if name in ("OTHERS", "DEU") else "hit",
        "way": way,
        "part": part,
        "first_period": PERIODS[first],
        "last_period": PERIODS[last],
        "path_t": 3_000.0,
        "actual_t": 3_000.0 - missing,
        "missing_t": missing,
        "missing_p10": missing - band,
        "missing_p90": missing + band,
        "rank": 1,
        "dates": 24,
        "earlier_rank": 2,
        "earlier_dates": 30,
    }


def make_view() -> AttributionView:
    """Build an event that took 1,900 t from the USA, of which 150 t came back."""
    table = pd.concat(
        [
            make_rows("USA", "hit", 1_000.0, CAME),
            make_rows("DEU", "other", 500.0, [1.1] * 6),
            make_rows("OTHERS", "other", 500.0, [1.1] * 6).assign(kind=""),
            make_rows("WLD", "sum", 1_500.0, CAME),
        ],
        ignore_index=True,
    )
    totals = pd.DataFrame(
        [
            make_total("USA", "fall", 1_900.0),
            make_total("USA", "after", -150.0),
            make_total("USA", "all", 1_750.0, band=2_000.0),
            make_total("DEU", "fall", -150.0),
            make_total("OTHERS", "fall", -150.0),
            make_total("WLD", "fall", 1_750.0),
            make_total("USA", "fall", 1_960.0, way="synthetic"),
        ]
    )
    months = pd.date_range("2024-04-01", "2025-09-01", freq="MS")
    past = pd.concat(
        pd.DataFrame(
            {"destination": name, "period": months, "tonnes": 900.0, "stderr_t": 9.0,
             "kind": "observed"}
        )
        for name in ("USA", "DEU", "WLD")
    )  # fmt: skip
    return AttributionView(
        event_id="2025-04-test",
        summary="Licences.",
        announced=pd.Timestamp("2025-04-04"),
        as_of=pd.Timestamp("2025-11-25"),
        named="USA",
        whole="USA",
        hits_all=False,
        fall=3,
        late=(3, 1, 5),
        depth=(1.9, 1, 25),
        companions=("2025-04-other",),
        table=table,
        totals=totals,
        weights=pd.DataFrame({"target": ["USA"], "donor": ["DEU"], "weight": [1.0]}),
        fit_error=0.08,
        past=past,
    )


def words_of(view: AttributionView) -> str:
    return " ".join(sentences(view))


def test_the_loss_is_said_with_months_path_band_and_rank() -> None:
    words = sentences(make_view())

    assert words[0] == (
        "Exports to United States lost 1,900 t in April-June 2025 against the path foreseen on "
        "3 April 2025 (80% band 1,800 to 2,000 t), 63.3% of it."
    )
    assert "None of the 24 calm fake dates before it show a fall as deep" in words[1]
    assert "(rank 1 of 25)" in words[1]
    assert "about 4 independent stretches of 6 months" in words[1]


def test_what_came_back_is_said_as_sure_as_its_band() -> None:
    assert "150 t came back in July-September 2025 (80% band 50 to 250 t)." in words_of(make_view())
    view = make_view()
    wide = view.totals["part"] == "after"
    totals = view.totals.assign(missing_p90=view.totals["missing_p90"].mask(wide, 500.0))

    assert "no sure sign that the loss was made up" in words_of(replace(view, totals=totals))


def test_what_went_elsewhere_is_said_by_destination() -> None:
    words = words_of(make_view())

    assert "took 150 t more than their own paths in the same months (80% band 50 to 250 t)" in words
    assert "beyond what calm dates show; furthest from theirs: Germany +150 t." in words


def test_an_event_that_does_not_stay_out_is_said_not_to() -> None:
    view = make_view()
    totals = view.totals.assign(part=view.totals["part"].replace("fall", "first"))

    words = sentences(replace(view, fall=0, totals=totals))

    assert words[0].startswith("No fall stands out: no single month of April-June 2025 lies below")
    assert "lost" not in " ".join(words)


def test_without_an_untouched_destination_nothing_is_remade_or_displaced() -> None:
    view = make_view()
    left = view.totals.loc[
        (view.totals["way"] == "as_of") & ~view.totals["destination"].isin(["OTHERS", "DEU"])
    ]

    words = words_of(replace(view, hits_all=True, totals=left))

    assert "nothing is counted as displaced" in words
    assert "needs destinations that the event left alone; there is none." in words
    assert "Against the synthetic control" not in words


def test_a_lower_bound_is_called_one() -> None:
    view = make_view()
    rows = [make_total("MORE_HIT", "fall", 400.0, way="less_hit", band=500.0)]
    totals = pd.concat([view.totals, pd.DataFrame(rows)], ignore_index=True)

    words = words_of(replace(view, hits_all=True, totals=totals))

    assert "had United States fared like Germany" in words
    assert "is a lower bound of what they lost, provided the others gained nothing" in words
    assert "that it is above zero is not sure" in words


def test_months_that_were_never_published_are_owned_up_to() -> None:
    view = make_view()

    unseen = replace(view, table=view.table.assign(kind="estimated"))

    assert "even a large fall can hide" in words_of(unseen)
    assert "even a large fall can hide" not in words_of(view)


def test_restated_paths_are_reported() -> None:
    view = make_view()
    half = view.table["foreseen_p50"].where(view.table["destination"] != "DEU", 250.0)

    assert "Germany by 2.00" in words_of(replace(view, table=view.table.assign(foreseen_p50=half)))
    assert "restated" not in words_of(view)


def test_the_page_holds_sentences_picture_and_tables() -> None:
    view = make_view()

    page = attribution_page(view, picture="x.png", made_by="make docs")

    assert all(f"- {sentence}" in page for sentence in sentences(view))
    assert "![With and without 2025-04-test](x.png)" in page
    assert "| 2025-04 | 400 | observed | 900 | 1,000 | 1,100 | +600 |" in page
    assert "| United States | synthetic control | the fall | April-June 2025 |" in page


@pytest.mark.slow
def test_the_same_attribution_is_the_same_picture_and_another_is_another() -> None:
    view = make_view()

    first, second = attribution_png(view), attribution_png(view)

    assert first == second
    assert first != attribution_png(replace(view, table=view.table.assign(without_p50=800.0)))


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
