import csv
import json
from pathlib import Path

import pytest
import yaml

from flows.serving import SCENARIOS, scenario_engine
from service.lever_form import context_of
from store.schema.scenario import RESULT_COLUMNS
from tests.helpers import settings_in
from tests.service.scenario_service import WhatIf, tariff, what_if_over

PROBLEM = "application/problem+json"
NO_TEXT = tariff(60).replace("Rate of 60", '"\\ud800 \\u0007"')


@pytest.mark.slow
def test_a_scenario_is_answered_as_the_command_answers_it(what_if: WhatIf) -> None:
    answer = what_if.post(tariff(60)).json()

    scenario = what_if.pool.engine.read(tariff(60).encode(), context_of(what_if.publication))
    expected = what_if.compute()(scenario).table
    assert set(answer) == {
        "name", "description", "tariffs", "as_of", "unit", "notes", "warnings", "months",
    }  # fmt: skip
    step = {"importer": "USA", "rate_pct": 60.0, "effective_from": "2027-01-01"}
    assert answer["tariffs"] == [step], "the answer has the scenario it is of"
    found = {(row["destination"], row["period"]): row for row in answer["months"]}
    assert len(found) == len(expected) == 12 * 15
    for row in expected.to_dict("records"):
        assert found[row["destination"], row["period"]] == row
    published = what_if.publication.latest.query("destination == 'USA'").set_index("period")["p50"]
    for period, tonnes in published.items():
        assert found["USA", period]["base_p50"] == pytest.approx(tonnes, abs=5e-4)
    assert found["USA", "2027-02"]["difference_p90"] < 0


@pytest.mark.slow
def test_destinations_and_csv_can_be_chosen(what_if: WhatIf) -> None:
    answer = what_if.post(tariff(60), "?destination=USA&destination=WLD&format=csv")

    rows = list(csv.DictReader(answer.text.splitlines()))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(rows[0]) == list(RESULT_COLUMNS)
    assert [row["destination"] for row in rows] == ["WLD"] * 15 + ["USA"] * 15


@pytest.mark.slow
def test_equal_questions_have_equal_answers_however_they_are_spelled(what_if: WhatIf) -> None:
    spelled = '{"name": "Rate of 60", "tariffs": [{"importer": "USA", "rate_pct": 60, '
    spelled += '"effective_from": "2027-01-01"}]}'

    first = what_if.post(tariff(60))
    second = what_if.post(spelled, **{"Content-Type": "application/json"})

    assert first.content == second.content


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        pytest.param(tariff(-5), 400, "line 3, rate_pct: '-5' is out of range", id="rate"),
        pytest.param("name: nothing", 400, "line 1, Neither events nor tariffs", id="nothing"),
        pytest.param("", 400, "empty", id="empty"),
        pytest.param(b"\xff\xfe\x00", 400, "is not UTF-8", id="bytes"),
        pytest.param("name: a\x07b\ntariffs: []", 400, "is not YAML", id="control characters"),
        pytest.param(NO_TEXT, 400, "unable to parse raw data", id="surrogate"),
        pytest.param("[" * 20_000, 400, "is not YAML", id="deep"),
        pytest.param("x" * 64_001, 400, "MAGNETCAST_MAX_BODY_BYTES", id="huge"),
        pytest.param("a: &a [x]\nevents: *a", 400, "an alias stands for it", id="alias"),
    ],
)  # fmt: skip
def test_what_is_no_scenario_is_refused_with_its_lines(
    what_if: WhatIf, text: str | bytes, status: int, said: str
) -> None:
    answer = what_if.post(text)

    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert said in answer.json()["detail"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_form_of_another_site_can_send_is_not_taken(what_if: WhatIf, kind: str) -> None:
    answer = what_if.post(tariff(60), **{"Content-Type": kind})

    assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
    assert "is not accepted. Expected one of application/json" in answer.json()["detail"]


def test_an_unknown_destination_is_reported_before_anything_is_computed(what_if: WhatIf) -> None:
    answer = what_if.post(tariff(61), "?destination=XXX")

    assert answer.status_code == 404
    assert "No destination 'XXX'" in answer.json()["detail"]


@pytest.mark.slow
def test_every_example_is_answered_as_yaml_and_as_json(what_if: WhatIf) -> None:
    for file in sorted(SCENARIOS.glob("*.yaml")):
        assert what_if.post(file.read_bytes()).status_code == 200, file.name
    content = json.dumps(yaml.safe_load(file.read_bytes()), default=str)
    assert what_if.post(content, **{"Content-Type": "application/json"}).status_code == 200


@pytest.mark.slow
def test_without_the_model_scenarios_are_refused_and_all_else_works(
    published_store: Path, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    with what_if_over(published_store, settings.home, scenario_engine(settings)) as service:
        answer = service.post(tariff(60))
        shown = service.client.get(
            "/what-if?destination=USA&tariff_importer=USA&tariff_rate=60&tariff_from=2027-01"
        )
        others = [service.client.get(path).status_code for path in ("/health", "/what-if")]

    assert (answer.status_code, answer.headers["content-type"]) == (503, PROBLEM)
    assert "Model magnetcast-7" in answer.json()["detail"]
    assert "is not in the registry" in answer.json()["detail"]
    assert shown.status_code == 503
    assert "is not in the registry" in shown.text
    assert others == [200, 200]
