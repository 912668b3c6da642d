"""``magnetcast config show``: settings and parameters with the sources of their values."""

from collections.abc import Iterator
from typing import Annotated, Final

import pandas as pd
from cyclopts import App, Parameter
from pydantic import SecretStr

from flows.cli.options import AsOf, Form, Out, ParametersFile, Sets, moment
from flows.context.output import write_result
from flows.context.parameter_sources import SourcedParameters, panel_parameters, parameters_for
from models.learning.parameters import PRESETS
from store.database import shown_address
from store.errors import DataError
from store.settings import Settings

_COLUMNS: Final = ("name", "value", "unit", "source", "meaning")

_UNITS: Final = {
    "_s": "seconds",
    "_pct": "percent",
    "_bytes": "bytes",
    "_per_s": "per second",
    "_seconds": "seconds",
    "threads": "threads",
}
"""Units of settings by the ending of their name."""

config = App(name="config")

Row = tuple[str, str, str, str, str]


@config.command(name="show")
def show_config(
    *,
    model: Annotated[
        str | None, Parameter(help="Only parameters of this model: magnets or panel.")
    ] = None,
    as_of: AsOf = None,
    set: Sets = None,
    parameters: ParametersFile = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """List every setting and parameter with its value, unit, source and meaning.

    A source is `default`, an environment variable, the champion, a parameter file or --set. With
    --set or --parameters it shows what `train` would use, or `panel` with --model panel.
    """
    settings, changes = Settings(), (parameters, set or ())
    if model not in {None, *PRESETS}:
        raise DataError(
            f"--model {model!r} is unknown. Expected {' or '.join(PRESETS)}. Use one of them."
        )
    rows = list(_settings(settings)) if model is None else []
    if model != "panel":
        rows += _parameters(parameters_for(settings, moment(as_of), *changes))
    if model == "panel" or (model is None and not any(changes)):
        rows += _parameters(panel_parameters(settings, *changes))
    write_result(pd.DataFrame(rows, columns=list(_COLUMNS)), out=out, form=format)


def _settings(settings: Settings) -> Iterator[Row]:
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "set" if value.get_secret_value() else ""
        elif value and name in {"database_url", "tracking_uri"}:
            value = shown_address(value)
        ends = [end for end in _UNITS if name.endswith(end)]
        unit = _UNITS[max(ends, key=len)] if ends else ""
        is_given = name in settings.model_fields_set
        source = f"MAGNETCAST_{name.upper()}" if is_given else "default"
        if name == "home":
            source = settings.home_source
        meaning = " ".join((field.description or "").split())
        yield name, "" if value is None else str(value), unit, source, meaning


def _parameters(sourced: SourcedParameters) -> Iterator[Row]:
    parameters = sourced.parameters
    for name, value in parameters.by_name.items():
        bounds, source = parameters.bounds()[name], sourced.sources.get(name, "default")
        yield f"{parameters.model}.{name}", str(value), bounds.unit, source, bounds.meaning
