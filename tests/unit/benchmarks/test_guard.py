import pytest

from benchmarks.guard import compared

BEFORE = {"predict": 1_000_000, "train": 2_000_000}


@pytest.mark.parametrize(
    ("counts", "bad", "words"),
    [
        ({"predict": 1_200_000}, ["predict"], "+20.0%  SLOWER"),
        ({"predict": None}, ["predict"], "is not in the run"),
        ({"explain": 5}, ["explain"], "is not in guard.json"),
        ({"predict": 1_190_000}, [], "+19.0%"),
        ({"predict": 940_000}, [], "cheaper"),
    ],
    ids=["a fifth more", "gone", "new", "less than a fifth more", "less"],
)
def test_a_path_that_takes_a_fifth_more_is_gone_or_new_fails_by_name(
    counts: dict[str, int | None], bad: list[str], words: str
) -> None:
    run = {name: count for name, count in (BEFORE | counts).items() if count is not None}

    lines, found = compared(run, BEFORE)

    assert found == bad
    assert " ".join(words.split()) in " ".join(" ".join(lines).split())
