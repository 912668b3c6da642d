import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from store.database import is_made, open_store, shown_address, writing
from store.errors import DataError, StoreError


@pytest.mark.slow
def test_processes_that_open_one_fresh_store_at_once_all_succeed(empty_url: str) -> None:
    code = "import sys; from store.database import open_store; open_store(sys.argv[1])"

    started = [
        subprocess.Popen(  # noqa: S603  # our own interpreter and literal code
            [sys.executable, "-c", code, empty_url], stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=600)[1] for process in started]

    assert [
        (process.returncode, error) for process, error in zip(started, errors, strict=True)
    ] == [(0, "")] * 4


def test_a_reader_keeps_its_state_while_a_writer_commits(engine: Engine) -> None:
    count = text("SELECT count(*) FROM labels")
    with engine.begin() as reader:
        before = reader.execute(count).scalar()
        with writing(engine) as writer:
            writer.execute(text("INSERT INTO labels VALUES (1, 'a', 'b', '2025-01-01')"))
        during = reader.execute(count).scalar()

    with engine.begin() as later:
        assert (before, during, later.execute(count).scalar()) == (0, 0, 1)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "Cannot open the database .* at 'nonsense'"),
        ("mysql://me:secret@host/db", r"no support for 'mysql'.* at mysql://me:\*\*\*@host/db"),
        ("sqlite:///{folder}/notes.txt", "file is not a database"),
        ("sqlite:///{folder}", "rights to read and write it"),  # root may open any file
        ("postgresql+psycopg://me:secret@127.0.0.1:1/db", r"at .*me:\*\*\*@127\.0\.0\.1:1/db"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_a_sentence_without_the_password(
    tmp_path: Path, url: str, message: str
) -> None:
    (tmp_path / "notes.txt").write_text("not a database at all, just a text file of some length")

    with pytest.raises(StoreError, match=message):
        open_store(url.format(folder=tmp_path))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:secret@host/db", "postgresql+psycopg://me:***@host/db"),
        ("sqlite:///var/magnetcast.db", "sqlite:///var/magnetcast.db"),
        (
            "postgresql://host/db?password=secret&user=me",
            "postgresql://host/db?password=hidden&user=me",
        ),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert shown_address(url) == shown


def test_a_database_of_another_program_is_left_as_it_is(empty_url: str) -> None:
    other = create_engine(empty_url)
    with other.begin() as connection:
        connection.execute(text("CREATE TABLE notes (id INTEGER)"))

    assert is_made(empty_url)
    with pytest.raises(StoreError, match=r"another program.* MAGNETCAST_DATABASE_URL\)"):
        open_store(empty_url)

    assert inspect(other).get_table_names() == ["notes"]
    other.dispose()


def test_an_address_of_postgresql_needs_no_driver_named(postgres_url: str) -> None:
    engine = open_store(postgres_url.replace("postgresql+psycopg", "postgresql"))

    assert engine.driver == "psycopg"
    engine.dispose()


def test_a_number_beyond_the_database_is_refused_in_a_sentence(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")

    with (
        engine.connect() as connection,
        pytest.raises(DataError, match="beyond 9223372036854775807"),
    ):
        connection.execute(
            text("SELECT id FROM publications WHERE id = :number"), {"number": 2**63}
        )
    engine.dispose()
