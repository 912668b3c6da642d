import pytest

from features.panel.partner_table import partner_table
from flows.publishing.panels import table_panel
from tests.data.builders import at
from tests.data.partner_builders import make_partner_world

GOODS = "811292"
WORLD = make_partner_world(partners=40, months=30, first="2022-01")
AS_OF = at("2024-08-01")


def test_cells_that_a_source_lists_are_observed_and_sums_derived() -> None:
    rows = WORLD.rows().assign(commodity=GOODS)

    panel = table_panel(partner_table(rows, commodity=GOODS, as_of=AS_OF), rows).frame

    newest = panel.loc[panel["period"] == panel["period"].max()].set_index("destination")
    assert newest.loc[["USA", "WLD", "EU27"], "kind"].tolist() == [
        "observed", "observed", "derived",
    ]  # fmt: skip
    assert newest.loc["WLD", "tonnes"] == pytest.approx(WORLD.tonnes.iloc[:, -1].sum())
    assert newest.loc["USA", "tonnes"] == WORLD.tonnes.loc["USA"].iloc[-1]
    assert (newest["stderr_t"] == 0).all()
    assert (panel["available_at"] <= AS_OF).all()
