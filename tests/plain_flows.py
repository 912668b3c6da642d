"""Flows as plain functions: most tests ask what a flow does, few what Prefect does with it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import pytest
from prefect import Flow, Task
from prefect.settings import PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings


def call(self: Any, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - a flow or a task
    """Call the function of a flow or a task."""
    return self.fn(*args, **kwargs)


PLAIN: Final[Mapping[object, Mapping[str, Callable[..., object]]]] = {
    Flow: {"__call__": call},
    Task: {"__call__": call},
}
REAL: Final = {
    one: {name: getattr(one, name) for name in methods} for one, methods in PLAIN.items()
}


@contextmanager
def _flows_of(
    replaced: Mapping[object, Mapping[str, Callable[..., object]]], *, ephemeral: bool
) -> Iterator[None]:
    with (
        pytest.MonkeyPatch.context() as patch,
        temporary_settings({PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: ephemeral}),
    ):
        for one, methods in replaced.items():
            for name, method in methods.items():
                patch.setattr(one, name, method)
        yield


def plain_flows() -> AbstractContextManager[None]:
    """Let flows and tasks be functions: whoever asks Prefect for a server gets an error."""
    return _flows_of(PLAIN, ephemeral=False)


def real_flows() -> AbstractContextManager[None]:
    """Let Prefect run flows and tasks, also where ``plain_flows`` holds."""
    return _flows_of(REAL, ephemeral=True)
