from dataclasses import replace
from html import unescape

import numpy as np
import pandas as pd
import pytest

from publication.charts.fan import pick_steps
from publication.queries import listings, track
from publication.queries.freshness import freshness_of, releases_ahead
from publication.state import Memo, Publication
from publication.tables import csv_text, records
from publication.words import chance_below, chance_words
from store.publications.explanations import Announced, StoredExplanation
from tests.publication.pages import Outline, page_of
from tests.publication.stores import EARLIER, NOW

QUANTILES = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]


@pytest.mark.parametrize(
    ("level", "chance"),
    [(40.0, 0.5), (35.0, 0.375), (20.0, 0.1), (9.0, 0.05), (71.0, 0.95), (70.0, 0.95)],
)
def test_the_chance_below_a_level_lies_straight_between_quantiles(
    level: float, chance: float
) -> None:
    assert chance_below(QUANTILES, level) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("chance", "words"),
    [(0.05, "under 5%"), (0.95, "over 95%"), (0.333, "33%"), (float("nan"), "\u2013")],
)
def test_a_chance_is_reported_no_finer_than_it_is_known(chance: float, words: str) -> None:
    assert chance_words(chance) == words


def test_what_is_missing_stays_missing_in_plain_rows() -> None:
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2026-01-02", None]),
            "moment": pd.to_datetime(["2026-01-02T03:04:05Z", None]),
            "number": [1.5, None],
            "text": ["=1", None],
        }
    )

    rows = records(frame)

    assert rows[0] == {
        "day": "2026-01-02", "moment": "2026-01-02T03:04:05Z", "number": 1.5, "text": "=1",
    }  # fmt: skip
    assert set(rows[1].values()) == {None}
    assert csv_text(rows, list(frame)).splitlines()[1:] == [
        "2026-01-02,2026-01-02T03:04:05Z,1.5,'=1",
        ",,,",
    ]


def test_a_forecast_past_the_next_release_is_stale(publication: Publication) -> None:
    fresh = freshness_of(publication, now=NOW)
    old = freshness_of(publication, now=NOW + pd.Timedelta(days=60))

    assert not any("Stale" in notice for notice in fresh.notices)
    assert old.notices[0] == (
        "Stale: this forecast is as of 24 November 2026; a newer one should have been published."
    )
    assert fresh.next_release == pd.Timestamp("2026-12-20")


def test_data_on_time_by_the_champion_need_no_notice(publication: Publication) -> None:
    rows = publication.published.forecasts.assign(status="champion")
    good = replace(
        publication,
        published=replace(publication.published, forecasts=rows),
        snapshots={publication.as_of: replace(publication.snapshot, cutoff="2026-10")},
        memo=Memo(),
    )

    assert freshness_of(good, now=NOW).notices == ()


def test_of_rows_of_several_models_the_newest_cutoff_and_the_champion_are_named(
    publication: Publication,
) -> None:
    rows = publication.published.forecasts.copy()
    half = rows["destination"].eq("USA")
    mixed = replace(
        publication,
        published=replace(
            publication.published,
            forecasts=rows.assign(
                cutoff=rows["cutoff"].mask(half, "2026-01"),
                status=rows["status"].mask(half, "challenger"),
            ),
        ),
        memo=Memo(),
    )

    row = listings.commodity_row(mixed)

    assert (row["cutoff"], row["status"]) == (rows["cutoff"].max(), rows["status"].max())


def test_a_release_is_missing_from_the_day_after_it_was_due(publication: Publication) -> None:
    known = replace(publication.snapshot, cutoff="2026-09")
    late = replace(publication, snapshots={publication.as_of: known})
    due = freshness_of(late, now=NOW).next_release - pd.DateOffset(months=1)

    on_the_day, after = (
        freshness_of(late, now=(due + pd.Timedelta(days=n)).tz_localize("UTC")) for n in (0, 1)
    )

    assert on_the_day.missing == ""
    assert after.missing.startswith("Not loaded: China's figures of October 2026, due since ")


def test_january_and_february_come_together_in_march(publication: Publication) -> None:
    ahead = releases_ahead(publication, now=pd.Timestamp("2027-01-25", tz="UTC"))

    assert [*ahead.values()][:2] == ["January to February 2027", "March 2027"]
    assert [day.month for day in ahead][:2] == [3, 4]


def test_a_publication_is_listed_with_the_extent_of_its_rows(publication: Publication) -> None:
    newest, earlier = listings.publications(publication)

    # Fifteen months after July 2026 and July 2025, of ten destinations and two sums.
    names = ("publication", "cutoff", "first_period", "last_period", "destinations", "afterwards")
    assert [newest[name] for name in names] == [2, "2026-07", "2026-08", "2027-10", 12, False]
    assert [earlier[name] for name in names] == [1, "2025-07", "2025-08", "2026-10", 12, True]
    assert newest["statuses"] == "champion; fallback: last good champion, training failed its gate"


def test_forecasts_are_scored_on_observed_months_only(publication: Publication) -> None:
    cells = track.cells_of(publication)

    panel = publication.snapshot.panel.set_index(["destination", "period"])
    kinds = {panel["kind"][row.destination, row.period] for row in cells.itertuples()}
    assert kinds == {"observed"}
    assert set(cells["as_of"]) == {pd.Timestamp(EARLIER)}


def test_a_month_that_the_forecast_knew_is_no_forecast(publication: Publication) -> None:
    every = track.cells_of(publication)
    then = publication.snapshots[pd.Timestamp(EARLIER)]
    months = every.head(1)[["destination", "period"]].assign(kind="observed")
    knowing = replace(then, panel=pd.concat([then.panel, months], ignore_index=True))
    snapshots = {**publication.snapshots, pd.Timestamp(EARLIER): knowing}

    left = track.cells_of(replace(publication, snapshots=snapshots))

    pd.testing.assert_frame_equal(left, every.iloc[1:].reset_index(drop=True))


def test_only_months_frozen_before_their_release_are_a_track_record(
    publication: Publication,
) -> None:
    nothing_proven = track.cells_of(publication)
    assert not nothing_proven["frozen_ahead"].any()
    known = publication.published.publications
    result = known.assign(ahead_from=pd.Timestamp("2025-10-01"), state="published")
    proven = replace(publication, published=replace(publication.published, publications=result))

    cells = track.cells_of(proven)

    live, later = track.live_and_later(cells)
    assert len(live) + len(later) == len(nothing_proven)
    assert live["period"].min() == pd.Timestamp("2025-10-01")
    assert later["period"].max() < pd.Timestamp("2025-10-01")
    held = replace(proven.published, publications=result.assign(state="held"))
    assert not track.cells_of(replace(proven, published=held))["frozen_ahead"].any()


def test_the_rules_of_thumb_know_only_what_the_forecast_knew(publication: Publication) -> None:
    cells = track.cells_of(publication)
    usa = cells.loc[cells["destination"].eq("USA") & cells["period"].eq("2025-10-01")].iloc[0]

    then = publication.snapshots[pd.Timestamp(EARLIER)].panel
    own = then.loc[then["destination"] == "USA"].set_index("period")["tonnes"]
    assert usa["last_value"] == own["2025-07-01"]
    assert usa["seasonal_naive"] == own["2024-10-01"]
    assert own.index.max() == pd.Timestamp("2025-07-01")


def test_the_same_month_of_a_forecast_of_over_a_year_is_of_two_years_before(
    publication: Publication,
) -> None:
    panel = publication.snapshot.panel
    july = panel.loc[panel["destination"].eq("USA") & panel["kind"].eq("observed")].tail(1)
    august = july.assign(period=pd.Timestamp("2026-08-01"))
    known = replace(publication.snapshot, panel=pd.concat([panel, august]))
    snapshots = {**publication.snapshots, publication.as_of: known}

    cells = track.cells_of(replace(publication, snapshots=snapshots, memo=Memo()))

    [cell] = cells.loc[cells["period"].eq("2026-08-01")].to_dict("records")
    then = publication.snapshots[pd.Timestamp(EARLIER)].panel
    own = then.loc[then["destination"] == "USA"].set_index("period")["tonnes"]
    assert (cell["horizon"], cell["seasonal_naive"]) == (13, own["2024-08-01"])


def test_scores_are_shares_of_the_tonnes_that_came() -> None:
    cells = pd.DataFrame(
        {
            "destination": ["USA", "DEU", "WLD"],
            "lead": [0, 2, 2],
            "tonnes": [100.0, 300.0, 400.0],
            "error": [10.0, -30.0, 0.0],
            "seasonal_naive": [150.0, 300.0, 400.0],
            "last_value": [100.0, np.nan, 400.0],
            "inside80": [True, False, True],
            "pinball": [5.0, 15.0, 0.0],
        }
    )

    usa = track.score(cells.head(1), "USA")
    counted = track.by_lead(cells.fillna({"last_value": 300.0}))

    assert (usa.wape, usa.seasonal_naive, usa.last_value, usa.pinball) == (0.1, 0.5, 0.0, 0.05)
    assert usa.loses
    shown = [(score.label, score.cells, score.bias) for score in counted]
    assert shown == [("over", 1, 0.1), ("1-3", 1, -0.1)]


def test_a_published_month_counts_from_the_month_of_its_forecast(publication: Publication) -> None:
    cells = track.cells_of(publication)

    month = pd.Timestamp(EARLIER).tz_localize(None).to_period("M")
    assert cells["lead"].tolist() == [(day.to_period("M") - month).n for day in cells["period"]]
    assert (cells["lead"] < cells["horizon"]).all()
    groups = track.coverage(cells, publication.destinations)["ALL"]
    assert sum(group.forecasts for group in groups) == len(cells)


def test_the_worst_misses_come_first_with_what_was_announced_since(
    publication: Publication,
) -> None:
    cells = track.cells_of(publication)
    misses = track.largest_errors(publication, cells)

    sizes = [abs(miss["tonnes"] - miss["p50"]) for miss in misses]
    assert sizes == sorted(sizes, reverse=True)
    assert len({(miss["destination"], miss["period"]) for miss in misses}) == len(misses)
    assert not {miss["destination"] for miss in misses} & {"WLD", "EU27"}
    autumn = [miss for miss in misses if miss["period"] >= pd.Timestamp("2025-11-01")]
    assert autumn
    announced = pd.Timestamp("2025-10-09")
    assert all(announced in [day for day, _ in miss["events"]] for miss in autumn)


def test_tariff_steps_of_a_chart_are_those_of_its_importer(publication: Publication) -> None:
    tariffs = publication.snapshot.ledger.tariffs
    window = {"end": pd.Timestamp("2026-12-31"), "as_of": pd.Timestamp("2025-04-09T12:00")}

    usa, world, italy = (
        pick_steps(tariffs, destination=name, start=pd.Timestamp(first), **window)
        for name, first in (("USA", "2025-01-01"), ("WLD", "2025-01-01"), ("ITA", "2016-01-01"))
    )

    april = next(step for step in usa if step.when == pd.Timestamp("2025-04-10"))
    assert april.ahead
    assert "IEEPA reciprocal: 125%" in april.changes[0]
    assert world == ()
    assert "MFN: 2.2%" in " ".join(italy[0].changes)


def test_scheduled_days_since_the_newest_act_have_no_outcome_in_the_data(
    publication: Publication,
) -> None:
    rows = publication.ledger.events.head(4).assign(
        event_id=["act", "sched-past", "sched-due", "sched-ahead"],
        announced_on=pd.to_datetime(["2026-10-06", "2025-11-07", "2025-11-07", "2026-10-09"]),
        effective_from=pd.to_datetime([None, "2026-10-01", "2026-11-11", "2027-01-11"]),
    )
    later = replace(publication, ledger=replace(publication.ledger, events=rows))

    assert listings.newest_act(later) == pd.Timestamp("2026-10-06")
    due = listings.unreported(later, pd.Timestamp("2026-11-27", tz="UTC"))
    assert [row["event_id"] for row in due] == ["sched-due"]
    assert listings.unreported(later, pd.Timestamp("2026-11-01", tz="UTC")) == []


RETURN = Announced(
    "2025-10-cn-no57-five-ree", "2027-01-11", is_return=True, chances=(0.5, 0.3, 0.1, 0.1),
    destinations=("WLD",),
)  # fmt: skip


def test_a_suspension_past_its_last_day_on_file_is_called_unknown_with_the_other_case(
    publication: Publication,
) -> None:
    explained = replace(publication.published, explanation=StoredExplanation(announced=(RETURN,)))
    rows = publication.ledger.events
    row = rows.loc[rows["event_id"].eq(RETURN.event_id)].assign(
        suspended_to=pd.Timestamp("2026-11-10")
    )
    state = replace(
        publication, published=explained, ledger=replace(publication.ledger, events=row),
        memo=Memo(),
    )  # fmt: skip
    late, early = (pd.Timestamp(day, tz="UTC") for day in ("2026-11-27", "2026-11-10"))
    newer = row.assign(event_id="no1", announced_on=pd.Timestamp("2026-11-12"))

    (unknown,) = listings.unknown_returns(state, late)

    overview = page_of(state, "WLD", is_first=True, now=late)
    words = Outline(overview).words.replace("\xa0", " ")
    assert (
        "Not known: whether MOFCOM/GACC Announcement No. 57 of 2025 took effect again after 10 Nov "
        "2026, the last day of suspension on file. The forecast takes them as suspended until 10 "
        "Jan 2027. Forecast if they are in force now."
    ) in words
    assert unknown.query == f"events.{RETURN.event_id}.suspended_to={state.as_of:%Y-%m-%d}"
    assert listings.unknown_returns(state, early) == []
    later = replace(state, ledger=replace(state.ledger, events=pd.concat([row, newer])))
    assert listings.unknown_returns(later, late) == []


def test_a_country_page_asks_only_for_months_that_are_not_loaded(publication: Publication) -> None:
    panel = publication.snapshot.panel
    months = pd.to_datetime(["2026-08-01", "2026-09-01", "2026-10-01"])
    loaded = (
        panel.loc[panel["destination"].eq("DEU")].tail(3).assign(period=months, kind="observed")
    )
    middle = loaded.iloc[[1]].assign(destination="KOR")
    known = replace(publication.snapshot, panel=pd.concat([panel, loaded, middle]))
    state = replace(publication, snapshots={publication.as_of: known}, memo=Memo())

    missing = {
        name: freshness_of(state, now=NOW, destination=name).missing.partition(", due")[0]
        for name in ("DEU", "KOR", "JPN", "WLD")
    }

    figures = "Not loaded: China's figures of "
    assert missing == {
        "DEU": "",
        "KOR": f"{figures}August 2026 and October 2026",
        "JPN": f"{figures}August to October 2026",
        "WLD": f"{figures}August to October 2026",
    }
    assert "Germany: August 2026, September 2026" in freshness_of(state, now=NOW).missing


def test_a_notice_of_a_later_day_is_true_before_that_day(publication: Publication) -> None:
    (day, words), *_ = freshness_of(publication, now=NOW).later
    page = page_of(publication, "USA")

    assert words.startswith(f"From {day:%-d} December 2026 on, unless this page is written anew: ")
    assert f'data-from="{day:%Y-%m-%d}">{words}' in unescape(page)
