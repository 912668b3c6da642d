"""How a job is recorded in Prefect: one run, named by job and as_of, with tags and its messages."""

import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import pandas as pd
from prefect import Flow, get_run_logger, tags, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import MissingContextError
from prefect.states import Completed

from flows.context.console import LOG
from flows.context.own_server import wait_until_ready
from store.digest_cache import DigestCache
from store.vocabulary import COMMODITY

_P = ParamSpec("_P")
_R = TypeVar("_R")

RUN_LOGS: Final = ("prefect.flow_runs", "prefect.task_runs")
"""Loggers of Prefect whose messages its pages show beside a run."""


class _OfRun(logging.Handler):
    """Copies messages on the terminal to the log of the Prefect run in progress."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(MissingContextError):
            get_run_logger().log(record.levelno, record.getMessage())


_HANDLER: Final = _OfRun()


class _JobFlow(Flow[_P, _R]):
    """A flow that records its parameters; of one that holds tables, only what it is."""

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return parameters as JSON; Prefect would write a backtest out number by number."""
        named = {
            name: f"<{type(value).__name__}>"
            for name, value in parameters.items()
            if any(isinstance(held, pd.DataFrame) for held in _held(value))
        }
        return super().serialize_parameters(parameters | named)


def _held(value: object) -> Iterator[object]:
    """Yield the values of a dataclass's fields."""
    for name in getattr(value, "__dataclass_fields__", ()):
        yield getattr(value, name)


def job_flow(
    name: str, *, run_name: str | Callable[[], str]
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Make a function a Prefect flow whose runs are found by job, moment and goods.

    Args:
        name: Of the flow.
        run_name: Name of a run, with the flow's parameters in braces, or what returns it.
    """
    _show_messages()

    def decorated(function: Callable[_P, _R]) -> Callable[_P, _R]:
        made = _JobFlow(function, name=name, flow_run_name=run_name, validate_parameters=False)
        signature = inspect.signature(function)

        @functools.wraps(function)
        def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            if folder := os.environ.get("PREFECT_HOME"):
                Path(folder).mkdir(parents=True, exist_ok=True)  # Prefect makes the last one only
            wait_until_ready()
            with tags(f"job:{name}", *_tags(given.arguments)):
                return made(*args, **kwargs)

        return called

    return decorated


def kept_step(name: str, cache: DigestCache, work: Callable[[], _R]) -> _R:
    """Do work as a Prefect task, whose state is ``Cached`` if all that it needs was kept by digest.

    Prefect's own cache is not used: it reads a result by the serializer that the file names.

    Args:
        name: Of the task.
        cache: Where what is computed of past moments is kept.
        work: Computes by way of the cache alone what takes long.
    """
    found: list[_R] = []

    def step() -> State | None:
        before = cache.computed
        found.append(work())
        if cache.computed > before:
            return None
        return Completed(name="Cached", message="All that it needs was kept by digest.")

    task(name=name, task_run_name=name, cache_policy=NO_CACHE)(step)()
    return found[0]


def _show_messages() -> None:
    """Send messages to Prefect's page of the run; the terminal has them already."""
    LOG.addHandler(_HANDLER)
    for name in RUN_LOGS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.propagate = False


MOST_TAGS: Final = 20
"""Goods named by tags; a run on thousands is found by its job and moment."""


def _tags(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield the moment and the goods, which are magnets where no configuration names others."""
    if "as_of" not in arguments:
        return
    yield f"as_of:{arguments['as_of']:%Y-%m-%d}"
    configs = arguments.get("configs", [arguments.get("config")])
    for one in configs[:MOST_TAGS]:
        yield f"goods:{one.published_as if one else COMMODITY}"
