"""Options of the whole test run, stores on both databases, providers on the loopback."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings as examples
from sqlalchemy import URL, create_engine, make_url, text

from flows.context.library_defaults import set_defaults
from store.database import open_store
from store.settings import Settings
from tests.helpers import settings_in
from tests.made_once import made_once
from tests.providers.server import Providers, small_world

POSTGRES = "MAGNETCAST_TEST_POSTGRES"
"""Names the variable with the address of a PostgreSQL server that tests may make databases on."""

SAMPLES = "MAGNETCAST_SAMPLES"
"""Names the variable with the folder of recorded answers, which are not part of the project."""

set_defaults()  # before a test loads Prefect or MLflow
os.environ.setdefault("MAGNETCAST_PROCESSES", "1")  # the workers of a test run fill the machine

examples.register_profile("full", max_examples=50, derandomize=True, deadline=None)
examples.register_profile("quick", examples.get_profile("full"), max_examples=10)
examples.load_profile("full")

BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.slow))
"""The databases that a store may be on."""

LONGEST = (
    "docs/test_commands.py", "flows/training/test_promote.py", "publication/test_site.py",
    "flows/publishing/test_releases.py", "flows/cli/test_run_command.py",
    "publication/test_pages_and_files_agree.py", "flows/cli/test_ingest_commands.py",
    "flows/publishing/test_run.py", "faults/test_kills.py", "flows/test_up.py",
    "unit/models/registry/test_model_registry.py", "flows/cli/test_command_line.py",
    "flows/publishing/test_publications.py", "service/test_serve.py",
    "property/test_scenarios.py", "flows/training/test_fallback_chain.py",
    "flows/publishing/test_run_table.py", "faults/test_store.py", "faults/test_moments.py",
    "flows/publishing/test_run_many.py", "flows/cli/test_explain_commands.py",
    "flows/training/test_predict.py", "replay/test_april_2025.py", "property/test_time_honesty.py",
    "unit/models/engine/test_fitted_panel.py", "publication/test_site_in_browser.py",
    "service/test_what_if_in_browser.py", "property/test_hostile_input.py", "docs/test_pages.py",
    "publication/test_charts.py",
)  # fmt: skip
"""Files that take long, about the longest first: who begins with them ends with short ones, and no
worker of the test run is left alone with a long one. The first do not ask for the same things."""

ALL_SLOW = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.slow", re.MULTILINE)
"""The line of a file whose tests are all slow."""


@pytest.fixture(scope="session")
def postgres_server() -> URL:
    """Address of a PostgreSQL server; without one the test is skipped."""
    address = os.environ.get(POSTGRES)
    if not address:
        pytest.skip(f"{POSTGRES} names no PostgreSQL server; .ci/postgres starts one")
    return make_url(address)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: URL) -> Iterator[URL]:
    """Address of an empty, migrated database, to be copied and never opened."""
    with database_on(postgres_server) as address:
        open_store(shown(address)).dispose()
        yield address


@pytest.fixture
def empty_postgres(postgres_server: URL) -> Iterator[str]:
    """Address of a database of this test's own, without any table."""
    with database_on(postgres_server) as address:
        yield shown(address)


@pytest.fixture
def postgres_url(postgres_server: URL, postgres_template: URL) -> Iterator[str]:
    """Address of a migrated database of this test's own."""
    with database_on(postgres_server, template=postgres_template.database) as address:
        yield shown(address)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database, to be copied and never opened."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    open_store(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture(params=BOTH)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a migrated store of this test's own, on either database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    path = tmp_path / "deep" / "store.db"
    path.parent.mkdir()
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    return f"sqlite:///{path}"


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a database without any table, on either database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return str(request.getfixturevalue("empty_postgres"))


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One Prefect server for a worker of the test run, whatever folders its tests are in."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings  # noqa: PLC0415 - seconds
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415 - seconds

    # A flow with a heartbeat waits a second at its end for the thread that beats.
    with (
        prefect_test_harness(server_startup_timeout=600),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture
def real_flows() -> Iterator[None]:
    """Let Prefect run the flows of a test; without, they are plain functions."""
    from tests.plain_flows import real_flows as real  # noqa: PLC0415 - seconds

    with real():
        yield


@pytest.fixture
def prefect_api(prefect_server: None, real_flows: None) -> None:
    """Let Prefect run the flows of a test, with the worker's server."""


@pytest.fixture
def magnetcast(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return a caller of the command line: exit code, stdout, stderr."""

    from flows.cli import command_line  # noqa: PLC0415 - seconds

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["magnetcast", *words])
        capsys.readouterr()
        try:
            command_line.main()
        except SystemExit as end:
            code = int(end.code or 0)
        else:
            code = 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a migrated MLflow database without runs; one for all workers, only copied."""
    from models.registry import runs  # noqa: PLC0415 - seconds

    def fill(folder: Path) -> None:
        folder.mkdir()
        runs.connect(settings_in(folder))

    return made_once(tmp_path_factory, "mlflow", fill)


@contextmanager
def database_on(server: URL, *, template: str | None = None) -> Iterator[URL]:
    """Make a database on a server and drop it afterwards."""
    name = f"magnetcast_test_{uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            like = f" TEMPLATE {template}" if template else ""
            connection.execute(text(f"CREATE DATABASE {name}{like}"))
        yield server.set(database=name)
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        admin.dispose()


def shown(address: URL) -> str:
    """Return an address as text, password and all."""
    return address.render_as_string(hide_password=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-network",
        action="store_true",
        help="also run the tests that call the providers' real addresses",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over a file of slow tests alone where none of these run: its imports take seconds."""
    if config.getoption("markexpr") != "not slow" or collection_path.suffix != ".py":
        return None
    return True if ALL_SLOW.search(collection_path.read_text(encoding="utf-8")) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    place = {tests / name: number for number, name in enumerate(LONGEST)}
    if gone := [path.name for path in place if not path.exists()]:
        raise pytest.UsageError(f"LONGEST in tests/conftest.py names {gone}, which is not there")
    items.sort(key=lambda item: place.get(item.path, len(place)))
    if config.getoption("--run-network"):
        return
    for item in items:
        if "network" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="calls the network; pass --run-network"))


@pytest.fixture
def providers() -> Iterator[Providers]:
    """Serve all providers over two years of a small world."""
    with Providers(small_world()) as served:
        yield served


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of recorded answers and files of providers; without one the test is skipped."""
    folder = os.environ.get(SAMPLES)
    if not folder:
        pytest.skip(f"{SAMPLES} names no folder of recorded answers (tests/README.md)")
    return Path(folder)


@pytest.fixture
def live_settings(providers: Providers, tmp_path: Path) -> Settings:
    """Return settings that point every source at the served providers."""
    return Settings(home=tmp_path / "var", **providers.urls())
