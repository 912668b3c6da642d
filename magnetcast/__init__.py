"""The public Python API: ``import magnetcast as mc``.

Public: the names in ``__all__``. Not here: computation.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from flows.context.library_defaults import set_defaults
from store.errors import DataError

if TYPE_CHECKING:
    from flows.panels.forecast_files import compare_forecasts
    from flows.panels.frame_forecaster import Forecaster
    from magnetcast.model_inputs import features, panel
    from magnetcast.verbs import (
        backtest,
        compare,
        explain,
        forecast,
        promote,
        rollback,
        scenario,
        train,
    )

__all__ = [
    "DataError", "Forecaster", "backtest", "compare", "compare_forecasts", "explain", "features",
    "forecast", "panel", "promote", "rollback", "scenario", "train",
]  # fmt: skip


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> object:
    """A public name; its module is imported on first use, because MLflow takes seconds."""
    if name == "__version__":
        return version("magnetcast")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    set_defaults()
    if name == "Forecaster":
        from flows.panels.frame_forecaster import Forecaster  # noqa: PLC0415 - MLflow takes seconds

        return Forecaster
    if name == "compare_forecasts":
        from flows.panels.forecast_files import compare_forecasts  # noqa: PLC0415 - the same

        return compare_forecasts
    place = "model_inputs" if name in {"panel", "features"} else "verbs"
    try:
        return getattr(import_module(f"{__name__}.{place}"), name)
    except ModuleNotFoundError as err:
        raise DataError(
            f"mc.{name} needs {err.name}. Expected the packages of the forecasting system. "
            'Run `pip install "magnetcast[ops]"`.'
        ) from err
