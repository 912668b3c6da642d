import io
import re
from dataclasses import replace
from html import unescape
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
import yaml

from publication.pages.render import folder_of
from service.lever_form import ACTS, CheckedForm, LeverChoices, LeverForm, form_like, form_of
from service.scenario_pool import WorkedScenario
from service.what_if import WhatIfView, licence_record
from store.publications.explanations import Precedent
from tests.publication.levers import DUTY, GROUND, context_of
from tests.service.scenario_service import WhatIf

TARIFF = {
    "tariff_importer": "USA", "tariff_rate": "60", "tariff_from": "2027-01",
}  # fmt: skip
BAN = {
    "licence_kind": "export_ban", "licence_for": "JPN", "licence_from": "2027-02-10",
    "licence_kept": "0",
}  # fmt: skip
HOSTILE = '"><script>alert(1)</script>'


def checked(*pairs: tuple[str, str], **fields: str) -> CheckedForm:
    return CheckedForm(form_of([*pairs, *fields.items()]), GROUND)


def test_levers_make_the_scenario_they_say() -> None:
    found = checked(
        (ACTS, "2025-10-duty"), **TARIFF, **BAN, suspension_to="2027-01-10"
    )  # fmt: skip

    assert found.errors == {}
    strict = checked(**{**BAN, "licence_kind": "april_2025", "licence_kept": ""})
    assert strict.title.startswith("Licensing as on magnets in April 2025 for Japan")
    assert yaml.safe_load(strict.text)["events"][0]["strictness"] == "april_2025"
    result = yaml.safe_load(found.text)
    assert result.pop("name").startswith("Tariff in United States: 60% from 1 Jan 2027; export")
    assert result == yaml.safe_load(
        """
        tariffs: [{importer: USA, rate_pct: 60, effective_from: 2027-01-01}]
        events:
          - {event_id: 2027-02-what-if-export-ban, instrument: export_ban, destinations: [JPN],
             effective_from: 2027-02-10, kept_pct: 0, covers: [magnets], covered_share: 1,
             covered_because: assumed of all magnets}
          - {event_id: 2025-10-duty, suspended_to: 2027-01-10}
        """
    )


def test_announced_acts_get_the_probability_typed() -> None:
    found = checked(("chance.2025-10-duty", "30"), ("chance.2026-11-list", "0"))

    assert found.errors == {}
    assert found.title == "Licence duty, probability 30%; New list, probability 0%"
    assert yaml.safe_load(found.text)["events"] == yaml.safe_load(
        """
        - {event_id: 2025-10-duty, suspended_to: 2027-01-10, probability: 0.3}
        - {event_id: 2026-11-list, probability: 0}
        """
    )


@pytest.mark.parametrize(
    ("fields", "name", "said"),
    [
        ({**TARIFF, "tariff_rate": "soon"}, "tariff_rate", '"soon" is not a plain number'),
        ({**TARIFF, "tariff_rate": ""}, "tariff_rate", "Give either the total rate"),
        ({**TARIFF, "tariff_rate": "1001"}, "tariff_rate", "'1001' is out of range. Expected 1000"),
        ({**TARIFF, "tariff_from": ""}, "tariff_from", "Missing"),
        ({**TARIFF, "tariff_from": "2026-11-23"}, "tariff_from", "before 24 Nov 2026, the date of"),
        ({**TARIFF, "tariff_to": "2026-12"}, "tariff_to", "before 1 Jan 2027, the date it follows"),
        ({**TARIFF, "tariff_announced": "2027-02"}, "tariff_from", "1 Jan 2027 is before 1 Feb"),
        ({**BAN, "licence_kind": "export_licence_relaxation"}, "licence_kept",
         "A relaxation blocks nothing"),
        ({**BAN, "licence_kind": "9%(a"}, "licence_kind", "'9%(a' is not in the list"),
        ({"suspension_to": "2027-01"}, ACTS, "No measure selected"),
        ({ACTS: "unknown", "suspension_to": "2027-01"}, ACTS,
         "'unknown' is not a suspended measure. Choose one of those shown"),
        ({ACTS: "2025-10-duty"}, "suspension_to", "Missing"),
        ({"chance.2025-10-duty": "101"}, "chance.2025-10-duty",
         "'101' is out of range. Expected 0 to 100 percent"),
        ({**BAN, "licence_probability": "-1"}, "licence_probability", "'-1' is out of range"),
        ({"chance.none": "1"}, "chance.none", "'none' is not a known act"),
        ({f"chance.{number}": "1" for number in range(51)}, ACTS, "at most 50 items"),
        ({"chance.2025-10-duty": "1", ACTS: "2025-10-duty", "suspension_to": "2027-01"},
         "chance.2025-10-duty", "2025-10-duty is changed twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_reported_beside_its_field(
    fields: dict[str, str], name: str, said: str
) -> None:
    errors = checked(**fields).errors

    assert said in errors[name]
    assert name != ACTS or list(errors) == [ACTS]


def test_an_address_holds_the_form() -> None:
    chance = ("chance.c", "0.2")
    form = form_of([(ACTS, "a"), (ACTS, "b"), chance, *TARIFF.items(), ("other", "left")])

    pairs = re.split("[&=]", f"destination=USA&{form.query()}")
    again = form_of(list(zip(pairs[::2], pairs[1::2], strict=True)))
    assert again == form


def test_a_worked_scenario_fills_the_form(what_if: WhatIf) -> None:
    for one in what_if.pool.what_if.worked:
        form = form_like(one)

        result, made = yaml.safe_load(one.text), yaml.safe_load(worked_again(one, form).text)
        for side in (result, made):
            side.pop("name")
            side.pop("description", None)
            for event in side.get("events", []):
                if "instrument" in event:
                    event.pop("event_id")
        assert made == result, one.key


def worked_again(one: WorkedScenario, form: LeverForm) -> CheckedForm:
    ids = {
        event["event_id"]: "2026-11-10"
        for event in yaml.safe_load(one.text).get("events", [])
        if "instrument" not in event
    }
    context = context_of(*({**DUTY, "event_id": name} for name in ids))
    ground = LeverChoices(context, ids)
    found = CheckedForm(form, ground)
    assert found.errors == {}
    return found


@pytest.mark.slow
def test_a_page_shows_the_answer_and_an_address_that_shows_it_again(what_if: WhatIf) -> None:
    query = urlencode({"destination": "USA", **TARIFF})

    page = what_if.client.get(f"/what-if?{query}")
    share = re.search(r'href="([^"]+)">Link to share', page.text)

    assert page.status_code == 200
    assert "United States, November 2026 to October 2027:" in page.text
    assert 'figure class="drawn paired"' in page.text
    again = what_if.client.get(unescape(share[1]).replace("what-if.html", "/what-if.html"))
    assert again.text == page.text
    both = what_if.client.get(f"/what-if?{urlencode({'destination': 'USA', **TARIFF, **BAN})}")
    told = ["of exports per percentage point" in answer.text for answer in (page, both)]
    assert told == [True, False], "beside a ban no effect is that of the tariff"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("en", r"t in total on average instead of .*%\) if it takes effect, .* if not"),
        ("de", r"im Mittel insgesamt .*%\), falls es in Kraft tritt, sonst "),
    ],
)
def test_a_probability_shows_both_branches_and_the_mean(
    what_if: WhatIf, code: str, words: str
) -> None:
    query = urlencode({"destination": "JPN", **BAN, "licence_probability": "25"})

    page = what_if.client.get(f"/{folder_of(code)}what-if?{query}")

    assert page.status_code == 200
    assert re.search(words, page.text)
    assert yaml.safe_load(yaml_of(page.text))["name"].endswith("10 Feb 2027, probability 25%")
    rows = pd.read_csv(io.StringIO(what_if.client.get(f"/what-if.csv?{query}").text))
    japan = rows.loc[rows["destination"].eq("JPN")]
    mean = 0.25 * japan["certain_mean"] + 0.75 * japan["never_mean"]
    np.testing.assert_allclose(japan["scenario_mean"], mean, atol=0.002)


def test_a_licence_beyond_the_record_is_called_extrapolated() -> None:
    past = (
        Precedent("2023-07-gallium", "gallium", "export_control", {"1": 0.02, "2": 0.05}),
        Precedent("2025-04-magnets", "magnets", "export_control", {"1": 0.5, "2": 0.25}),
    )
    months = tuple(f"2027-0{month}-01" for month in range(1, 7))

    def record(**fields: str) -> dict:
        form, choices = form_of([*(BAN | fields).items()]), replace(GROUND, months=months)
        return licence_record(past, WhatIfView(form, "JPN", choices))

    ban, mild = record(licence_kept=""), record(licence_kept="90")
    expected = {"lowest": 0.02, "assumed": 0.0, "months": 5, "longest": 0, "is_rare": True}
    assert ban == expected | {"worst": past[0]}, "nothing passes under a ban"
    assert (mild["longest"], mild["is_rare"]) == (2, True)
    assert record(licence_kind="minerals", licence_kept="")["assumed"] is None
    assert record(licence_kind="export_licence_relaxation", licence_kept="") == {}


def yaml_of(page: str) -> str:
    """Return the scenario that a page shows."""
    found = re.search(r"<pre>(.*?)</pre>", page, re.DOTALL)
    return unescape(found[1])


@pytest.mark.slow
def test_the_file_of_the_page_says_what_the_api_states(what_if: WhatIf) -> None:
    query = urlencode({"destination": "USA", **TARIFF})

    text = yaml_of(what_if.client.get(f"/what-if?{query}").text)
    rows = what_if.client.get(f"/what-if.csv?{query}")

    assert rows.content == what_if.post(text.encode(), "?format=csv").content


@pytest.mark.slow
def test_results_are_kept_side_by_side_in_the_address(what_if: WhatIf) -> None:
    query = urlencode({"destination": "USA", **TARIFF})
    page = what_if.client.get(f"/what-if?{query}")
    keep = re.search(r'href="([^"]+)">Keep this result', page.text)

    changed = f"{unescape(keep[1])}&tariff_rate=30"
    both = what_if.client.get(changed)

    assert "results side by side" in both.text
    assert both.text.count("Keep this result for comparison") == 1
    sides = re.findall(r'<th scope="col" class="wide">([^<]+)', both.text)
    assert sides == [f"Tariff in United States: {rate}% from 1 Jan 2027" for rate in (30, 60)]
    assert both.text.count('name="beside"') == 1
    ids = re.findall(r' id="([^"]+)"', both.text)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("address", "status", "message"),
    [
        ("?beside=tariff_rate%3D60", 400, "tariff_from: Missing"),
        ("?beside=tariff_rate%3D60" + "%26a%3D1" * 200, 400, "tariff_from: Missing"),
        (".csv?tariff_rate=60", 400, "tariff_from: Missing"),
        ("?destination=XXX", 404, "XXX"),
        ("?destination=USA&publication=17", 200, "made with publication 17;"),
        ("?destination=USA&publication=the+last", 200, 'id="result">\n<p class="lead">Change'),
        ("?destination=USA&tariff_importer=USA", 200, "United States: no change in any month."),
    ],
    ids=["kept", "kept among many", "file", "destination", "number", "no number", "nothing"],
)
def test_an_address_without_a_sound_scenario_says_what_is_wrong(
    what_if: WhatIf, address: str, status: int, message: str
) -> None:
    answer = what_if.client.get(f"/what-if{address}")

    assert (answer.status_code, message in answer.text) == (status, True)
    assert "the last" not in answer.text
    assert not re.search(r"<ul[^>]*>\s*</ul>", answer.text)


def test_nothing_filled_in_is_lost_and_nothing_is_taken_for_markup(what_if: WhatIf) -> None:
    query = urlencode({"destination": "JPN", **TARIFF, "tariff_rate": HOSTILE, ACTS: HOSTILE})

    page = what_if.client.get(f"/what-if?{query}")

    assert page.status_code == 400
    assert "magnetcast.invalid" not in page.text
    for script in re.findall(r"<script([^>]*)>", page.text):
        is_data = script == ' type="application/json"'
        assert is_data or re.fullmatch(r'( (defer|(src|data-library)="static/[\w.-]+"))+', script)
    assert f'value="{HOSTILE}"' in unescape(page.text)
    assert 'name="tariff_from" type="date"' in page.text
    assert 'value="2027-01-01"' in page.text
    assert 'id="tariff_rate-wrong"' in page.text
    assert '<option value="JPN" selected>' in page.text


@pytest.mark.slow
def test_a_page_in_another_language_asks_the_same_scenario(what_if: WhatIf) -> None:
    query = urlencode({"destination": "JPN", **BAN, "licence_kept": "2,5"})

    asked = yaml_of(what_if.client.get(f"/de/what-if?{query}").text)

    assert "name: Export ban for Japan from 10 Feb 2027\n" in asked
    assert yaml.safe_load(asked)["events"][0]["kept_pct"] == 2.5
