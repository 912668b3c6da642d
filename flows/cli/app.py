"""The command line: which verbs there are, under which heading, and how errors are shown.

A verb is imported only when it is called; its line in ``magnetcast --help`` is read from the
docstring in its file, for Prefect and MLflow take seconds to import.
"""

import ast
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from cyclopts import App, Group

from flows.context.console import echo
from flows.context.library_defaults import set_defaults
from store.errors import DataError, SourceError, StoreError

set_defaults()  # before a verb loads Prefect or MLflow

VERBS: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "Forecast": {
        "forecast_commands": ("run", "predict", "backtest"),
        "scenario_commands": ("scenario", "recovery"),
    },
    "Explain": {
        "explain_commands": ("explain", "attribute", "gaps"),
        "scenario_commands": ("diversion",),
    },
    "Data": {
        "ingest_commands": ("ingest",),
        "data_commands": ("review", "quarantine", "vintages", "diff", "panel", "partition"),
    },
    "Models": {
        "publication_commands": ("train", "promote", "rollback"),
        "model_commands": ("compare",),
    },
    "Publish": {"publication_commands": ("publications", "replay", "alerts")},
    "Service": {"operation_commands": ("serve", "token")},
    "Operate": {
        "operation_commands": ("up", "down", "status", "backup", "restore", "prune"),
        "config_commands": ("config",),
    },
}
"""Verbs by heading of ``--help`` and module of this package."""

FAMILIES: Final = {
    "config": "Show every setting and model parameter, its value, unit and source.",
    "ingest": "Load facts into the store; the bundled tables if no source is named.",
    "review": "List, accept or reject documents that may be policy events.",
    "quarantine": "List or release files that the data checks refused.",
    "publications": "List publications, check their digests, approve or reject held ones.",
    "token": "Create, list or revoke access tokens of the service.",
}
"""Verbs that have verbs of their own."""

app: Final = App(
    name="magnetcast",
    help="Forecast China's monthly exports of rare-earth magnets by destination.",
    version=lambda: version("magnetcast"),
)


@cache
def _docstrings(module: str) -> dict[str, str]:
    """Return the docstring of each function of a module of this package, without importing it."""
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {one.name: ast.get_docstring(one) or "" for one in functions}


def _register() -> None:
    for place, (heading, modules) in enumerate(VERBS.items()):
        group = Group(heading, sort_key=place)
        for module, names in modules.items():
            for name in names:
                line = FAMILIES.get(name) or _docstrings(module)[name]
                app.command(f"{__package__}.{module}:{name}", name=name, help=line, group=group)
    app["--help"].group = app["--version"].group = Group("Options", sort_key=len(VERBS))


_register()


def main() -> None:
    """Run a command; a known error becomes one message and exit code 1."""
    try:
        app()
    except (DataError, SourceError, StoreError) as err:
        echo(f"error: {err}")
        sys.exit(1)
    except OSError as err:
        echo(
            f"error: The operating system refused: {err}. Expected room on the disk and permission "
            "to read and write below MAGNETCAST_HOME and MAGNETCAST_ARTIFACT_DIR. "
            "See `magnetcast status`."
        )
        sys.exit(1)
    except Exception as err:
        if not _is_of_prefect(err):
            raise
        echo(
            f"error: Prefect's server does not answer ({type(err).__name__}: {str(err)[:200]}). "
            "Expected one that lasts as long as the run. `magnetcast up` starts it; then run again."
        )
        sys.exit(1)


def _is_of_prefect(err: BaseException | None) -> bool:
    """Tell whether Prefect's client, which speaks by httpx, could not reach its server."""
    while err is not None:
        if type(err).__module__.split(".")[0] in {"httpx", "httpcore"}:
            return True
        err = err.__cause__ or err.__context__
    return False
