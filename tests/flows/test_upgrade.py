"""Homes that older versions made, opened by this one.

Those in tests/data/homes are ``magnetcast backup`` and ``pg_dump --inserts`` of 0.1.0 (5cefcbc8)
after its ``magnetcast run --as-of 2020-04-22`` on the tables of the fixture ``data_dir``.
"""

import lzma
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from flows.backup import restore
from flows.context.stores import store_of
from flows.run import run
from models.registry.champions import read_champions
from models.registry.stored_model import MODEL
from publication.planning.planning_file import FILE, read_planning_file
from store.archive import extract_archive
from store.database import open_store, revision_of
from store.errors import OldSchemaError, StoreError
from store.publications.integrity import read_publications, tampered
from store.publications.publication_rows import read_promotions
from store.schema.database_tables import REVISION, metadata, schema_version
from store.settings import Settings
from store.upgrade import upgrade
from tests.conftest import BOTH
from tests.data.builders import at
from tests.flows.conftest import AS_OF, LATER, Call, environment, settings_of

HOMES = Path(__file__).parents[1] / "data" / "homes"

OLD = "0001: Number the schema in schema_version instead of marking its digest in schema_mark."
"""The change that a home of 0.1.0 waits for."""

TRIGGERS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name",
    "postgresql": "SELECT tgname, pg_get_triggerdef(t.oid), prosrc FROM pg_trigger t "
    "JOIN pg_proc p ON p.oid = tgfoid WHERE NOT tgisinternal ORDER BY tgname",
}


@pytest.fixture
def old_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a home with the database that 0.1.0 made."""
    extract_archive(HOMES / "0.1.0.tar.gz", tmp_path / "archive")
    (tmp_path / "var").mkdir()
    (tmp_path / "archive" / "magnetcast.db").rename(tmp_path / "var" / "magnetcast.db")
    monkeypatch.setenv("MAGNETCAST_HOME", str(tmp_path / "var"))
    return Settings()


@pytest.fixture(params=BOTH)
def old_url(request: pytest.FixtureRequest) -> str:
    """Address of a database that 0.1.0 made, on either database."""
    if request.param == "sqlite":
        return request.getfixturevalue("old_home").url
    return old_postgres(request)


def old_postgres(request: pytest.FixtureRequest) -> str:
    url = str(request.getfixturevalue("empty_postgres"))
    dump = lzma.decompress((HOMES / "0.1.0.sql.xz").read_bytes()).decode()
    lines = [line for line in dump.splitlines() if not line.startswith("\\")]  # for psql
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.connection.driver_connection.execute("\n".join(lines))
    engine.dispose()
    return url


def revision_at(url: str) -> str | None:
    engine = create_engine(url)
    with engine.connect() as connection:
        revision = revision_of(connection)
    engine.dispose()
    return revision


def differences(connection: Connection) -> list[object]:
    """What Alembic would still change of a database's tables."""
    options = {
        "version_table": schema_version.name,
        "compare_server_default": True,
        "include_name": lambda name, kind, _: (kind, name) != ("table", schema_version.name),
    }
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


@pytest.mark.slow
def test_a_home_of_the_version_before_is_restored_verified_and_published_from(
    data_dir: Path, tmp_path: Path
) -> None:
    settings = settings_of(environment(tmp_path, data_dir))

    manifest = restore(settings, HOMES / "0.1.0.tar.gz")
    engine = store_of(settings)
    before = read_publications(engine)
    outcome = run(settings, at(LATER))

    assert manifest["version"] == "0.1.0"
    champions = read_champions(settings, engine, MODEL)
    assert [champion.version for champion in champions.in_force] == [1, 2]
    assert set(outcome.forecasts["status"]) == {"champion"}
    assert outcome.fallback == ""
    assert outcome.is_new
    assert not outcome.held
    days = [list(frame["as_of"].dt.strftime("%F")) for frame in (before, read_publications(engine))]
    assert days == [[AS_OF], [AS_OF, LATER]]
    assert tampered(engine, settings.publications_dir) == ()
    folders = settings.publications_dir / "85051110"
    assert {path.name for path in folders.iterdir()} == {
        str(n) for n in read_publications(engine)["id"]
    }
    assert (settings.home / "site/index.html").is_file()


def test_a_migrated_store_has_tables_and_triggers_of_a_new_one(
    old_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    is_file = old_url.startswith("sqlite")
    new_url = f"sqlite:///{tmp_path / 'n.db'}"
    if not is_file:
        new_url = str(request.getfixturevalue("postgres_url"))

    assert upgrade(old_url, None)[0] == OLD

    new, old = open_store(new_url), open_store(old_url)
    shown = []
    for engine in (new, old):
        with engine.connect() as connection:
            triggers = connection.execute(text(TRIGGERS[engine.name])).all()
            shown.append((differences(connection), triggers))
            connection.execute(text("CREATE TABLE more (id INTEGER)"))
            assert len(differences(connection)) == 1
            connection.rollback()
        assert tampered(engine, tmp_path / "publications") == ()
    [champion] = read_promotions(old, MODEL)
    assert (champion.version, champion.as_of[:10]) == (1, AS_OF)
    new.dispose()
    old.dispose()
    assert shown[0] == shown[1]
    assert shown[0][0] == []


PLANNED = (
    "INSERT INTO needs (id, name, commodity, destination, period_from, period_to, tonnes, stock, "
    "lead_days, author, created_at, ended_at) VALUES "
    "(1, 'plant', '85051110', 'USA', '2026-12-01', '2027-02-01', 9.5, 3, 30, 'ann', "
    "'2026-11-20 00:00:00.000000', NULL), "
    "(2, 'plant', '85051110', 'DEU', '2026-12-01', '2027-02-01', 5, 0, 0, 'ann', "
    "'2026-11-20 00:00:00.000000', NULL), "
    "(3, 'gone', '85051110', 'DEU', '2026-12-01', '2027-02-01', 5, 0, 0, 'ann', "
    "'2026-11-20 00:00:00.000000', '2026-11-21 00:00:00.000000')"
)
RULED = (
    "INSERT INTO alert_rules (id, uid, name, measure, points, need_id, destination, commodity, "
    "author, created_at, since, ended_at) VALUES "
    "(1, 'a', 'short', 'shortfall', 10, 1, '', '85051110', 'ann', '2026-11-20 00:00:00.000000', "
    "NULL, NULL), "
    "(2, 'b', 'level', 'median', 5, NULL, 'USA', '85051110', 'ann', '2026-11-20 00:00:00.000000', "
    "NULL, NULL)"
)


@pytest.mark.parametrize("is_there", [False, True], ids=["first", "beside one"])
def test_needs_and_rules_in_force_go_to_the_planning_file_and_their_tables_go(
    old_url: str, tmp_path: Path, *, is_there: bool
) -> None:
    folder = tmp_path / "firm"
    folder.mkdir()
    if is_there:
        (folder / FILE).write_text("needs: []\n")
    engine = create_engine(old_url)
    with engine.begin() as connection:
        for statement in (PLANNED, RULED):
            connection.execute(text(statement))
    engine.dispose()

    upgrade(old_url, None, folder)

    if is_there:
        assert (folder / FILE).read_text() == "needs: []\n"
        (folder / "planning-before-0.2.yaml").rename(folder / FILE)
    planning = read_planning_file(folder)
    assert [(need.name, need.destination, need.tonnes, need.stock, need.lead_days)
            for need in planning.needs] == [
        ("plant", "USA", 9.5, 3.0, 30), ("plant 2", "DEU", 5.0, 0.0, 0),
    ]  # fmt: skip
    assert str(planning.needs[0].counted_on) == "2026-11-20"
    assert [(rule.measure, rule.need, rule.destination) for rule in planning.alert_rules] == [
        ("shortfall", "plant", None), ("median", None, "USA"),
    ]  # fmt: skip
    engine = open_store(old_url)
    gone = {"needs", "alert_rules", "audit", "tokens", "rival_forecasts"}
    assert not gone & {*inspect(engine).get_table_names()}
    engine.dispose()


@pytest.mark.slow
def test_processes_that_find_an_old_store_at_once_migrate_it_once(
    old_url: str, tmp_path: Path
) -> None:
    code = (
        "import sys; from pathlib import Path; from store.upgrade import upgrade; "
        "print(bool(upgrade(sys.argv[1], Path(sys.argv[2]))))"
    )
    command = [sys.executable, "-c", code, old_url, str(tmp_path / "copy")]

    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]  # noqa: S603
    answers = sorted(process.communicate(timeout=600)[0] for process in started)

    assert answers == ["False\n"] * 3 + ["True\n"]
    assert revision_at(old_url) == REVISION


@pytest.mark.slow
def test_a_postgresql_database_is_dumped_before(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = old_postgres(request)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StoreError, match="Expected pg_dump of the server"):
        upgrade(url, tmp_path / "copy")
    assert revision_at(url) == "0000"
    monkeypatch.undo()

    upgrade(url, tmp_path / "copy")

    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0
    listing = subprocess.run(  # noqa: S603
        ["pg_restore", "--list", str(tmp_path / "copy")],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "TABLE DATA public schema_mark" in listing
    assert "TABLE DATA public forecasts" in listing


def test_verbs_that_read_an_old_home_say_what_to_run_and_change_nothing(
    old_home: Settings, magnetcast: Call
) -> None:
    code, _, err = magnetcast("publications", "list")
    shown = magnetcast("home", "upgrade", "--dry-run")

    assert code == 1
    assert f"its schema is 0000. Expected {REVISION}. Run `magnetcast home upgrade`" in err
    assert shown[0] == 0
    assert shown[2].startswith(f"upgrade   would change {OLD}\n")
    assert revision_at(old_home.url) == "0000"


@pytest.mark.parametrize("words", ["home upgrade", "publications reject 1 --reason none"])
def test_verbs_that_write_copy_and_migrate_an_old_home(
    old_home: Settings, magnetcast: Call, words: str
) -> None:
    copy = old_home.backups_dir / f"before-schema-{REVISION}.db"

    _, _, err = magnetcast(*words.split())

    assert f"upgrade   changed {OLD}\n" in err
    assert f"upgrade   the database as it was: {copy}\n" in err
    assert revision_at(f"sqlite:///{copy}") == "0000"
    assert revision_at(old_home.url) == REVISION
    assert magnetcast("home", "upgrade")[2] == (
        "upgrade   nothing to do: the database has the newest schema\n"
    )


def test_an_old_home_that_cannot_be_copied_is_not_migrated(
    old_home: Settings, magnetcast: Call
) -> None:
    old_home.backups_dir.touch()

    code, _, err = magnetcast("home", "upgrade")

    assert code == 1
    assert "backups" in err
    assert revision_at(old_home.url) == "0000"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE schema_version SET version_num = '0099'", "newer version.* schema is 0099"),
        ("DROP TABLE schema_version", "another program, or of a version before 0.1.0"),
        (
            "DROP TABLE schema_version; CREATE TABLE schema_mark AS SELECT 'another' AS revision",
            "another program, or of a version before 0.1.0",
        ),
    ],
    ids=["newer", "no mark", "mark of a version before"],
)
def test_a_store_of_an_unknown_schema_is_refused(store_url: str, change: str, message: str) -> None:
    engine = create_engine(store_url)
    with engine.begin() as connection:
        for statement in change.split(";"):
            connection.execute(text(statement))
    engine.dispose()

    assert upgrade(store_url, None) == []
    with pytest.raises(StoreError, match=message) as refusal:
        open_store(store_url)
    assert not isinstance(refusal.value, OldSchemaError)
