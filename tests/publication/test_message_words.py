import pytest

from publication.language.phrases import in_language
from publication.words import rendered
from store.messages import Message, from_json, message, to_json

STARTS = message(
    "%(act)s starts after %(month)s, the last month forecast, and shows no effect.",
    act="2026-05-quota",
    month="2027-03",
)


def test_a_message_survives_json_and_reads_as_english() -> None:
    whole = message("Held: %(why)s %(rows)s", why=STARTS, rows=("1,200", 7))

    read = from_json(to_json(whole))

    assert read == whole
    assert str(read) == (
        "Held: 2026-05-quota starts after 2027-03, the last month forecast, and shows no effect "
        "1,200; 7"
    )


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("day", "2026-01-31", "31. Jan. 2026"), ("month", "2026-01", "Jan. 2026"),
        ("share", "12.5%", "12,5\N{NO-BREAK SPACE}%"), ("count", 7, "7"),
        ("tonnes", "1,234.5", "1.234,5"), ("destination", "DEU", "Deutschland"),
        ("instrument", "export_ban", "Ausfuhrverbot"), ("text", "as typed", "as typed"),
    ],
)  # fmt: skip
def test_values_are_written_as_the_language_writes_them(name: str, value: str, shown: str) -> None:
    with in_language("de"):
        assert rendered(Message(f"%({name})s", {name: value})) == shown


def test_a_message_is_rendered_in_the_language_in_use() -> None:
    with in_language("de"):
        german = rendered(STARTS)

    assert "Mar 2027" in rendered(STARTS)
    assert "2027-03" in str(STARTS)
    assert "2026-05-quota" in german
    assert "März 2027" in german
