import pytest

from benchmarks.guard import compared

BEFORE = {"predict": 1_000_000, "train": 2_000_000}


def test_a_path_that_takes_a_fifth_more_fails_by_name() -> None:
    lines, bad = compared({"predict": 1_200_000, "train": 2_000_000}, BEFORE)

    assert bad == ["predict"]
    assert lines[1].split() == ["predict", "1.2", "1.0", "+20.0%", "SLOWER"]
    assert lines[-1].startswith("guard: predict failed. Expected less than 20% more instructions")


def test_less_than_a_fifth_more_passes() -> None:
    lines, bad = compared({"predict": 1_190_000, "train": 1_990_000}, BEFORE)

    assert bad == []
    assert lines[2].split() == ["train", "2.0", "2.0", "-0.5%"]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"predict": 1_000_000}, "is not in the run"),
        ({**BEFORE, "explain": 5}, "is not in guard.json"),
    ],
    ids=["gone", "new"],
)
def test_a_path_that_is_gone_or_new_fails(counts: dict[str, int], said: str) -> None:
    lines, bad = compared(counts, BEFORE)

    assert len(bad) == 1
    assert said in "\n".join(lines)


def test_a_path_that_got_much_faster_passes_and_asks_for_a_new_baseline() -> None:
    lines, bad = compared({"predict": 700_000, "train": 2_000_000}, BEFORE)

    assert bad == []
    assert lines[1].endswith("baseline is old")
