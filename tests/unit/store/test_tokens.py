import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from store.planning.audit import (
    Actor,
    audited,
    create_token,
    digest_of,
    read_tokens,
    revoke_token,
    scopes_in_force,
)

from store.errors import DataError, TokenError
from store.schema.database_tables import tokens

AT = datetime(2026, 11, 25, tzinfo=UTC)


def test_a_token_is_reported_once_and_kept_as_a_digest(engine: Engine) -> None:
    token = create_token(engine, name="planner", scopes=["read"], at=AT)

    with engine.begin() as connection:
        (row,) = connection.execute(select(tokens)).all()
    assert re.fullmatch(r"mc_[\w-]{43}", token)
    assert token not in str(tuple(row))
    assert row.sha256 == digest_of(token)
    assert "sha256" not in read_tokens(engine)


def test_only_tokens_in_force_allow_anything(engine: Engine) -> None:
    first = create_token(engine, name="planner", scopes=["write", "read"], at=AT)
    second = create_token(engine, name="guest", scopes=["read"], at=AT)

    revoke_token(engine, 2, at=AT)

    assert scopes_in_force(engine, AT) == {digest_of(first): {"read", "write"}}
    assert digest_of(second) not in scopes_in_force(engine, AT)
    assert read_tokens(engine)["revoked_at"].notna().tolist() == [False, True]


def test_a_token_expires_after_a_year_or_the_days_given(engine: Engine) -> None:
    usual = digest_of(create_token(engine, name="planner", scopes=["write"], at=AT))
    brief = digest_of(create_token(engine, name="guest", scopes=["write"], at=AT, days=2))
    kept = [set(scopes_in_force(engine, AT + timedelta(days=days))) for days in (1, 2, 364, 365)]

    assert kept == [{usual, brief}, {usual}, {usual}, set()]
    with (
        pytest.raises(TokenError, match="not active"),
        audited(engine, Actor(digest=brief), at=AT + timedelta(days=2)),
    ):
        pass
    for days in (0, 3651):
        with pytest.raises(DataError, match=r"Expected 1 to 3650"):
            create_token(engine, name="planner", scopes=["read"], at=AT, days=days)


def test_what_is_revoked_or_unknown_cannot_be_revoked(engine: Engine) -> None:
    create_token(engine, name="planner", scopes=["read"], at=AT)
    revoke_token(engine, 1, at=AT)

    with pytest.raises(DataError, match=r"No token 1 to revoke .* there is none"):
        revoke_token(engine, 1, at=AT)
    with pytest.raises(DataError, match="No token 7 to revoke"):
        revoke_token(engine, 7, at=AT)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (" ", "'' as the name of a token"),
        ("name\u202egpj", "printable characters on one line"),
        ("na\u200bme", "printable characters on one line"),
        ("name\x1b[2J", "printable characters on one line"),
    ],
)
def test_a_token_needs_a_name(engine: Engine, name: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        create_token(engine, name=name, scopes=["read"], at=AT)
    assert read_tokens(engine).empty
