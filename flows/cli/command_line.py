"""Verbs by heading, and how their errors are shown.

A verb is imported only when it is called, because Prefect and MLflow take seconds to import. Its
line in ``magnetcast --help`` is read from the docstring in its file.
"""

import ast
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Group, Parameter
from rich.console import Console
from rich.text import Text

from flows.context.console import echo
from flows.context.library_defaults import set_defaults
from store.errors import DataError, SourceError, StoreError, first_few
from store.home import chosen_home

set_defaults()  # before a verb loads Prefect or MLflow

VERBS: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "Forecast": {"forecast_commands": ("run", "forecast", "backtest", "panel", "scenario")},
    "Explain": {"explain_commands": ("explain",)},
    "Data": {"ingest_commands": ("ingest",), "data_commands": ("data",)},
    "Models": {"model_commands": ("train", "promote", "rollback", "compare")},
    "Publish": {"publication_commands": ("publications", "site", "replay", "alerts")},
    "Service": {"serve_commands": ("serve",)},
    "Operate": {
        "operation_commands": ("up", "status", "backup", "restore", "home", "prune", "config")
    },
}
"""Verbs by heading of ``--help`` and module of this package."""

_FAMILIES: Final = {
    "config": "Show every setting and model parameter, its value, unit and source.",
    "ingest": "Load facts into the store; the bundled tables if no source is named.",
    "data": "Show what was ingested, refused or waits for review, and the evidence panel.",
    "publications": "List publications, check their digests, approve or reject held ones.",
    "home": "Migrate the database of an older version, or copy it to SQLite or PostgreSQL.",
}
"""Verbs that have verbs of their own."""

app: Final = App(
    name="magnetcast",
    help="Forecast China's monthly exports of rare-earth magnets by destination.",
    version=lambda: version("magnetcast"),
    default_parameter=Parameter(negative_iterable=()),  # no --empty-scope
    error_console=Console(stderr=True, highlight=False, soft_wrap=True),
    error_formatter=lambda err: Text(f"error: {err}"),
)


@cache
def _docstrings(module: str) -> dict[str, str]:
    """Docstrings of a module of this package by function, read without importing it."""
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {function.name: ast.get_docstring(function) or "" for function in functions}


def _register() -> None:
    for place, (heading, modules) in enumerate(VERBS.items()):
        group = Group(heading, sort_key=place)
        for module, names in modules.items():
            for name in names:
                function = name.replace("-", "_")
                line = _FAMILIES.get(name) or _docstrings(module)[function]
                place_of = f"{__package__}.{module}:{function}"
                app.command(place_of, name=name, help=line, group=group)
    app.register_install_completion_command(help="Make the shell complete verbs and options.")
    for option in ("--help", "--version", "--install-completion"):
        app[option].group = OPTIONS


OPTIONS: Final = Group("Options", sort_key=len(VERBS))


@app.meta.default
def _in_home(
    *words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    home: Annotated[
        Path | None,
        Parameter(
            help="Folder of all data; MAGNETCAST_HOME or the nearest home if left out.",
            group=OPTIONS,
        ),
    ] = None,
) -> None:
    with nullcontext() if home is None else chosen_home(home):
        app(words)


_register()


def main() -> None:
    """Run a command; an expected error becomes one message and exit code 1."""
    os.umask(0o077)  # everything in a home, logs and reports too, is readable by its owner only
    try:
        _check_words(sys.argv[1:])
        app.meta(sys.argv[1:])
    except (DataError, SourceError, StoreError) as err:
        echo(f"error: {err}")
        sys.exit(1)
    except MemoryError as err:
        echo(
            f"error: Memory ran out ({err}). Expected some 2 GB for a run, and 0.3 GB for each of "
            "MAGNETCAST_PROCESSES. Free some or set fewer; the forecast before it stands."
        )
        sys.exit(1)
    except OSError as err:
        echo(
            f"error: The operating system refused: {err}. Expected room on the disk and permission "
            "to read and write below MAGNETCAST_HOME and MAGNETCAST_ARTIFACT_DIR. "
            "See `magnetcast status`."
        )
        sys.exit(1)
    except KeyboardInterrupt:
        echo("stopped")
        sys.exit(130)  # as a shell counts SIGINT
    except Exception as err:
        message = _of_settings(err) or _of_database(err) or _of_prefect(err)
        if not message:
            raise
        echo(f"error: {message}")
        sys.exit(1)


def _check_words(words: Sequence[str]) -> None:
    for word in words:
        if word != word.encode(errors="replace").decode():
            raise DataError(
                f"{word!a} is not UTF-8 text. Expected words and file names in UTF-8. "
                "Rename the file, or choose a locale such as C.UTF-8. Nothing was done."
            )
    if "predict" in words[:3]:
        raise DataError("`magnetcast predict` is called forecast. Use `magnetcast forecast`.")
    verb = next((word for word in words if word in {"forecast", "backtest"}), None)
    if verb and any(word.partition("=")[0] == "--panel" for word in words):
        raise DataError(
            f"`magnetcast {verb}` has no option --panel. Expected `magnetcast panel FILE`, with "
            "--cutoffs for a backtest. Use that verb."
        )


def _of_settings(err: Exception) -> str:
    """Message about settings that cannot be used; empty for another error."""
    from pydantic import ValidationError

    if not isinstance(err, ValidationError) or err.title != "Settings":
        return ""
    wrong = [
        f"MAGNETCAST_{error['loc'][0]}".upper() + f": {error['msg']}" for error in err.errors()
    ]
    return f"The environment has settings that cannot be used. {first_few(wrong)}. Correct them."


def _of_database(err: Exception) -> str:
    from sqlite3 import Error

    from sqlalchemy.exc import DBAPIError

    if not isinstance(err, (Error, DBAPIError)):
        return ""
    return (
        f"A database failed ({getattr(err, 'orig', None) or err}). Expected an intact, writable "
        "database on a disk with room. See `magnetcast status`."
    )


def _of_prefect(err: Exception) -> str:
    is_ephemeral = isinstance(err, RuntimeError) and "ephemeral Prefect API server" in str(err)
    if not (is_ephemeral or _is_of_prefect(err)):
        return ""
    return (
        f"Prefect's server does not answer ({type(err).__name__}: {str(err)[:200]}). "
        "Expected one that runs as long as the job. Start it with `magnetcast up` and run again."
    )


def _is_of_prefect(err: BaseException | None) -> bool:
    """Tell whether a call to Prefect's API failed, and not one to a provider."""
    if "prefect" not in sys.modules:
        return False
    from httpx import HTTPStatusError, RequestError
    from prefect.settings import PREFECT_API_URL

    api = PREFECT_API_URL.value()
    while api and err is not None:
        if isinstance(err, HTTPStatusError | RequestError):
            with suppress(RuntimeError):  # it carries no request
                if str(err.request.url).startswith(api):
                    return True
        err = err.__cause__ or err.__context__
    return False
