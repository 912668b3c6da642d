import os
from pathlib import Path

from flows.context.stores import store_of
from store.facts.reading import read_runs
from store.settings import PROJECT_ROOT
from tests.flows.conftest import AS_OF, Published, copied, environment
from tests.helpers import ended

RUN = "from flows.cli.command_line import main; main()"


def test_a_repeat_with_nothing_new_states_so_and_publishes_nothing(
    first_run: Published, data_dir: Path, tmp_path: Path
) -> None:
    there = copied(first_run, tmp_path / "place", data_dir)
    own = {**environment(there.folder, data_dir), "PREFECT_HOME": str(tmp_path / "prefect")}
    variables = {name: os.environ[name] for name in os.environ if not name.startswith("PREFECT_")}

    done = ended("-c", RUN, "run", "--as-of", AS_OF, cwd=PROJECT_ROOT, env={**variables, **own})

    assert done.returncode == 0, done.stderr
    assert "nothing new since the forecast of 2020-04-22; nothing was published" in done.stderr
    assert "Month" in done.stdout
    assert len(read_runs(store_of(there.settings))) == 1
    assert not (tmp_path / "prefect").exists()
