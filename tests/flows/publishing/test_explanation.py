"""What a run keeps beside its publication, so that pages explain it without a solver."""

import pytest

from flows.analysis import forecast_explanation as explain
from tests.flows.conftest import Published


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
