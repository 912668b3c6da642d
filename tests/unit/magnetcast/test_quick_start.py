import runpy
from pathlib import Path

import mlflow
import pytest

from tests.docs.pages import DOCS, Page

pytestmark = pytest.mark.slow


def test_the_quick_start_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = Page(DOCS / "tutorials" / "python.md").files["quickstart.py"]
    Path("quickstart.py").write_text(text, encoding="utf-8")

    before = mlflow.get_tracking_uri()
    try:
        names = runpy.run_path("quickstart.py")
    finally:
        mlflow.set_tracking_uri(before)

    beside = names["beside"]
    assert (beside["y"] / beside["LinearRegression"] - 1).abs().mean() < 0.2
    assert len(names["answer"]) == 40 * 6
    assert len(names["forecasts"]) == 40 * 6
    assert 0.05 < names["errors"].mean() < 0.13
    assert 0.7 < names["inside"].mean() < 0.9
    assert {"lag1", "last_quarter", "price_there", "quarter"} < set(
        names["fcst"].feature_importances_.index
    )
