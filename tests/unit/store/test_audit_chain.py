"""The audit trail cannot be rewritten unnoticed, even by whoever owns the database."""

import re
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, make_url, text, update
from sqlalchemy.exc import DBAPIError

from store.database import migration_config, open_store, writing
from store.errors import DataError, StoreError
from store.planning.audit import create_token
from store.planning.audit_chain import ChainHead, chain_damage, chain_head, link
from store.planning.overrides import read_planning
from store.schema.planning_tables import audit
from store.settings import PROJECT_ROOT
from tests.data.builders import at

NOW = at("2026-11-27")
FORGED = (
    "REPLACE INTO audit (id, at, actor, action, object, before, after, sha256) "
    "SELECT id, at, 'eve', action, object, before, after, sha256 FROM audit WHERE id = 1"
)


@pytest.fixture
def trail(engine: Engine) -> Engine:
    """A store with three rows of the trail."""
    for name in ("ann", "bob", "cem"):
        create_token(engine, name=name, scopes=["read"], at=NOW, actor=name)
    return engine


def disarm(engine: Engine) -> None:
    """Do as an owner of the database can: take away what refuses changes."""
    with writing(engine) as connection:
        if engine.name == "postgresql":
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        else:
            for name in ("update", "delete", "replace"):
                connection.execute(text(f"DROP TRIGGER audit_no_{name}"))


def run(engine: Engine, statement: str) -> None:
    with writing(engine) as connection:
        connection.execute(text(statement))


def test_replace_cannot_rewrite_a_row(trail: Engine) -> None:
    if trail.name != "sqlite":
        pytest.skip("REPLACE is SQLite's")

    with pytest.raises(DBAPIError, match="only grows"):
        run(trail, FORGED)

    assert read_planning(trail).audit["actor"].tolist() == ["ann", "bob", "cem"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET actor = 'eve' WHERE id = 1",
        "UPDATE audit SET at = (SELECT at FROM audit WHERE id = 1), token_id = 7 WHERE id = 2",
        "DELETE FROM audit WHERE id = 2",
    ],
)
def test_a_change_by_an_owner_shows(trail: Engine, change: str) -> None:
    assert chain_damage(trail) == ""
    disarm(trail)

    run(trail, change)

    assert "was changed or removed" in chain_damage(trail)


def test_a_trail_chained_anew_shows_beside_the_head_of_a_backup(trail: Engine) -> None:
    head = ChainHead.read(str(chain_head(trail)))
    assert chain_damage(trail, head) == ""
    disarm(trail)

    rows, digest = read_planning(trail).audit.assign(actor="eve"), ""
    for row in rows.to_dict("records"):
        plain = {**{str(k): v for k, v in row.items()}, "token_id": None}
        digest = link(digest, plain)
        with writing(trail) as connection:
            forged = update(audit).where(audit.c.id == row["id"])
            connection.execute(forged.values(actor="eve", sha256=digest))

    assert chain_damage(trail) == ""
    assert "it was rewritten or cut" in chain_damage(trail, head)


def test_rows_cut_off_at_the_end_show_beside_the_head_of_a_backup(trail: Engine) -> None:
    head = chain_head(trail)
    disarm(trail)

    run(trail, "DELETE FROM audit WHERE id = 3")

    assert chain_damage(trail) == ""
    assert "it was rewritten or cut" in chain_damage(trail, head)


def test_rows_of_an_older_release_are_chained_when_it_is_opened(empty_url: str) -> None:
    plain = create_engine(empty_url)
    with plain.begin() as connection:
        command.upgrade(migration_config(connection), "0016")
        connection.execute(
            text(
                "INSERT INTO audit (at, actor, action, object, before, after) VALUES "
                "('2026-11-01T10:00:00.000000Z', 'ann', 'create', 'need 1', '', '{}')"
            )
        )
    plain.dispose()

    engine = open_store(empty_url)

    assert chain_head(engine).number == 1
    assert chain_damage(engine) == ""
    create_token(engine, name="n", scopes=["read"], at=NOW)
    assert chain_damage(engine) == ""
    engine.dispose()


@pytest.mark.slow
def test_the_documented_role_writes_the_trail_and_cannot_change_it(
    empty_postgres: str, tmp_path: Path
) -> None:
    owner = open_store(empty_postgres)
    role = f"app_{abs(hash(tmp_path)) % 10**8}"
    page = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    run(owner, block.replace("magnetcast_app", role).replace("choose one", role))
    url = make_url(empty_postgres).set(username=role, password=role)
    engine = open_store(url.render_as_string(hide_password=False))
    try:
        create_token(engine, name="ann", scopes=["read"], at=NOW, actor="ann")
        for change in (
            "UPDATE audit SET actor = 'eve'",
            "DELETE FROM audit",
            "TRUNCATE audit",
            "ALTER TABLE audit DISABLE TRIGGER ALL",
            "DROP TABLE audit",
        ):
            with pytest.raises((DBAPIError, StoreError), match=r"permission denied|must be owner"):
                run(engine, change)
        assert chain_damage(engine) == ""
    finally:
        engine.dispose()
        run(owner, f"DROP OWNED BY {role}; DROP ROLE {role}")
        owner.dispose()


def test_a_head_is_read_as_it_is_written() -> None:
    assert ChainHead.read(" 3:" + "a" * 64 + "\n") == ChainHead(3, "a" * 64)
    with pytest.raises(DataError, match="no head of the audit trail"):
        ChainHead.read("latest")
