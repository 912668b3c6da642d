import pandas as pd
import pytest

from sources.files.file_reader import read_scenario
from store.errors import DataError
from store.schema.scenario import Scenario, ScenarioContext
from tests.data.builders import at, make_events

EVENTS = make_events(
    {"event_id": "2018-09-control", "suspended_from": "2020-01-10", "suspended_to": "2020-12-31"},
    {"event_id": "2020-02-relaxed", "instrument": "export_licence_relaxation"},
)
GROUND = ScenarioContext(
    at("2020-07-15"), EVENTS, ("USA", "JPN", "WLD", "EU27"), ("USA", "EU27", "JPN"),
    observed_before=pd.Timestamp("2020-07-01"),
)  # fmt: skip

ACT = (
    "{event_id: new, instrument: export_ban, destinations: [JPN], effective_from: 2020-10-01, "
    "covers: [magnets, '85051110'], covered_share: 0.9, covered_because: most}"
)
TARIFF = "{importer: USA, rate_pct: 60, effective_from: 2020-10-01}"


def read(text: str) -> Scenario:
    return read_scenario("what.yaml", text.encode(), GROUND)


def with_act(more: str) -> str:
    return f"name: n\nevents: [{ACT[:-1]}, {more}}}]"


def with_tariff(old: str, new: str) -> str:
    return f"name: n\ntariffs: [{TARIFF.replace(old, new)}]"


def test_a_new_act_gets_what_is_not_reported() -> None:
    (act,) = read(f"name: ban\nevents: [{ACT}]").events

    assert act.is_new
    assert act.announced == pd.Timestamp("2020-07-15")
    assert act.given["direction"] == "restrictive"
    assert (act.given["covers"], act.given["covered_share"]) == ("magnets;85051110", 0.9)
    assert act.given["destinations"] == "JPN"


def test_spaces_around_the_names_of_a_list_do_not_count() -> None:
    for listed in ("['USA ', ' JPN']", "'USA ; JPN '"):
        (act,) = read(f"name: n\nevents: [{ACT.replace('[JPN]', listed)}]").events
        assert act.given["destinations"] == "USA;JPN"


def test_a_known_act_keeps_all_but_what_is_reported() -> None:
    text = "name: n\nevents: [{event_id: 2018-09-control, suspended_to: 2021-06-30}]"

    (act,) = read(text).events

    assert not act.is_new
    result = {name: value for name, value in act.given.items() if not pd.isna(value)}
    assert result == {"suspended_to": pd.Timestamp("2021-06-30")}


def test_tariffs_tell_the_whole_rate_or_points_on_top() -> None:
    points = (
        "{importer: EU27, add_points: -3, effective_from: 2020-10-01, announced_on: 2020-08-01}"
    )

    whole, more = read(f"name: n\ntariffs: [{TARIFF}, {points}]").tariffs

    assert (whole.importer, whole.rate_pct, whole.effective_to) == ("USA", 60.0, None)
    assert (more.rate_pct, more.add_points) == (None, -3.0)
    assert more.announced == pd.Timestamp("2020-08-01")


BEFORE = "is before 2020-07-15, the date of the forecast"
UNKNOWN = "is not a known act"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "what.yaml is empty"),
        ("name: [1\n", "what.yaml is not YAML"),
        ("name: n\n", "line 1, Neither events nor tariffs"),
        (f"events: [{ACT}]", "line 1, name: Missing"),
        ("name: n\nevent: []", "line 2, event: There is no field of this name"),
        ("name: n\nevent: []", "Did you mean events?"),
        ("name: n\nevents: []\nevents: []", "line 3, name 'events': given twice"),
        ("name: n\nevents: {a: 1}", "line 2, events: {'a': '1'}: Input should be a valid list"),
        (f"name: n\nevents:\n  - {ACT}\n  - {ACT}", "line 4, event_id: new is changed twice"),
        ("name: n\nevents:\n  - {event_id: nope}", f"line 3, event_id: 'nope' {UNKNOWN}"),
        (f"name: n\nevents: [{ACT.replace('2020-10-01', '2020-07-14')}]", f"2020-07-14 {BEFORE}"),
        ("name: n\nevents: [{event_id: 2018-9-control}]", "Did you mean 2018-09-control?"),
        (f"name: n\nevents: [{ACT.replace('covered_share: 0.9, ', '')}]",
         "line 2, covered_share: Missing"),
        (with_act("effective_to: 2020-09-01"), "effective_to: 2020-09-01 is before 2020-10-01"),
        ("name: n\nevents: [{event_id: 2018-09-control, suspended_from: 2021-01-10}]",
         "suspended_to: 2020-12-31 is before 2021-01-10"),
        (with_act("announced_on: 2020-11-01"), "effective_from: 2020-10-01 is before 2020-11-01"),
        (f"name: n\nevents: [{ACT.replace('JPN', 'FRA')}]",
         "destinations: 'FRA' is not in the list. Choose one of EU27, JPN, USA, WLD"),
        (f"name: n\nevents: [{ACT.replace('export_ban', 'embargo')}]",
         "instrument: 'embargo' is not in the list"),
        (with_act("strictness: hardest"), "strictness: Only a new licensing requirement without"),
        (with_act("kept_pct: 120"), "kept_pct: '120' is out of range. Expected 100 or less"),
        ("name: n\nevents: [{event_id: 2020-02-relaxed, probability: 0.5}]",
         "probability: Only a restriction that is still to begin, or to return"),
        (with_tariff("60", "'1,5'"), "rate_pct: '1,5' is not a number"),
        (with_tariff("USA", "DEU"), "'DEU' is not in the list. Choose one of EU27, JPN, USA"),
        (with_tariff("}", ", add_points: 3}"), "rate_pct: Give either the total rate or the"),
        (with_tariff(", effective_from: 2020-10-01", ""), "effective_from: Missing"),
        ("name: n\nevents:\n  - {event_id: {a: 1}}", "line 3, event_id: {'a': '1'}"),
        ("name: n\nevents: " + "[" * 3000, "what.yaml is not YAML: it is nested too deeply"),
        ("name: n\nevents: &a []\ntariffs: *a", "line 3, an alias stands for it; write the values"),
        (f"name: n\nevents: [{ACT.replace('new', '=cmd()')}]",
         "line 2, event_id: '=cmd()' is not a name"),
        ('name: "a\\e[31m"\nevents: []', "name: Write one line of printable text"),
        (f"name: n\nevents: [{ACT.replace('export_ban', 'quota, kept_pct: 0')}]",
         "kept_pct: A relaxation blocks nothing"),
        (with_act("suspended_to: 2021-01-01"), "suspended_to: No suspension is known"),
        (("name: n\nevents: [{event_id: 2018-09-control, announced_on: 2020-12-01, "
          "suspended_to: 2020-11-30}]"),
         "suspended_to: 2020-11-30 is before 2020-12-01"),
        ("name: n\nevents: [{event_id: 2018-09-control, effective_from: 2020-09-01}]",
         "effective_from: Trade data show this act since 2018-09-04"),
        ("name: n\nevents: [{event_id: 2018-09-control, destinations: [USA]}]",
         "destinations: Trade data show this act"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(DataError, match=r"what\.yaml") as caught:
        read(text)

    assert said in str(caught.value)
