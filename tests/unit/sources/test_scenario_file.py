import json

import pandas as pd
import pytest

from sources.files.levers import ScenarioContext
from sources.files.scenario import MOST_BYTES, Scenario, read_scenario, with_probabilities
from store.errors import DataError
from tests.data.builders import at, make_events

EVENTS = make_events(
    {"event_id": "2018-09-control", "suspended_from": "2020-01-10", "suspended_to": "2020-12-31"},
    {"event_id": "2020-02-relaxed", "instrument": "export_licence_relaxation"},
)
GROUND = ScenarioContext(
    at("2020-07-15"), EVENTS, ("USA", "JPN", "WLD", "EU27"), ("USA", "EU27", "JPN"),
    felt_before=pd.Timestamp("2020-07-01"),
)  # fmt: skip

ACT = "{event_id: new, instrument: export_ban, destinations: [JPN], effective_from: 2020-10-01}"
TARIFF = "{importer: USA, rate_pct: 60, effective_from: 2020-10-01}"


def read(text: str) -> Scenario:
    return read_scenario("what.yaml", text.encode(), GROUND)


def test_a_new_act_gets_what_is_not_reported() -> None:
    (act,) = read(f"name: ban\nevents: [{ACT}]").levers.acts

    assert act.is_new
    assert act.announced_on == pd.Timestamp("2020-07-15")
    assert act.given["direction"] == "restrictive"
    assert act.given["products"] == "magnets"
    assert act.given["destinations"] == "JPN"


@pytest.mark.parametrize(
    ("instrument", "direction"),
    [("truce", "easing"), ("export_licence_relaxation", "easing"), ("quota", "restrictive")],
)
def test_direction_follows_the_instrument(instrument: str, direction: str) -> None:
    (act,) = read(f"name: n\nevents: [{ACT.replace('export_ban', instrument)}]").levers.acts

    assert act.given["direction"] == direction


def test_a_known_act_keeps_all_but_what_is_reported() -> None:
    text = "name: n\nevents: [{event_id: 2018-09-control, suspended_to: 2021-06-30}]"

    (act,) = read(text).levers.acts

    assert not act.is_new
    result = {name: value for name, value in act.given.items() if not pd.isna(value)}
    assert result == {"suspended_to": pd.Timestamp("2021-06-30")}


def test_tariffs_tell_the_whole_rate_or_points_on_top() -> None:
    points = (
        "{importer: EU27, add_points: -3, effective_from: 2020-10-01, announced_on: 2020-08-01}"
    )

    whole, more = read(f"name: n\ntariffs: [{TARIFF}, {points}]").levers.tariffs

    assert (whole.importer, whole.rate_pct, whole.effective_to) == ("USA", 60.0, None)
    assert (more.rate_pct, more.add_points) == (None, -3.0)
    assert more.announced_on == pd.Timestamp("2020-08-01")


def test_json_is_understood_too() -> None:
    lever = {"importer": "USA", "rate_pct": 60, "effective_from": "2020-10-01"}

    found = read(json.dumps({"name": "n", "events": [], "tariffs": [lever]}))

    assert found.levers.tariffs[0].rate_pct == 60.0


def test_what_to_compare_with_can_be_reported() -> None:
    found = read(f"name: n\nevents: []\nagainst:\n  events: [{ACT}]")

    assert found.against is not None
    assert [act.event_id for act in found.against.acts] == ["new"]
    assert read("name: n\nevents: []").against is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "what.yaml is empty", id="empty"),
        pytest.param("# only a comment\n", "what.yaml is empty", id="comment"),
        pytest.param("- 1\n", "what.yaml is empty or no list of names", id="a list"),
        pytest.param("name: [1\n", "what.yaml is not YAML", id="broken"),
        pytest.param("name: n\n", "line 1, neither events nor tariffs", id="no question"),
        pytest.param(f"events: [{ACT}]", "line 1, name: not filled", id="no name"),
        pytest.param("name: n\nevent: []", "line 2, name 'event': not one of", id="typo"),
        pytest.param(
            "name: n\nevents: []\nevents: []", "line 3, name 'events': given twice", id="twice"
        ),
        pytest.param("name: n\nevents: {a: 1}", "line 2, events: not a list", id="no list"),
        pytest.param("name: n\nevents: []\nagainst: 1", "line 3, against: not", id="against"),
        pytest.param(
            f"name: n\nevents:\n  - {ACT}\n  - {ACT}",
            "line 4, column 'event_id': 'new' is not named once",
            id="act twice",
        ),
        pytest.param(
            "name: n\nevents:\n  - {event_id: nope}",
            "line 3, column 'destinations': '' is not filled, as a new act needs",
            id="unknown act",
        ),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('2020-10-01', '2020-07-14')}]",
            "line 2, column 'effective_from': '2020-07-14' is not on or after the day asked about",
            id="before as_of",
        ),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('}', ', effective_to: 2020-09-01}')}]",
            "'effective_to': '2020-09-01' is not on or after effective_from 2020-10-01",
            id="end before start",
        ),
        pytest.param(
            "name: n\nevents: [{event_id: 2018-09-control, suspended_from: 2021-01-10}]",
            "suspended_to",
            id="end before the start of a known act",
        ),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('}', ', announced_on: 2020-11-01}')}]",
            "'effective_from': '2020-10-01' is not on or after announced_on 2020-11-01",
            id="in force before announced",
        ),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('JPN', 'FRA')}]",
            "'destinations': 'FRA' is not a list of EU27, JPN, USA, WLD",
            id="unknown destination",
        ),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('export_ban', 'embargo')}]",
            "'instrument': 'embargo' is not one of",
            id="unknown instrument",
        ),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('}', ', kept_pct: 120}')}]",
            "'kept_pct': '120' is not within 0 and 100",
            id="more than all kept",
        ),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('}', ', probability: 1.2}')}]",
            "'probability': '1.2' is not within 0 and 1",
            id="more than certain",
        ),
        pytest.param(
            "name: n\nevents: [{event_id: 2020-09-nothing, probability: 0.5}]",
            "'event_id': '2020-09-nothing' is not an act known on 2020-07-15",
            id="probability of no act",
        ),
        pytest.param(
            "name: n\nevents: [{event_id: 2020-02-relaxed, probability: 0.5}]",
            "'probability': '0.5' is not for a restriction that is still to begin, or to return",
            id="probability of what has begun",
        ),
        pytest.param(
            f"name: n\ntariffs: [{TARIFF.replace('60', '-5')}]",
            "'rate_pct': '-5' is not within 0 and 1000",
            id="negative rate",
        ),
        pytest.param(
            f"name: n\ntariffs: [{TARIFF.replace('60', '5000')}]",
            "'rate_pct': '5000' is not within 0 and 1000",
            id="absurd rate",
        ),
        pytest.param(
            f"name: n\ntariffs: [{TARIFF.replace('USA', 'DEU')}]",
            "'importer': 'DEU' is not one of EU27, JPN, USA",
            id="unknown importer",
        ),
        pytest.param(
            f"name: n\ntariffs: [{TARIFF.replace('}', ', add_points: 3}')}]",
            "'rate_pct': '60' is not given, or else add_points",
            id="both rates",
        ),
        pytest.param(
            f"name: n\ntariffs: [{TARIFF.replace(', effective_from: 2020-10-01', '')}]",
            "'effective_from': '' is not filled",
            id="no start",
        ),
        pytest.param(
            "name: n\nevents:\n  - {event_id: {a: 1}}",
            "line 3, column 'event_id': nested values",
            id="nested",
        ),
        pytest.param(
            f"name: n\nevents:\n  - {ACT.replace('}', ', effective_from: 2021-01-01}')}",
            "line 3, name 'effective_from': given twice in one entry",
            id="name twice in an entry",
        ),
        pytest.param("name: n\nevents: " + "[" * 3000, "more than 20 levels", id="deep list"),
        pytest.param("name: n\nevents:\n" + "- " * 2000, "more than 20 levels", id="deep entries"),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('new', '=cmd()')}]",
            "line 2, column 'event_id': '=cmd()' is not a name",
            id="formula",
        ),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('JPN', '[JPN]').replace('new', '[a, b]')}]",
            "column 'event_id': 'a;b' is not a name",
            id="list of names",
        ),
        pytest.param(
            'name: n\nevents: [{event_id: "\\uD800"}]',
            "is not printable text on one line",
            id="half a letter",
        ),
        pytest.param('name: "a\\e[31m"\nevents: []', "not printable text", id="escape"),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('export_ban', 'quota, kept_pct: 0')}]",
            "column 'kept_pct': '0' is not for a restrictive export_ban or export_control",
            id="share kept of what stops nothing",
        ),
        pytest.param(
            f"name: n\nevents: [{ACT.replace('}', ', suspended_to: 2021-01-01}')}]",
            "column 'suspended_to': '2021-01-01' is not accepted without suspended_from",
            id="end of no suspension",
        ),
        pytest.param(
            "name: n\nevents: [{event_id: 2018-09-control, announced_on: 2020-12-01, "
            "suspended_to: 2020-11-30}]",
            "column 'suspended_to': '2020-11-30' is not on or after announced_on 2020-12-01",
            id="new dates before they are announced",
        ),
        pytest.param(
            "name: n\nevents: [{event_id: 2018-09-control, effective_from: 2020-09-01}]",
            "'2020-09-01' is not what months have felt since 2018-09-04",
            id="start of a felt act",
        ),
        pytest.param(
            "name: n\nevents: [{event_id: 2018-09-control, destinations: [USA]}]",
            "'USA' is not what months have felt",
            id="destinations of a felt act",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(DataError, match=r"what\.yaml") as caught:
        read(text)

    assert said in str(caught.value)


def test_what_is_no_utf8_is_refused_with_its_line() -> None:
    with pytest.raises(DataError, match=r"what\.yaml is not UTF-8: byte 0xe9 on line 2"):
        read_scenario("what.yaml", b"name: n\ndescription: \xe9\n", GROUND)


def test_new_dates_of_a_known_act_can_be_announced_later_than_the_act() -> None:
    text = "{event_id: 2018-09-control, announced_on: 2020-09-01, suspended_to: 2021-06-30}"

    (act,) = read(f"name: n\nevents: [{text}]").levers.acts

    assert act.announced_on == pd.Timestamp("2020-09-01")
    assert "announced_on" not in act.given


def test_a_known_act_can_be_reported_again_as_it_is_however_odd() -> None:
    odd = make_events(
        {
            "event_id": "odd", "announced_on": "2020-02-15", "effective_from": "2020-02-01",
            "destinations": "USA;AUS",
        },
    )  # fmt: skip
    ground = ScenarioContext(at("2020-07-15"), odd, ("USA", "WLD"), ("USA",))
    text = (
        "name: n\nevents: [{event_id: odd, announced_on: 2020-02-15, effective_from: 2020-02-01, "
        "destinations: [USA, AUS]}]"
    )

    (act,) = read_scenario("what.yaml", text.encode(), ground).levers.acts

    assert not act.is_new


def test_a_huge_scenario_is_refused() -> None:
    with pytest.raises(DataError, match="Expected at most 64,000"):
        read("name: n\n# " + "x" * MOST_BYTES)


def test_too_many_entries_are_refused() -> None:
    entries = "\n".join(f"  - {{event_id: a{i}}}" for i in range(51))

    with pytest.raises(DataError, match="51 entries are more than 50"):
        read(f"name: n\nevents:\n{entries}")


@pytest.mark.parametrize("chance", ["0", "0.5", "1"])
def test_a_new_restriction_comes_with_the_probability_in_its_file(chance: str) -> None:
    (act,) = read(f"name: n\nevents: [{ACT[:-1]}, probability: {chance}}}]").levers.acts

    assert act.given["probability"] == float(chance)


def test_probabilities_beside_a_file_are_those_of_known_and_new_acts() -> None:
    asked = read(f"name: n\nevents: [{ACT}]")

    given = with_probabilities(asked, ["new=0.25", "2018-09-control=0"], GROUND)

    found = {act.event_id: act.given["probability"] for act in given.levers.acts}
    assert found == {"new": 0.25, "2018-09-control": 0.0}


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("new=1.5", "line 1, column 'probability': '1.5' is not within 0 and 1"),
        ("new", "'event_id': '' is not filled"),
        ("2020-09-nothing=0.5", "'2020-09-nothing' is not an act known on 2020-07-15"),
        ("2020-02-relaxed=0.5", "'probability': '0.5' is not for a restriction"),
    ],
)
def test_a_probability_beside_a_file_is_refused_by_name(text: str, trouble: str) -> None:
    asked = read(f"name: n\nevents: [{ACT}]")

    with pytest.raises(DataError, match=trouble):
        with_probabilities(asked, [text], GROUND)
