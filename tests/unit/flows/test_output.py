import io
import json

import pandas as pd
import pytest

from flows.context.console import echo
from flows.context.output import write_result


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("[/x]", "[/x]"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("[link=https://e.org]x", "[link=https://e.org]x"),
        ("\x1b[2Jx", r"\u001b[2Jx"),
        ("a\u202eb\u200bc", r"a\u202eb\u200bc"),
        ("=1+1", "=1+1"),
        ("<script>", "<script>"),
        ("\u7a00\u571f \u00e9\u00a0x", "\u7a00\u571f \u00e9\u00a0x"),
    ],
)
def test_a_hostile_name_is_text_in_every_format(
    name: str, seen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame({"name": [name], name: [1]})
    shown = {}
    for form in ("table", "csv", "json"):
        write_result(frame, out=None, form=form)
        shown[form] = capsys.readouterr().out
    echo(f"series {name} is refused")

    assert shown["table"].count(seen) == 2
    assert pd.read_csv(io.StringIO(shown["csv"]))["name"].tolist() == [name]
    assert json.loads(shown["json"])[0] == {"name": name, name: 1}
    assert capsys.readouterr().err == f"series {seen} is refused\n"
