# ruff: noqa: RUF001  # ambiguous characters are the matter
import pandas as pd
import pytest

from flows.context.output import write_result
from publication.pages.render import environment
from publication.tables import harmless
from store.numbers import visible

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


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
def test_no_export_begins_a_cell_with_the_sign_of_a_formula(sign: str) -> None:
    assert harmless(f"{sign}cmd|' /C calc'!A0") == f"'{sign}cmd|' /C calc'!A0"
