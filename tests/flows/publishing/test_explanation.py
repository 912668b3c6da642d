"""What a run keeps beside its publication, so that pages explain it without a solver."""

import pytest

from flows.analysis import forecast_explanation as explain
from flows.context.stores import store_of
from store.facts.reading import read_publication
from store.publications.explanations import read_explanation
from tests.flows.conftest import Published


@pytest.mark.slow
def test_a_run_keeps_what_changed_since_the_publication_before(second_run: Published) -> None:
    engine = store_of(second_run.settings)
    rows = {
        number: read_publication(engine, number).set_index(["destination", "period"])["p50"]
        for number in (1, 2)
    }

    found = read_explanation(engine, 2)

    assert found is not None
    assert found.since == 1
    both = rows[1].index.intersection(rows[2].index)
    kept = {(name, month) for name, months in found.changes.items() for month in months}
    assert kept == set(both)
    for name, month in both:
        moved = rows[2][name, month] - rows[1][name, month]
        assert sum(found.changes[name][month].values()) == pytest.approx(moved, abs=0.01)
    april = next(one for one in found.figures if (one.destination, one.first) == ("WLD", "2020-04"))
    assert april.expected_t == pytest.approx(rows[1]["WLD", "2020-04"], abs=0.001)
    assert april.published_t == pytest.approx(april.value, rel=0.01)
    assert set(april.moved or {}) == {name for name, _ in both}
    first = read_explanation(engine, 1)
    assert first is not None
    assert first.changes == {}


@pytest.mark.slow
def test_a_publication_is_explained_once_and_trouble_is_reported(
    second_run: Published, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr(explain, "explanation_of", fail)
    explain.explain_if_possible(second_run.settings)
    assert "not explained" not in capsys.readouterr().err

    monkeypatch.setattr(explain, "read_explanation", lambda *_: None)
    explain.explain_if_possible(second_run.settings)
    assert "not explained (RuntimeError: no disk)" in capsys.readouterr().err
