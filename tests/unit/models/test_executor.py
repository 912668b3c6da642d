import os
import time
from functools import partial
from pathlib import Path

import pytest

from models.executor import Executor
from store.errors import DataError
from tests.helpers import ended

pytestmark = pytest.mark.slow

TWO = Executor(processes=2, items_per_process=1)


def squared(folder: Path, item: int) -> tuple[int, int]:
    """Return the square and who made it; the first waits until another process made one."""
    while item == 0 and not list(folder.iterdir()):
        time.sleep(0.01)
    if item > 0:
        (folder / str(item)).touch()
    return item**2, os.getpid()


def refused(item: int) -> int:
    if item == 3:
        raise DataError("three")
    return item


def lost(own: int, item: int) -> int:
    if os.getpid() != own:
        os._exit(1)
    return item


def test_results_come_in_the_order_of_the_items_from_this_process_and_others(
    tmp_path: Path,
) -> None:
    found = list(TWO.map(partial(squared, tmp_path), range(20), "items"))

    assert [square for square, _ in found] == [item**2 for item in range(20)]
    makers = [maker for _, maker in found]
    assert makers[0] == os.getpid() != makers[-1]


def test_what_another_process_refuses_is_refused_here() -> None:
    with pytest.raises(DataError, match="three"):
        list(TWO.map(refused, range(4), "items"))


def slowly_refused(item: int) -> int:
    time.sleep(0.1)
    return refused(item - 27)


def test_an_error_in_the_middle_ends_the_command_and_its_processes() -> None:
    command = (
        f"from {__name__} import TWO, slowly_refused\n"
        "list(TWO.map(slowly_refused, range(60), 'items'))"
    )

    answer = ended("-c", command, timeout=60)

    assert answer.returncode == 1
    # loky's tracker can write a line behind it: of a semaphore that the command had removed
    assert "store.errors.DataError: three" in answer.stderr.splitlines()


def test_a_process_that_is_lost_costs_its_work_alone() -> None:
    assert list(TWO.map(partial(lost, os.getpid()), range(8), "items")) == list(range(8))
