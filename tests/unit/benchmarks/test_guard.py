import pytest

from benchmarks.guard import cheaper_paths, compared

BEFORE = {"predict": 1_000_000, "train": 2_000_000}


def test_a_path_that_takes_a_fifth_more_fails_by_name() -> None:
    lines, bad = compared({"predict": 1_200_000, "train": 2_000_000}, BEFORE)

    assert bad == ["predict"]
    assert lines[1].split() == ["predict", "1.2", "1.0", "+20.0%", "SLOWER"]
    assert lines[-1].startswith("guard: predict failed. Expected less than 20% more instructions")


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


@pytest.mark.parametrize(
    ("predict", "words"), [(1_190_000, ["predict", "1.2", "1.0", "+19.0%"]), (940_000, ["cheaper"])]
)
def test_less_than_a_fifth_more_passes_and_less_is_the_new_baseline(
    predict: int, words: list[str]
) -> None:
    lines, bad = compared({"predict": predict, "train": 1_990_000}, BEFORE)

    assert bad == []
    assert [word for word in lines[1].split() if word in words] == words
    cheaper = cheaper_paths({"predict": predict, "train": 1_990_000}, BEFORE)
    assert cheaper == ({"predict": predict} if "cheaper" in words else {})
