import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.checks import objections
from store.schema.frames import typed_frame
from tests.data.table_builders import NOW, as_file, make_trade
from tests.examples import few

pytestmark = pytest.mark.slow

NOTHING = typed_frame([], "observations")

HONEST = st.fixed_dictionaries(
    {
        "months": st.integers(1, 12),
        "partners": st.integers(1, 60),
        "seed": st.integers(0, 10_000),
        "price": st.floats(15_000, 150_000),
        "drift": st.floats(-0.01, 0.01),
        "present": st.sampled_from([1.0, 0.98, 0.9]),
        "zeros": st.sampled_from([0.0, 0.1, 0.5]),
        "scale": st.sampled_from([0.05, 3.0, 300.0, 900.0]),
        "world": st.booleans(),
        "values": st.booleans(),
        "commodity": st.sampled_from(["850511", "85051110"]),
    }
)


@few(12)
@given(HONEST)
def test_an_honest_table_raises_no_objection(choices: dict[str, object]) -> None:
    frame = make_trade(first="2017-01", **choices)

    assert objections(as_file(frame), stored=NOTHING, ingested_at=NOW) == ()
    assert objections(as_file(frame), stored=frame, ingested_at=NOW) == ()


@few(12)
@given(HONEST, st.integers(1, 3))
def test_the_next_months_and_small_revisions_raise_no_objection(
    choices: dict[str, object], ahead: int
) -> None:
    months = int(str(choices["months"]))
    table = make_trade(first="2017-01", **{**choices, "months": months + ahead})
    periods = sorted(table["period_from"].unique())
    known = table[table["period_from"] < periods[-ahead]] if len(periods) > ahead else NOTHING
    again = table[table["period_from"] >= periods[-min(len(periods), ahead + 2)]]
    revised = again.assign(value=again["value"] * 1.003).reset_index(drop=True)

    assert objections(as_file(revised), stored=known, ingested_at=NOW) == ()


@few(8)
@given(HONEST, st.sampled_from([1000.0, 0.001]))
def test_a_slip_of_a_thousand_in_a_table_of_some_size_is_always_seen(
    choices: dict[str, object], factor: float
) -> None:
    sized = {**choices, "scale": 300.0, "values": True, "zeros": 0.0, "present": 1.0}
    frame = make_trade(first="2017-01", **sized)
    is_weight = frame["measure"].eq("net_weight_t")
    slipped = frame.assign(value=frame["value"].mask(is_weight, frame["value"] * factor))

    assert objections(as_file(slipped), stored=NOTHING, ingested_at=NOW)
