"""A small disk to fill, or one that cannot be written: mounted over a folder, for root alone."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Callable[[int], None]]:
    """Mount a small disk over a folder; yields how to leave only some kB free."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    answer = subprocess.run(  # noqa: S603
        ["/usr/bin/mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if answer.returncode:
        pytest.skip(f"no small disk can be mounted here: {answer.stderr}")
    subprocess.run(["/usr/bin/cp", "-a", f"{aside}/.", str(folder)], check=True)  # noqa: S603

    def leave(kilobytes: int) -> None:
        free = os.statvfs(folder)
        size = free.f_bavail * free.f_frsize - (kilobytes << 10)
        with (folder / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    try:
        yield leave
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", str(folder)], check=True)  # noqa: S603


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write below a folder."""
    with small_disk(folder, 40):
        command = ["/usr/bin/mount", "-o", "remount,ro", str(folder)]
        subprocess.run(command, check=True)  # noqa: S603
        yield
