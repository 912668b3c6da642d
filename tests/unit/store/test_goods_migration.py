"""What planners wrote before there was a commodity is the magnets'; labels are kept by row."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pandas as pd
import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, inspect, text

from store.database import migration_config, open_store, writing
from store.facts.evidence import fetch_labels, read_label, save_label
from store.planning.alert_rules import AlertFinding, AlertRule, add_rule, save_findings
from store.planning.audit import Actor
from store.planning.needs import NeedRow, add_need
from store.planning.overrides import OverrideRow, add_override, read_planning
from store.publications.publishing import publish_forecasts
from tests.service.builders import make_forecasts

AT = datetime(2026, 11, 25, tzinfo=UTC)
AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
GOODS = "811292"
WHO = Actor("ann")
BEFORE = "0010"

WRITTEN = """
INSERT INTO needs (name, destination, period_from, period_to, tonnes, author, created_at)
VALUES ('plant', 'DEU', '2026-12-01', '2027-02-01', 800, 'ann', '2026-11-01T00:00:00.000000Z');
INSERT INTO alert_rules
(uid, name, measure, need_id, destination, points, url, author, created_at)
VALUES ('u', 'short', 'shortfall', 1, 'DEU', 5, '', 'ann', '2026-11-01T00:00:00.000000Z');
INSERT INTO alerts VALUES (1, '2026-11-01T00:00:00.000000Z', '2026-11-01T00:00:00.000000Z', '1',
'2026-12-01', 1, 2, 'moved', '2026-11-01T00:00:00.000000Z', 0, NULL, '');
INSERT INTO overrides (target, target_key, field, available_at, value, author, reason)
VALUES ('forecast', 'USA|2026-12|2026-11-24T00:00:00Z', 'p50', '2026-11-01T00:00:00.000000Z',
'450.0', 'ann', 'two licences')
"""


@pytest.fixture
def migrated(empty_url: str) -> Iterator[Engine]:
    """A store of the release before with what a planner wrote, opened by this one."""
    older = create_engine(empty_url)
    with older.begin() as connection:
        command.upgrade(migration_config(connection), BEFORE)
        for statement in WRITTEN.split(";"):
            # Not as text(): times have colons.
            connection.exec_driver_sql(statement)
    older.dispose()
    engine = open_store(empty_url)
    yield engine
    engine.dispose()


def write_of_goods(engine: Engine) -> None:
    """Let a planner write one thing of each kind of other goods."""
    rows = make_forecasts(cutoff="2026-07")
    publish_forecasts(engine, rows, as_of=AS_OF, data_vintage="a", commodity=GOODS)
    months = (pd.Timestamp("2026-12-01"), pd.Timestamp("2027-02-01"))
    need = add_need(engine, NeedRow("other", "DEU", *months, 9.0, GOODS), who=WHO, at=AT)
    rule = add_rule(
        engine, AlertRule("other", "shortfall", 5.0, need_id=need), who=WHO, at=AT, since=None
    )
    found = AlertFinding(
        rule, AT, AS_OF, fired=True, period=None, before=1.0, after=2.0, message="m"
    )
    save_findings(engine, [found], at=AT)
    result = OverrideRow("USA", months[0], pd.Timestamp(AS_OF), 9.0, "why", GOODS)
    add_override(engine, result, who=WHO, at=AT)
    save_label(engine, GOODS, "gallium", at=AT)


def test_what_planners_wrote_before_is_of_the_magnets(migrated: Engine) -> None:
    desk = read_planning(migrated)

    for rows in (desk.needs, desk.rules, desk.overrides):
        assert rows["commodity"].tolist() == ["85051110"]
    assert desk.overrides["tonnes"].tolist() == [450.0]
    assert desk.alerts["message"].tolist() == ["moved"]
    assert desk.rules["need_id"].tolist() == desk.needs["id"].tolist()


def test_going_back_keeps_what_is_of_the_magnets_alone(migrated: Engine) -> None:
    write_of_goods(migrated)

    with writing(migrated) as connection:
        command.downgrade(migration_config(connection), BEFORE)

    with migrated.connect() as connection:
        left = {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar()  # noqa: S608
            for name in ("needs", "alert_rules", "alerts", "overrides")
        }
    assert left == dict.fromkeys(left, 1)
    columns = {c["name"] for c in inspect(migrated).get_columns("needs")}
    assert "commodity" not in columns
    assert "labels" not in inspect(migrated).get_table_names()


def test_going_forward_again_asks_for_the_commodity_in_the_key(migrated: Engine) -> None:
    with writing(migrated) as connection:
        command.downgrade(migration_config(connection), BEFORE)
        command.upgrade(migration_config(connection), "head")

    key = inspect(migrated).get_pk_constraint("overrides")["constrained_columns"]
    assert set(key) == {"commodity", "target", "target_key", "field", "available_at"}
    assert read_planning(migrated).overrides["tonnes"].tolist() == [450.0]


def test_the_label_reported_last_counts_and_an_empty_one_states_nothing(engine: Engine) -> None:
    result = [
        save_label(engine, GOODS, label, at=AT)
        for label in ("gallium", "gallium", "", "unwrought gallium")
    ]

    with engine.connect() as connection:
        labels = fetch_labels(connection)
        rows = connection.execute(text("SELECT count(*) FROM labels")).scalar()
    assert result == [True, False, False, True]
    assert labels == {GOODS: "unwrought gallium"}
    assert [read_label(engine, code) for code in (GOODS, "999999")] == ["unwrought gallium", ""]
    assert rows == 2
