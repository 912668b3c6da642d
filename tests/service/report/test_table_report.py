from pathlib import Path

import pytest
from service.web.report import write_report

from publication.state import Publication
from store.messages import message
from tests.service.builders import make_forecasts, make_panel, make_report

NAMES = {"EU27_REST": "FRA", "ROW": "MEX"}
LATE = message("2026-05: late, so missing and not zero: %(names)s", names="<USA>")


def make_table_report(label: str = "") -> Publication:
    """Return the state of one forecast of another commodity, of which no policy is known."""
    forecasts, panel = make_forecasts(), make_panel()
    return make_report(
        forecasts=forecasts.assign(destination=forecasts["destination"].replace(NAMES)),
        panel=panel.assign(destination=panel["destination"].replace(NAMES), kind="observed"),
        commodity="850511",
        model="partners-1",
        label=label,
    )


@pytest.mark.slow
def test_a_table_has_all_destinations_on_one_page_and_no_policy(tmp_path: Path) -> None:
    page = write_report(make_table_report("磁 <magnets>"), tmp_path / "report", notes=[LATE])
    text = page.read_text(encoding="utf-8")

    assert {path.name for path in page.parent.iterdir()} == {
        "index.html", "forecasts.csv", "scores.csv", "SHA256SUMS",
    }  # fmt: skip
    assert "磁 &lt;magnets&gt; (850511) to 10 destinations" in text
    outlook = text[text.index('id="WLD-outlook-head"') :].partition("</table>")[0]
    for name in ("World", "European Union (27)", "France", "Mexico", "Germany"):
        assert f">{name}</" in outlook
    assert text.count("<img") == 14
    assert "Inconsistent published figures" not in text
    assert "2026-05: late, so missing and not zero: &lt;USA&gt;" in text
