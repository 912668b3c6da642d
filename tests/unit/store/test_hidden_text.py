# ruff: noqa: RUF001  # ambiguous characters are the matter
"""Names and notes that do not look like what they are."""

from pathlib import Path

import pandas as pd
import pytest

from flows.context.output import write_result
from service.http.responses import harmless
from service.templating import environment
from sources.files.panel import read_panel
from store.hidden_text import look_alikes, visible

NOTE = "paid \u202e000,1\u202c EUR\u200b"
SHOWN = r"paid \u202e000,1\u202c EUR\u200b"


def test_hidden_characters_are_written_out_on_pages_and_in_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = environment().from_string("<p>{{ note }}</p>").render(note=NOTE + "<b>")
    write_result(pd.DataFrame({"note": [NOTE]}), out=None, form="table")

    assert page == f"<p>{SHOWN}&lt;b&gt;</p>"
    assert SHOWN in capsys.readouterr().out
    assert visible("Zürich, 東京, a\tb\u00a0c") == "Zürich, 東京, a\tb\u00a0c"


def test_names_that_look_the_same_are_found() -> None:
    names = ["USA", "U\u0405A", "USA\u200b", "ＵＳＡ", "DEU", "DEU ", "FRA", "ITA"]

    assert look_alikes(names) == [("DEU", "DEU "), ("USA", "USA\u200b", "U\u0405A", "ＵＳＡ")]


def test_a_panel_refuses_hidden_names_and_warns_of_look_alikes(tmp_path: Path) -> None:
    names = ["USA", "U\u0405A", "US\u200bA", "DEU\u202e"]
    rows = [f"{name},2026-{month:02},5" for name in names for month in range(1, 13)]
    file = tmp_path / "panel.csv"
    file.write_text("\n".join(["destination,period,tonnes", *rows]), encoding="utf-8")

    panel = read_panel(file)

    assert list(panel.table.index) == ["USA", "U\u0405A"]
    assert set(panel.refused) == {"US\u200bA", "DEU\u202e"}
    assert r"its name 'DEU\\u202e' has hidden characters" in panel.refused["DEU\u202e"]
    assert r"names look the same: USA and US\u200bA and U\u0405A" in "; ".join(panel.notes)


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
def test_no_export_begins_a_cell_with_the_sign_of_a_formula(sign: str) -> None:
    assert harmless(f"{sign}cmd|' /C calc'!A0") == f"'{sign}cmd|' /C calc'!A0"
