import pandas as pd
import pytest

from sources.base import SourceInfo
from sources.checks import objections
from sources.providers.rows import observations
from store.facts.batch import FileRows

NOW = pd.Timestamp("2026-11-25T08:00:00Z")
INFO = SourceInfo("customs", completeness=0.6)

EXPORTS = {"DEU": 1000.0, "USA": 600.0, "KOR": 500.0, "VNM": 400.0, "JPN": 350.0}


def rows(tonnes: dict[str, float], month: str, source: str) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "commodity": "85051110", "destination": tonnes.keys(), "measure": "net_weight_t",
            "period": pd.Timestamp(month), "value": tonnes.values(), "half_width": 0.0005,
            "available_at": pd.Timestamp("2026-11-20", tz="UTC"),
        }
    )  # fmt: skip
    return observations([frame], origin="CHN", source=source, source_url="x")


def found(tonnes: dict[str, float], known: pd.DataFrame) -> tuple[str, ...]:
    file = FileRows(
        "customs", "a.csv", "0", {"observations": rows(tonnes, "2026-08-01", "customs")}
    )
    return objections(file, known=known, info=INFO, now=NOW)


@pytest.mark.slow
@pytest.mark.parametrize("month", ["2026-08-01", "2026-06-01"], ids=["the month", "another month"])
def test_imports_are_reported_from_exports_by_what_is_known(month: str) -> None:
    imports = {"DEU": 60.0, "USA": 9.0, "KOR": 30.0, "VNM": 45.0, "JPN": 110.0}
    known = rows(EXPORTS, month, "published_figures")

    (objection,) = found(imports, known)

    assert objection.startswith("Weights are far from those known of China's exports in ")
    assert "USA 9.0 t against 600.0 t" in objection


@pytest.mark.slow
def test_exports_pass_beside_what_is_known_and_a_control_that_halves_them_too() -> None:
    near = {name: 1.02 * tonnes for name, tonnes in EXPORTS.items()}
    halved = {name: 0.4 * tonnes for name, tonnes in EXPORTS.items()}

    assert found(near, rows(EXPORTS, "2026-08-01", "published_figures")) == ()
    assert found(halved, rows(EXPORTS, "2026-07-01", "published_figures")) == ()
    assert found(EXPORTS, rows({}, "2026-08-01", "published_figures")) == ()


def test_china_is_no_partner_of_its_own_exports() -> None:
    (objection,) = found({**EXPORTS, "CHN": 80.0}, rows(EXPORTS, "2026-08-01", "published_figures"))

    assert objection.startswith("China is its own partner in 1 months, which is so of imports only")
