import io
import json

import pandas as pd
import pytest

from flows.context.console import echo
from flows.context.output import write_result
from tests.data.builders import at


def test_a_table_that_is_piped_has_every_word_whole(capsys: pytest.CaptureFixture[str]) -> None:
    words = {f"column_{number}": "a_word_of_some_length" for number in range(20)}

    write_result(pd.DataFrame([words]), out=None, form="table")

    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == list(words)
    assert row.split() == list(words.values())


def test_moments_are_reported_to_the_minute_and_days_as_days(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moments = {"day": at("2026-11-26"), "moment": at("2026-11-26T03:21:07"), "tonnes": 1234.56}

    write_result(pd.DataFrame([moments]), out=None, form="table")

    assert capsys.readouterr().out.splitlines()[1].split() == [
        "2026-11-26", "2026-11-26", "03:21", "1,234.6",
    ]  # fmt: skip


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
