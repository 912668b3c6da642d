"""A role without rights to change the audit trail writes it all the same."""

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError
from store.planning.audit import create_token

from store.database import open_store, writing
from store.errors import StoreError
from store.settings import PROJECT_ROOT
from tests.data.builders import at

NOW = at("2026-11-27")


def run(engine: Engine, statement: str) -> None:
    with writing(engine) as connection:
        connection.execute(text(statement))


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
    finally:
        engine.dispose()
        run(owner, f"DROP OWNED BY {role}; DROP ROLE {role}")
        owner.dispose()
