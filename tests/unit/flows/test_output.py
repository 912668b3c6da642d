import pandas as pd
import pytest

from flows.context.output import write_result
from tests.data.builders import at


def test_a_table_that_is_piped_has_every_word_whole(capsys: pytest.CaptureFixture[str]) -> None:
    words = {f"column_{number}": "a_word_of_some_length" for number in range(20)}

    write_result(pd.DataFrame([words]), out=None, form="table")

    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == list(words)
    assert row.split() == list(words.values())


def test_moments_are_told_to_the_minute_and_days_as_days(
    capsys: pytest.CaptureFixture[str],
) -> None:
    moments = {"day": at("2026-11-26"), "moment": at("2026-11-26T03:21:07"), "tonnes": 1234.56}

    write_result(pd.DataFrame([moments]), out=None, form="table")

    assert capsys.readouterr().out.splitlines()[1].split() == [
        "2026-11-26", "2026-11-26", "03:21", "1,234.6",
    ]  # fmt: skip
