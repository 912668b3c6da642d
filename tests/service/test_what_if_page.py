import io
import json
import re
from collections.abc import Mapping
from datetime import date
from html import unescape
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from publication.language.phrases import in_language
from publication.pages.render import folder_of
from publication.words import tonnes
from service.lever_form import LeverChoices, LeverForm, lever_texts, texts_of
from service.what_if import licence_record
from sources.files.file_reader import read_scenario
from store.publications.explanations import Precedent
from store.schema.scenario import STRICTNESS
from tests.examples import few
from tests.publication.levers import DUTY, GROUND, context_of
from tests.service.scenario_service import WhatIf

STEP, NEW, DUTY_ID = "tariffs.0.", "events.new.", "events.2025-10-duty."
TARIFF = {
    f"{STEP}importer": "USA", f"{STEP}rate_pct": "60", f"{STEP}effective_from": "2027-01",
}  # fmt: skip
BAN = {
    f"{NEW}instrument": "export_ban", f"{NEW}destinations": "JPN",
    f"{NEW}effective_from": "2027-02-10", f"{NEW}kept_pct": "0",
}  # fmt: skip
FORMER = (
    "tariff_importer=USA&tariff_rate=60&tariff_from=2027-01&licence_kind=export_ban"
    "&licence_for=JPN&licence_from=2027-02-10&licence_kept=0"
)
HOSTILE = '"><script>alert(1)</script>'


def made(fields: Mapping[str, str]) -> LeverForm:
    return LeverForm(lever_texts([*fields.items()]), GROUND)


def test_levers_make_the_scenario_they_say() -> None:
    form = made({**TARIFF, **BAN, f"{DUTY_ID}suspended_to": "2027-01-20"})

    assert form.errors == {}
    strict = made({**BAN, f"{NEW}instrument": "april_2025", f"{NEW}kept_pct": ""})
    assert strict.title.startswith("Licensing as on magnets in April 2025 for Japan")
    assert yaml.safe_load(strict.yaml)["events"][0]["strictness"] == "april_2025"
    result = yaml.safe_load(form.yaml)
    assert result.pop("name") == (
        "Tariff in United States: 60% from 1 Jan 2027; export ban for Japan from 10 Feb 2027; "
        "suspension of Licence duty to 20 Jan 2027"
    )
    assert result == yaml.safe_load(
        """
        tariffs: [{importer: USA, rate_pct: 60, effective_from: 2027-01-01}]
        events:
          - {event_id: 2027-02-what-if-export-ban, instrument: export_ban, destinations: [JPN],
             effective_from: 2027-02-10, kept_pct: 0, covers: [magnets], covered_share: 1,
             covered_because: assumed of all magnets}
          - {event_id: 2025-10-duty, suspended_to: 2027-01-20}
        """
    )


def test_announced_acts_get_the_probability_typed() -> None:
    form = made({f"{DUTY_ID}probability": "30", "events.2026-11-list.probability": "0"})

    assert form.errors == {}
    assert form.title == "Licence duty, probability 30%; New list, probability 0%"
    assert yaml.safe_load(form.yaml)["events"] == yaml.safe_load(
        """
        - {event_id: 2025-10-duty, suspended_to: 2027-01-10, probability: 0.3}
        - {event_id: 2026-11-list, probability: 0}
        """
    )


@pytest.mark.parametrize(
    ("old", "fields"),
    [
        (FORMER, TARIFF | BAN),
        (
            "suspension_to=2027-01-20&suspension=2025-10-duty&suspension_probability=40",
            {f"{DUTY_ID}suspended_to": "2027-01-20", f"{DUTY_ID}probability": "40"},
        ),
        ("chance.2026-11-list=25&other=1", {"events.2026-11-list.probability": "25"}),
    ],
)
def test_a_link_from_before_makes_the_same_scenario(old: str, fields: dict[str, str]) -> None:
    form = LeverForm(lever_texts(parse_qsl(old)), GROUND)

    assert form.scenario is not None
    assert form.scenario == made(fields).scenario


@pytest.mark.parametrize(
    ("fields", "path", "said"),
    [
        ({**TARIFF, f"{STEP}rate_pct": "soon"}, "rate_pct", '"soon" is not a plain number'),
        ({**TARIFF, f"{STEP}rate_pct": ""}, "rate_pct", "Give either the total rate"),
        ({**TARIFF, f"{STEP}rate_pct": "1001"}, "rate_pct", "out of range. Expected 1000 or less"),
        ({**TARIFF, f"{STEP}effective_from": ""}, "effective_from", "Missing"),
        ({**TARIFF, f"{STEP}effective_from": "2026-11-23"}, "effective_from",
         "before 24 Nov 2026, the date of"),
        ({**TARIFF, f"{STEP}effective_to": "2026-12"}, "effective_to", "before 1 Jan 2027, the"),
        ({**TARIFF, f"{STEP}announced_on": "2027-02"}, "effective_from", "is before 1 Feb"),
        ({**TARIFF, f"{STEP}rate_ptc": "1"}, "rate_ptc", "Did you mean rate_pct?"),
        ({**BAN, f"{NEW}instrument": "export_licence_relaxation"}, "kept_pct",
         "A relaxation blocks nothing"),
        ({**BAN, f"{NEW}instrument": "9%(a"}, "instrument", "'9%(a' is not in the list"),
        ({**BAN, f"{NEW}effective_from": ""}, "effective_from", "Missing"),
        ({f"{DUTY_ID}suspended_to": "2026-11-01"}, "suspended_to", "before 24 Nov 2026"),
        ({f"{DUTY_ID}probability": "101"}, "probability", "Expected 0 to 100 percent"),
        ({**BAN, f"{NEW}probability": "-1"}, "probability", "'-1' is out of range"),
        ({"events.2026-11-lists.probability": "1"}, "probability",
         "Did you mean 2026-11-list?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported_beside_its_field(
    fields: dict[str, str], path: str, said: str
) -> None:
    [(name, text)] = made(fields).errors.items()

    assert name.endswith(f".{path}")
    assert said in text


def test_more_acts_than_a_scenario_holds_are_refused_in_one_sentence() -> None:
    form = made({f"events.a{number}.probability": "1" for number in range(51)})

    assert ["at most 50 items" in text for text in form.errors.values()] == [True]
    assert next(iter(form.errors)) in form.unseen


DAYS = st.dates(date(2026, 11, 24), date(2027, 10, 31)).map(str)
PERCENT = st.integers(0, 1000).map(lambda n: f"{n / 10:g}")
STEPS = st.fixed_dictionaries(
    {"importer": st.sampled_from(["USA", "JPN"]), "effective_from": DAYS}
).flatmap(
    lambda step: st.one_of(
        st.integers(0, 2000).map(lambda n: {**step, "rate_pct": f"{n / 2:g}"}),
        st.integers(-999, 999).map(lambda n: {**step, "add_points": f"{n / 4:g}"}),
    )
)
ACTS = st.fixed_dictionaries(
    {
        "instrument": st.sampled_from(["export_ban", "export_control"]),
        "destinations": st.sampled_from(["JPN", "USA", "WLD"]),
        "effective_from": DAYS,
    },
    optional={"kept_pct": PERCENT, "diverted_pct": PERCENT},
) | st.fixed_dictionaries(
    {
        "instrument": st.sampled_from(STRICTNESS),
        "destinations": st.just("JPN;USA"),
        "effective_from": DAYS,
    }
)
KNOWN = st.fixed_dictionaries({"probability": PERCENT}) | st.fixed_dictionaries(
    {"suspended_to": st.dates(date(2027, 1, 11), date(2027, 10, 31)).map(str)},
    optional={"probability": PERCENT},
)


@few(60)
@given(st.fixed_dictionaries({}, optional={"tariffs.0": STEPS, "events.new": ACTS,
                                           "events.2025-10-duty": KNOWN}))  # fmt: skip
def test_form_query_scenario_and_form_again_are_the_same(
    entries: dict[str, dict[str, str]],
) -> None:
    texts = {f"{entry}.{name}": text for entry, of in entries.items() for name, text in of.items()}
    form = made(texts)

    assert form.errors == {}
    again = LeverForm(lever_texts(parse_qsl(f"destination=USA&{form.query}")), GROUND)
    assert (again.texts, again.scenario) == (texts, form.scenario)
    if texts:
        assert form.scenario is not None
        assert texts_of(form.scenario, GROUND) == texts
        file = read_scenario("what.yaml", form.yaml.encode(), GROUND.context)
        assert file == form.scenario


def test_an_example_scenario_fills_the_form(what_if: WhatIf) -> None:
    for example in what_if.pool.engine.examples:
        known = [act for act in example.events if not act.instrument]
        ground = LeverChoices(context_of(*({**DUTY, "event_id": act.event_id} for act in known)))
        form = LeverForm(texts_of(example, ground), ground)

        assert form.errors == {}, example.name
        result, expected = yaml.safe_load(form.yaml), example.model_dump(exclude_unset=True)
        for side in (result, expected):
            side.pop("name")
            side.pop("description", None)
            for event in side.get("events", []):
                if "instrument" in event:
                    event.pop("event_id")
        assert result == expected, example.name


@pytest.mark.slow
def test_a_page_shows_the_answer_and_an_address_that_shows_it_again(what_if: WhatIf) -> None:
    query = urlencode({"destination": "USA", **TARIFF})

    page = what_if.client.get(f"/what-if?{query}")
    share = re.search(r'href="([^"]+)">Link to share', page.text)

    assert page.status_code == 200
    assert "United States, November 2026 to October 2027:" in page.text
    again = what_if.client.get(unescape(share[1]).replace("what-if.html", "/what-if.html"))
    assert again.text == page.text
    both = what_if.client.get(f"/what-if?{urlencode({'destination': 'USA', **TARIFF, **BAN})}")
    told = ["of exports per percentage point" in answer.text for answer in (page, both)]
    assert told == [True, False], "beside a ban no effect is that of the tariff"
    rows = what_if.client.get(f"/what-if.csv?{query}")
    assert rows.content == what_if.post(yaml_of(page.text).encode(), "?format=csv").content


@pytest.mark.parametrize("code", ["en", "de"])
def test_a_probability_shows_both_outcomes_and_their_weighted_mean(
    what_if: WhatIf, code: str
) -> None:
    query = urlencode({"destination": "JPN", **BAN, f"{NEW}probability": "25"})

    page = what_if.client.get(f"/{folder_of(code)}what-if?{query}")

    assert page.status_code == 200
    assert yaml.safe_load(yaml_of(page.text))["name"].endswith("10 Feb 2027, probability 25%")
    rows = pd.read_csv(io.StringIO(what_if.client.get(f"/what-if.csv?{query}").text))
    japan = rows.loc[rows["destination"].eq("JPN")].set_index("period")
    mean = 0.25 * japan["certain_mean"] + 0.75 * japan["never_mean"]
    np.testing.assert_allclose(japan["scenario_mean"], mean, atol=0.002)
    banned = japan.loc["2027-03":]
    assert (banned["certain_p90"] < 0.01).all(), "nothing passes if it happens"
    for level in ("p10", "p50", "p90", "mean"):
        np.testing.assert_array_equal(japan[f"never_{level}"], japan[f"base_{level}"])
    march = japan.loc["2027-03"]
    with in_language(code):
        cells = [tonnes(march[f"{side}_mean"]) for side in ("certain", "never", "scenario")]
    table = page.text.partition('id="months-head"')[2].partition("</table>")[0]
    [row] = [part for part in table.split("<tr>") if "2027" in part and f">{cells[2]}<" in part][:1]
    assert re.findall(r"<td[^>]*>([^ <]+)", row)[1:] == cells
    lead = page.text.partition('class="lead"')[2].partition("</p>")[0]
    assert lead.index(cells[0]) < lead.index(cells[1]) < lead.index(cells[2])
    [chart] = re.findall(r'<script type="application/json">(.*?)</script>', page.text)
    names = json.loads(chart)["usermeta"]["table"][0]
    assert {"never_p90", "certain_p90", "scenario_mean"} <= {*names}


def test_a_licence_beyond_the_record_is_called_extrapolated() -> None:
    past = (
        Precedent("2023-07-gallium", "gallium", "export_control", {"1": 0.02, "2": 0.05}),
        Precedent("2025-04-magnets", "magnets", "export_control", {"1": 0.5, "2": 0.25}),
    )
    months = tuple(f"2027-0{month}-01" for month in range(1, 7))

    def record(**fields: str) -> dict:
        form = made(BAN | {f"{NEW}{name}": text for name, text in fields.items()})
        return licence_record(past, form.scenario, months)

    ban, mild = record(kept_pct=""), record(kept_pct="90")
    expected = {"lowest": 0.02, "assumed": 0.0, "months": 5, "longest": 0, "is_rare": True}
    assert ban == expected | {"worst": past[0]}, "nothing passes under a ban"
    assert (mild["longest"], mild["is_rare"]) == (2, True)
    assert record(instrument="minerals", kept_pct="")["assumed"] is None
    assert record(instrument="export_licence_relaxation", kept_pct="") == {}


def yaml_of(page: str) -> str:
    """Return the scenario that a page shows."""
    found = re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)
    return unescape(found[1])


@pytest.mark.slow
def test_results_are_kept_side_by_side_in_the_address(what_if: WhatIf) -> None:
    query = urlencode({"destination": "USA", **TARIFF})
    page = what_if.client.get(f"/what-if?{query}")
    keep = re.search(r'href="([^"]+)">Keep this result', page.text)

    changed = f"{unescape(keep[1])}&tariffs.0.rate_pct=30"
    both = what_if.client.get(changed)

    assert "results side by side" in both.text
    assert both.text.count("Keep this result for comparison") == 1
    sides = re.findall(r'<th scope="col" class="wide">([^<]+)', both.text)
    assert sides == [f"Tariff in United States: {rate}% from 1 Jan 2027" for rate in (30, 60)]
    assert both.text.count('name="beside"') == 1


@pytest.mark.parametrize(
    ("address", "status", "message"),
    [
        ("?beside=tariffs.0.rate_pct%3D60", 400, "tariffs.0.effective_from: Missing"),
        (".csv?tariffs.0.rate_pct=60", 400, "tariffs.0.effective_from: Missing"),
        ("?destination=XXX", 404, "XXX"),
        ("?destination=USA&publication=17", 200, "made with publication 17;"),
        ("?destination=USA&publication=the+last", 200, 'id="result">\n<p class="lead">Change'),
        ("?destination=USA&tariffs.0.importer=USA", 200, "United States: no change in any month."),
    ],
)
def test_an_address_without_a_sound_scenario_says_what_is_wrong(
    what_if: WhatIf, address: str, status: int, message: str
) -> None:
    answer = what_if.client.get(f"/what-if{address}")

    assert (answer.status_code, message in answer.text) == (status, True)
    assert "the last" not in answer.text
    assert not re.search(r"<ul[^>]*>\s*</ul>", answer.text)


def test_nothing_filled_in_is_lost_and_nothing_is_taken_for_markup(what_if: WhatIf) -> None:
    query = urlencode(
        {"destination": "JPN", **TARIFF, f"{STEP}rate_pct": HOSTILE, f"{DUTY_ID}x": HOSTILE}
    )

    page = what_if.client.get(f"/what-if?{query}")

    assert page.status_code == 400
    assert "<script>alert" not in page.text
    assert f'value="{HOSTILE}"' in unescape(page.text)
    assert 'value="2027-01-01"' in page.text
    assert 'id="tariffs.0.rate_pct-wrong"' in page.text
    assert '<option value="JPN" selected>' in page.text


@pytest.mark.slow
def test_a_page_in_another_language_asks_the_same_scenario(what_if: WhatIf) -> None:
    query = urlencode({"destination": "JPN", **BAN, f"{NEW}kept_pct": "2,5"})

    asked = yaml_of(what_if.client.get(f"/de/what-if?{query}").text)

    assert "name: Export ban for Japan from 10 Feb 2027\n" in asked
    assert yaml.safe_load(asked)["events"][0]["kept_pct"] == 2.5
