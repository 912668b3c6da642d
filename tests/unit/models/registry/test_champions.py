from models.registry.champions import Champions
from store.publications.publication_rows import RegisteredVersion


def version(number: int, rolled_back: str = "") -> RegisteredVersion:
    return RegisteredVersion(number, run_id=f"run{number}", rolled_back=rolled_back)


BAD = version(2, "too wide")
CHAMPIONS = Champions(version(3), promotions=(version(1), BAD, version(3), version(4)))
"""The second was rolled back; the fourth was not promoted in the end."""


def test_champions_in_force_leave_out_what_was_rolled_back_or_not_promoted_in_the_end() -> None:
    assert CHAMPIONS.in_force == [version(1), version(3)]
    assert CHAMPIONS.rolled_back == [BAD]
    assert CHAMPIONS.lost == 0
    assert Champions(promotions=CHAMPIONS.promotions[:3]).lost == 3
    assert Champions().in_force == []


def test_a_promotion_is_the_last_and_no_version_is_there_twice() -> None:
    assert CHAMPIONS.with_champion(version(5)) == [BAD, version(1), version(3), version(5)]
    assert CHAMPIONS.with_champion(version(1)) == [BAD, version(3), version(1)]
    assert CHAMPIONS.with_champion(BAD) == [version(1), version(3), version(2)]


def test_a_rollback_keeps_the_reason_and_goes_back_to_the_one_before() -> None:
    assert CHAMPIONS.without_champion("biased") == [BAD, version(3, "biased"), version(1)]
