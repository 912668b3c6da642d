import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

from flows.context.stores import store_of
from flows.publishing.planning_alerts import alert
from publication.charts.fan import fan_of
from publication.charts.fan_chart import fan_chart
from publication.language.formats import dated
from publication.language.phrases import in_language
from publication.planning.needs import need_documents
from publication.planning.planning_file import FILE, Planning, read_planning_file
from publication.planning.rivals import rival_scores, rivals, rows_of_file
from publication.state import Publication
from publication.usual import Usual
from publication.words import chance_words, name_of
from store.errors import DataError
from store.planning import RivalForecast, note_rivals, read_rivals
from store.settings import Settings
from tests.publication.fixtures import PLANNING
from tests.publication.pages import Outline, page_of, texts_of
from tests.publication.stores import NOW, publications_of

NEED = """\
needs:
  - name: plant
    destination: USA
    period_from: 2026-12
    period_to: 2027-02
    tonnes: 900
"""


def planning_in(folder: Path, text: str) -> Planning:
    (folder / FILE).write_text(text, encoding="utf-8")
    return Planning(read_planning_file(folder))


def test_a_home_without_the_file_has_no_planning(tmp_path: Path) -> None:
    assert read_planning_file(tmp_path) is None
    assert planning_in(tmp_path, "").needs == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("needs: [\n", "line 2: .* Expected YAML"),
        (NEED.replace("900", "much"), r"line 6, needs.0.tonnes: "),
        (NEED.replace("900", "0"), r"line 6, needs.0.tonnes: '?0'? is out of range"),
        (NEED.replace("    tonnes: 900\n", ""), r"line 2, needs.0.tonnes: "),
        (f"{NEED}    owner: ann\n", "line 7, needs.0.owner: There is no field of this name"),
        (f"{NEED}    counted_on: 2027-03-01\n", "line 2, needs.0: the stock was counted on 202"),
        (NEED.replace("2027-02", "2026-11"), r"line 2, needs.0: .*2026-12 to 2026-11 is no span"),
        (NEED.replace("2027-02", "2027-2"), r"line 5, needs.0.period_to"),
        (NEED + NEED.removeprefix("needs:\n"),
         r"line 7, needs.1.name: the name 'plant' is that of entry 1 too\. Give each its own"),
        (f"{NEED}alert_rules:\n  - {{name: a, measure: shortfall, points: 5, need: pant}}\n",
         r"line 8, alert_rules.0.need: there is no need 'pant'. Did you mean plant\?"),
        ("alert_rules:\n  - {name: a, measure: median, points: 5}\n",
         "name either a need or a destination"),
        ("needs: []\nwebhooks: ['https://a/b']\n", r"line 2, webhooks: .*jsons://HOST/PATH"),
        ("emails: [ann@example.org]\n", r"line 1, emails: .*MAGNETCAST_ALERT_URLS.*mailtos://"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_with_line_and_reason(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as refused:
        planning_in(tmp_path, text)

    assert str(refused.value).startswith(f"{tmp_path / FILE}")
    assert "{" not in str(refused.value)


TODAY = date(2026, 12, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"USA": "KR"}, r"line 3, needs.0.destination: KR is not forecast. Did you mean KOR\?"),
        ({"USA": "germany"}, r"germany is not forecast. Did you mean DEU\?"),
        ({"USA": "BRA"}, r"BRA is not forecast. Expected one of WLD; EU27; .* Take one"),
        ({"USA": "DEU\n    commodity: '85051111'"}, r"is not forecast. Did you mean 85051110\?"),
        ({"900": "12000"},
         r"line 6, needs.0.tonnes: 12,000 t a month is more than half of the usual 600 t .* 12;"),
        ({"900": "301"}, "301 t a month is more than half"),
        ({"900": "9", "2026-12": "2020-01", "2027-02": "2020-12"},
         "line 5, needs.0.period_to: 2020-12 is before 2025-08, the first month"),
        ({"900": "9\n    counted_on: 2026-12-04"},
         "line 7, needs.0.counted_on: 2026-12-04 is still to come; today is 2026-12-03"),
        ({NEED: "alert_rules: [{name: a, measure: median, points: 5, destination: KR}]"},
         r"line 1, alert_rules.0.destination: KR is not .* mean KOR\?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_a_large_need_asked_back(
    publication: Publication, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    text = NEED
    for old, new in changes.items():
        text = text.replace(old, new)
    (tmp_path / FILE).write_text(text)

    with pytest.raises(DataError, match=message):
        read_planning_file(tmp_path, [of_usual(publication, 600.0)], TODAY)


def of_usual(publication: Publication, tonnes: float) -> Publication:
    """Return a publication with a usual month of the United States."""
    return replace(publication, usual_months={"USA": Usual(tonnes)})


@pytest.mark.parametrize(
    "tonnes", ["300", "900\n    large: true", "9\n    stock: 20\n    counted_on: 2026-12-03"]
)
def test_a_need_of_half_a_country_or_confirmed_is_taken(
    publication: Publication, tmp_path: Path, tonnes: str
) -> None:
    (tmp_path / FILE).write_text(NEED.replace("900", tonnes))

    assert read_planning_file(tmp_path, [of_usual(publication, 600.0)], TODAY) is not None


def test_needs_stand_on_the_firms_page_and_beside_the_forecast(
    site: Path, publication: Publication, tmp_path: Path
) -> None:
    planning = planning_in(tmp_path, PLANNING)
    (need,) = need_documents(publication, planning, NOW)

    text = Outline((site / "planning.html").read_text(encoding="utf-8")).words
    page = Outline(page_of(publication, "USA", planning=planning)).words
    assert "level" in text
    assert need["months"][0]["period"] == "2026-12"
    order = dated(pd.Timestamp(need["reach_on"]), "day")
    for words in ("plant", chance_words(need["chance_out"]), order, "nothing is on order"):
        assert [words in one for one in (text, page)] == [True, True]
    german = Outline(page_of(publication, "DEU", planning=planning)).words
    assert not re.search(r"\bplant\b", german)


def test_a_stock_was_counted_on_its_day(publication: Publication, tmp_path: Path) -> None:
    early, late = (
        need_documents(
            publication,
            planning_in(tmp_path, f"{NEED}    stock: 900\n    counted_on: {day}\n"),
            NOW,
        )[0]
        for day in ("2026-11-01", "2026-11-25")
    )

    assert early["months"][0]["chance_out"] >= late["months"][0]["chance_out"]
    assert early["reach_on"] <= late["reach_on"]


def rival(tonnes: float, **changes: object) -> RivalForecast:
    about = {"name": "Example Bank", "source": "outlook", "made_on": date(2026, 11, 20),
             "destination": "USA", "period": date(2026, 12, 1),
             "commodity": "85051110"}  # fmt: skip
    return RivalForecast(**{**about, "tonnes": tonnes, **changes})


def test_a_forecast_by_another_keeps_the_moment_it_was_first_seen(engine: Engine) -> None:
    first = note_rivals(engine, [rival(450.0)], at=NOW)
    again = note_rivals(engine, [rival(450.0), rival(460.0)], at=NOW + timedelta(days=9))

    rows = read_rivals(engine)
    assert (first, again) == (1, 1)
    assert rows["tonnes"].tolist() == [450.0, 460.0]
    assert rows["available_at"].tolist() == [NOW, NOW + timedelta(days=9)]


def test_an_earlier_day_of_making_gains_nothing(engine: Engine) -> None:
    past = date(2025, 10, 1)
    note_rivals(engine, [rival(450.0, made_on=past, period=past)], at=NOW)

    state = publications_of(engine)[0]
    planning = Planning(rivals=read_rivals(engine))
    (row,) = rivals(state, planning)
    assert (row["scored"], row["actual"] is not None) == (False, True)
    assert rival_scores(state, planning) == []


CSV = "name,source,made_on,destination,period,tonnes\nBank,note,2026-11-20,USA,2026-12,450.5\n"


def test_the_files_of_forecasts_by_others_are_read_at_each_publication(
    engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / FILE).write_text("forecasts_by_others: [bank.csv]\n")
    (tmp_path / "bank.csv").write_text(CSV)
    settings = Settings(home=tmp_path)

    alert(settings, NOW)
    alert(settings, NOW + timedelta(days=1))

    (row,) = read_rivals(engine).to_dict("records")
    assert (row["name"], row["tonnes"], row["available_at"]) == ("Bank", 450.5, NOW)
    state, rows = publications_of(engine)[0], read_rivals(engine)
    fan, far = fan_of(state, "USA"), rows.assign(tonnes=1e6)
    plain, cut = (fan_chart(fan, rows).description["encoding"]["y"] for rows in (rows, far))
    assert plain["scale"] == {}
    assert fan.forecast["p90"].max() <= cut["scale"]["domainMax"] < 1e5  # of ours alone
    store_of(settings).dispose()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("450.5", "much"), "bank.csv, line 2, tonnes: "),
        (lambda text: text.replace("450.5", "1000000"), "bank.csv, line 2, tonnes: .*most 8,000,"),
        (lambda text: text.replace("2026-12,", "2030-12,"), "bank.csv, line 2, .*is 49 months"),
        (lambda text: text.replace("2026", "1000"), "bank.csv, line 2, made_on: "),
        (lambda text: text.replace("made_on", "day"), "has no column made_on"),
        (lambda text: text.replace("2026-12", "2026-13"), "bank.csv, line 2, period: "),
        (lambda text: text.replace("2026-11-20", "20.11.2026"), "bank.csv, line 2, made_on: "),
        (lambda text: text.replace("450.5", "450.5,more"), "bank.csv, line 2, "),
    ],
    ids=["number", "far above", "far ahead", "year 1000", "column", "month", "day", "further"],
)
def test_a_file_of_forecasts_that_is_wrong_is_refused_with_its_line(
    change: Callable[[str], str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        rows_of_file(change(CSV).encode(), "bank.csv", {("85051110", "USA"): 800.0})


@pytest.mark.parametrize(
    ("code", "flags", "listed"),
    [
        ("en", ("Bank (20 Nov 2026) expects 20 t for October 2027, below our 80% band (",
                "expects 5,000 t for March 2027, above our 80% band ("),
         "3 forecasts by others outside the band"),
        ("de", ("Bank (20. Nov. 2026) erwartet für Oktober 2027 20 t, unter unserem 80-%-Band (",
                "erwartet für März 2027 5.000 t, über unserem 80-%-Band ("),
         "3 Prognosen anderer außerhalb des Bandes"),
    ],
)  # fmt: skip
def test_forecasts_by_others_beyond_the_band_of_any_month_are_flagged_on_page_and_overview(
    engine: Engine, tmp_path: Path, code: str, flags: tuple[str, str], listed: str
) -> None:
    (tmp_path / FILE).write_text("forecasts_by_others: [bank.csv]\n")
    lines = CSV.splitlines()
    for month, tonnes in (("2027-10", "20"), ("2027-03", "5000"), ("2027-01", "600")):
        lines.append(lines[1].replace("2026-12", month).replace("450.5", tonnes))
    (tmp_path / "bank.csv").write_text("\n".join(lines))
    settings = Settings(home=tmp_path)
    alert(settings, NOW)
    store_of(settings).dispose()

    state = publications_of(engine)[0]
    planning = Planning(read_planning_file(tmp_path), read_rivals(engine))
    with in_language(code):
        page = Outline(page_of(state, "USA", planning=planning)).words
        overview = page_of(state, "WLD", is_first=True, planning=planning)
        names = [name_of(name) for name in state.destinations]
    rows = dict(zip(names, texts_of(overview, "tr")[1:], strict=True))

    assert [flag in page for flag in flags] == [True, True]
    assert page.count("Bank (20") == 3
    assert [name for name in names if listed in rows[name]] == [names[3]]
