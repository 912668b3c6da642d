import pandas as pd
import pytest

from sources.providers.hs6_bridge import carry_over, learn
from store.errors import DataError
from store.schema.frame_schemas import validate
from tests.data.store_builders import make_observations


def values(commodity: str, amounts: list[float], **more: object) -> pd.DataFrame:
    rows = [
        {
            "commodity": commodity, "measure": "value_musd", "unit": "musd", "value": amount,
            "half_width": 0.0, "period_from": f"2025-{month:02d}-01",
            "period_to": f"2025-{month:02d}-01", "available_at": "2026-03-01T00:00:00Z", **more,
        }
        for month, amount in enumerate(amounts, start=1)
    ]  # fmt: skip
    return make_observations(*rows)


WHOLE = values("850511", [10.0] * 7)
PART = values("85051110", [8.0, 8.2, 7.8, 8.0, 8.1, 7.9], available_at="2026-04-01T00:00:00Z")
KNOWN = pd.concat([WHOLE, PART], ignore_index=True)


def test_a_value_is_carried_over_by_the_usual_share_with_a_band() -> None:
    carried = carry_over(WHOLE.tail(1), learn(KNOWN))

    row = carried.iloc[0]
    assert row["commodity"] == "85051110"
    assert row["value"] == pytest.approx(8.0)
    assert row["half_width"] == pytest.approx(0.175)
    assert (row["kind"], row["measure"]) == ("derived", "value_musd")
    assert row["available_at"] == pd.Timestamp("2026-04-01", tz="UTC")
    validate(carried, "observations", where="test")


def test_a_destination_without_months_of_its_own_gets_the_share_of_all() -> None:
    other = values("850511", [4.0], destination="FJI")

    assert carry_over(other, learn(KNOWN))["value"].iloc[0] == pytest.approx(3.2)


def test_weight_is_never_carried_over() -> None:
    weight = make_observations({"commodity": "850511"})

    with pytest.raises(DataError, match="850511 net_weight_t cannot be carried over to 85051110"):
        carry_over(weight, learn(KNOWN))


def test_weights_teach_nothing() -> None:
    weights = KNOWN.assign(measure="net_weight_t")

    with pytest.raises(DataError, match="Only 0 months have the value of both"):
        learn(weights)


def test_too_few_months_are_an_error_with_the_remedy() -> None:
    with pytest.raises(
        DataError, match=r"Only 5 months .* Expected at least 6 .* customs download"
    ):
        learn(pd.concat([WHOLE, PART.head(5)]))


def test_a_part_greater_than_its_whole_is_refused() -> None:
    with pytest.raises(DataError, match=r"worth more than 850511.*in 7 months: USA 2025-01"):
        learn(pd.concat([WHOLE, values("85051110", [11.0] * 7)]))
