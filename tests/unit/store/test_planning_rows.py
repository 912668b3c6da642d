from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

import pandas as pd
import pytest
from sqlalchemy import Engine, insert, text
from sqlalchemy.exc import DatabaseError
from store.planning.audit import Actor, audited, create_token, digest_of, revoke_token
from store.planning.planning_rows import (
    AlertFinding,
    AlertRule,
    NeedRow,
    RivalForecast,
    add_need,
    add_rival_forecasts,
    add_rule,
    end_need,
    end_rule,
    note_delivery,
    read_planning,
    restore_need,
    save_findings,
)

from store.database import open_store, writing
from store.errors import DataError, MissingError, StoreError, TokenError
from store.publications.publication_writing import publish_forecasts
from store.schema.database_tables import needs
from tests.service.builders import make_forecasts

AT = datetime(2026, 11, 25, tzinfo=UTC)
AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
PLANNER = Actor("ann")
GOODS = "811292"


def month(text_: str) -> pd.Timestamp:
    return pd.Timestamp(f"{text_}-01")


def make_need(**changes: object) -> NeedRow:
    result = {"name": "plant", "destination": "DEU", "period_from": month("2026-12"),
            "period_to": month("2027-02"), "tonnes": 800.0}  # fmt: skip
    return NeedRow(**{**result, **changes})


def make_rule(**changes: object) -> AlertRule:
    return AlertRule(**{"name": "drop", "measure": "median", "points": 5.0, "destination": "USA",
                   **changes})  # fmt: skip


def make_finding(rule: int) -> AlertFinding:
    return AlertFinding(
        rule, AT, AS_OF, fired=True, period=AT.date(), before=1.0, after=2.0, message="moved"
    )


def publish(engine: Engine) -> None:
    publish_forecasts(engine, make_forecasts(cutoff="2026-07"), as_of=AS_OF, data_vintage="a")


def make_rival(**changes: object) -> RivalForecast:
    result = {"name": "Example Bank", "source": "outlook", "made_on": pd.Timestamp("2026-11-20"),
              "destination": "USA", "period": month("2026-12"), "tonnes": 450.0}  # fmt: skip
    return RivalForecast(**{**result, **changes})


def test_a_need_is_kept_with_who_stated_it_and_its_audit_row(engine: Engine) -> None:
    number = add_need(engine, make_need(), actor=PLANNER, at=AT)

    state = read_planning(engine)
    (need,), (entry,) = state.needs.to_dict("records"), state.audit.to_dict("records")
    assert (need["id"], need["author"], need["tonnes"]) == (number, "ann", 800.0)
    assert (entry["actor"], entry["action"], entry["object"]) == ("ann", "create", f"need {number}")
    assert '"period_to": "2027-02"' in entry["after"]
    assert entry["at"] == AT


def test_a_write_without_its_audit_row_is_not_kept(engine: Engine) -> None:
    row = {"name": "x", "commodity": "85051110", "destination": "DEU", "period_from": AT.date(),
           "period_to": AT.date(), "tonnes": 1.0, "author": "x", "created_at": AT}  # fmt: skip

    with pytest.raises(StoreError, match="without an audit row"), \
            audited(engine, PLANNER, at=AT) as journal:  # fmt: skip
        journal.connection.execute(insert(needs).values(**row))

    assert read_planning(engine).needs.empty


def test_an_audit_row_without_its_write_is_not_kept(engine: Engine) -> None:
    def half() -> None:
        with audited(engine, PLANNER, at=AT) as journal:
            journal.note("create", "need 1")
            journal.connection.execute(insert(needs).values(name=None))

    with pytest.raises(DatabaseError, match="name"):
        half()

    assert read_planning(engine).audit.empty


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"])
def test_the_database_itself_keeps_the_audit_trail(engine: Engine, change: str) -> None:
    add_need(engine, make_need(), actor=PLANNER, at=AT)

    with pytest.raises(DatabaseError, match="only grows"), writing(engine) as connection:
        connection.execute(text(change))

    assert read_planning(engine).audit["actor"].tolist() == ["ann"]


def test_a_token_writes_in_its_name_until_it_is_revoked(engine: Engine) -> None:
    token = create_token(engine, name="planner", scopes=["write"], at=AT, actor="ann")
    who = Actor(digest=digest_of(token))
    add_need(engine, make_need(), actor=who, at=AT)
    revoke_token(engine, 1, at=AT, actor="bob")

    with pytest.raises(TokenError, match="not active"):
        add_need(engine, make_need(), actor=who, at=AT)

    rows = read_planning(engine).audit
    assert rows["actor"].tolist() == ["ann", "planner", "bob"]
    assert rows["action"].tolist() == ["create", "create", "revoke"]
    assert rows["token_id"].fillna(0).tolist() == [0, 1, 0]
    assert token not in rows.to_csv()
    assert digest_of(token) not in rows.to_csv()


def test_a_token_that_may_only_read_writes_nothing(engine: Engine) -> None:
    token = create_token(engine, name="guest", scopes=["read"], at=AT)

    with pytest.raises(TokenError, match="read-only"):
        add_need(engine, make_need(), actor=Actor(digest=digest_of(token)), at=AT)

    assert read_planning(engine).needs.empty


def test_ending_a_need_ends_the_rules_on_it(engine: Engine) -> None:
    number = add_need(engine, make_need(), actor=PLANNER, at=AT)
    own = make_rule(measure="shortfall", need_id=number, destination="")
    add_rule(engine, own, actor=PLANNER, at=AT, since=None)
    add_rule(engine, make_rule(), actor=PLANNER, at=AT, since=AS_OF)

    end_need(engine, number, actor=PLANNER, at=AT)

    state = read_planning(engine)
    assert state.needs["ended_at"].notna().tolist() == [True]
    assert state.rules["ended_at"].notna().tolist() == [True, False]
    assert state.rules["destination"].tolist() == ["DEU", "USA"]
    assert state.audit["object"].tolist()[-2:] == ["need 1", "alert rule 1"]
    with pytest.raises(MissingError, match="There is no active need 1"):
        end_need(engine, number, actor=PLANNER, at=AT)

    restore_need(engine, number, actor=PLANNER, at=AT)

    state = read_planning(engine)
    assert state.needs["ended_at"].isna().all()
    assert state.rules["ended_at"].isna().all()
    assert state.audit["action"].tolist()[-2:] == ["restore", "restore"]
    with pytest.raises(MissingError, match="No need 1 has ended"):
        restore_need(engine, number, actor=PLANNER, at=AT)
    other = make_rule(measure="shortfall", need_id=number, destination="", commodity=GOODS)
    with pytest.raises(DataError, match="Expected that of the need, 85051110"):
        add_rule(engine, other, actor=PLANNER, at=AT, since=None)


def test_a_rule_speaks_once_of_a_publication(engine: Engine) -> None:
    number = add_rule(engine, make_rule(), actor=PLANNER, at=AT, since=None)
    found = make_finding(number)

    first = save_findings(engine, [found], at=AT)
    again = save_findings(engine, [found], at=AT)
    note_delivery(engine, (number, AT), tries=3, at=AT, trouble="HTTP 500")
    note_delivery(engine, (number, AT), tries=1, at=AT, trouble="")

    (row,) = read_planning(engine).alerts.to_dict("records")
    assert (first, again) == ([found], [])
    assert (row["attempts"], row["delivered_at"], row["trouble"]) == (4, AT, "")
    end_rule(engine, number, actor=PLANNER, at=AT)
    with pytest.raises(MissingError, match="There is no active alert rule 1"):
        end_rule(engine, number, actor=PLANNER, at=AT)


def test_earlier_forecasts_by_others_stay(engine: Engine) -> None:
    later = AT.replace(hour=5)
    add_rival_forecasts(engine, [make_rival(), make_rival(name="ann")], actor=PLANNER, at=AT)
    add_rival_forecasts(engine, [make_rival(tonnes=500.0)], actor=Actor("bob"), at=later)

    state = read_planning(engine)
    assert state.rivals["tonnes"].tolist() == [450.0, 450.0, 500.0]
    assert state.rivals["author"].tolist() == ["ann", "ann", "bob"]
    assert set(state.rivals["period"]) == {month("2026-12")}
    assert set(state.rivals["made_on"]) == {pd.Timestamp("2026-11-20")}
    assert '"made_on": "2026-11-20"' in state.audit["after"].iloc[0]


def test_of_forecasts_written_together_none_stays_if_one_makes_no_sense(engine: Engine) -> None:
    rows = [make_rival(), make_rival(name="bob", tonnes=-1.0)]

    with pytest.raises(DataError, match="A forecast of"):
        add_rival_forecasts(engine, rows, actor=PLANNER, at=AT)

    assert read_planning(engine).rivals.empty


def publish_goods(engine: Engine) -> None:
    rows = make_forecasts(cutoff="2026-07").replace({"destination": {"JPN": "FRA"}})
    publish_forecasts(engine, rows, as_of=AS_OF, data_vintage="a", commodity=GOODS)


def need(engine: Engine, **changes: object) -> None:
    add_need(engine, make_need(**changes), actor=PLANNER, at=AT)


def rule(engine: Engine, **changes: object) -> None:
    add_rule(engine, make_rule(**changes), actor=PLANNER, at=AT, since=None)


@pytest.fixture(scope="module")
def untouched(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A store with forecasts of two commodities; what is refused by us is so on any database."""
    path = copyfile(sqlite_template, tmp_path_factory.mktemp("untouched") / "store.db")
    opened = open_store(f"sqlite:///{path}")
    publish(opened)
    publish_goods(opened)
    yield opened
    opened.dispose()


def rival(engine: Engine, count: int = 1, **changes: object) -> None:
    add_rival_forecasts(engine, [make_rival(**changes)] * count, actor=PLANNER, at=AT)


@pytest.mark.parametrize(
    ("write", "changes", "error", "message"),
    [
        (need, {"name": " "}, DataError, "'' as the name of a need"),
        (need, {"name": "x" * 81}, DataError, "1 to 80"),
        (need, {"destination": "FRA"}, DataError, "No destination 'FRA' is forecast"),
        (need, {"commodity": "999999"}, MissingError, "'999999'. Expected one of .*: 811"),
        (need, {"commodity": GOODS, "destination": "JPN"}, DataError, f"'JPN' of .* {GOODS} is"),
        (need, {"tonnes": float("nan")}, DataError, "A need of nan t"),
        (need, {"period_to": month("2030-01")}, DataError, "38 months"),
        (rule, {"measure": "noise"}, DataError, "A rule on 'noise'"),
        (rule, {"points": 0.0}, DataError, "change of 0.0 points"),
        (rule, {"measure": "shortfall"}, DataError, "need_id=None"),
        (rule, {"measure": "shortfall", "need_id": 7}, MissingError, "There is no active need 7"),
        (need, {"stock": -1.0}, DataError, "A stock of -1.0 t"),
        (need, {"lead_days": 731}, DataError, "A lead time of 731 days"),
        (rival, {"destination": "FRA"}, DataError, "No destination 'FRA' is forecast"),
        (rival, {"count": 0}, DataError, "^There is no forecast to save. Enter one.$"),
        (rival, {"count": 2}, DataError, "2026-12 is entered twice"),
        (rival, {"count": 101}, DataError, "101 forecasts at once"),
        (rival, {"tonnes": -1.0}, DataError, "A forecast of -1.0 t"),
        (rival, {"name": "  "}, DataError, "name of a forecast"),
        (rival, {"made_on": pd.Timestamp("2030-01-01")}, DataError, "which is in the future"),
    ],
)
def test_what_makes_no_sense_leaves_nothing(
    untouched: Engine,
    write: Callable[..., None],
    changes: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        write(untouched, **changes)

    state = read_planning(untouched)
    assert state.needs.empty
    assert state.rules.empty
    assert state.rivals.empty
    assert state.audit.empty


def test_what_is_written_of_other_goods_states_so_in_row_and_trail(engine: Engine) -> None:
    publish_goods(engine)
    need = make_need(commodity=GOODS, destination="FRA")
    number = add_need(engine, need, actor=PLANNER, at=AT)
    short = make_rule(measure="shortfall", need_id=number, destination="")
    add_rule(engine, short, actor=PLANNER, at=AT, since=None)
    add_rule(engine, make_rule(commodity=GOODS), actor=PLANNER, at=AT, since=None)
    add_rule(engine, make_rule(), actor=PLANNER, at=AT, since=None)

    state = read_planning(engine)

    assert state.needs[["commodity", "destination"]].to_numpy().tolist() == [[GOODS, "FRA"]]
    assert state.rules[["commodity", "destination"]].to_numpy().tolist() == [
        [GOODS, "FRA"], [GOODS, "USA"], ["85051110", "USA"],
    ]  # fmt: skip
    assert [GOODS in result for result in state.audit["after"]] == [True, True, True, False]
