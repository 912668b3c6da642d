"""Which Prefect server a command reports to, chosen before Prefect is loaded (docs/adr/0045).

While ``magnetcast up`` runs it is that server, else one of the command's own, which lasts as long
as the command. Both keep their runs in the project's home, never in the user's ``~/.prefect``; a
home that cannot be written leaves them in a temporary folder.
"""

import atexit
import http.client
import os
import shutil
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from urllib.parse import urlsplit

BY_HAND: Final = ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH")
"""Who has set one of these has chosen a server already."""

PROFILE: Final = "magnetcast"
OWN: Final = "ephemeral"
"""Prefect's own name for a server that lasts as long as the command."""

ANSWER_S: Final = 3.0
"""Seconds after which a server that took the connection counts as busy, not as gone."""


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """Where the runs of a home are recorded."""

    address: str
    """Of its API; empty for a server of the command's own."""
    message: str
    """Its line in `magnetcast status`."""
    is_own: bool = False
    """Whether a command that needs one starts its own."""
    is_lost: bool = False
    """Whether ``magnetcast up`` started one that does not answer."""


def prefect_folder(home: Path) -> Path:
    """Return the folder of Prefect's database, results and profile: ``PREFECT_HOME``."""
    return home.resolve() / "prefect"


def write_profile(home: Path, address: str) -> None:
    """Name the server of ``magnetcast up`` to every command of a home, ``prefect`` among them.

    Args:
        home: The home.
        address: Of the server's API.
    """
    folder = prefect_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profiles.toml").write_text(
        "# Written by `magnetcast up`, removed by `magnetcast down`.\n"
        f'active = "{PROFILE}"\n\n[profiles.{PROFILE}]\nPREFECT_API_URL = "{address}"\n\n'
        f'[profiles.{OWN}]\nPREFECT_SERVER_EPHEMERAL_ENABLED = "true"\n',
        encoding="utf-8",
    )


def remove_profile(home: Path) -> None:
    """Let commands have a server of their own again."""
    (prefect_folder(home) / "profiles.toml").unlink(missing_ok=True)


@cache
def choose_server(home: Path) -> PrefectServer:
    """Choose the server of this process and those that it starts, once; it may answer or not.

    Args:
        home: The home.
    """
    if named := [name for name in BY_HAND if os.environ.get(name)]:
        given = ", ".join(f"{name}={os.environ[name]}" for name in named)
        return PrefectServer(os.environ.get(named[0], ""), f"as set in the environment: {given}.")
    folder, address = prefect_folder(home), _address(home)
    if home.is_dir() and not os.access(home, os.W_OK):
        folder = Path(mkdtemp(prefix="magnetcast-prefect-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PREFECT_HOME"] = str(folder)
    if address and _answers(address):
        os.environ["PREFECT_API_URL"] = address
        return PrefectServer(
            address,
            f"{address.removesuffix('/api')}, started by `magnetcast up`. For the prefect command: "
            f"export PREFECT_HOME={folder}",
        )
    os.environ["PREFECT_PROFILE"] = OWN
    kept = f"each command records its runs in {folder} by a server of its own"
    if address:
        lost = f"the server of `magnetcast up`, {address}, does not answer; {kept}."
        return PrefectServer("", lost, is_own=True, is_lost=True)
    return PrefectServer("", f"{kept}, as `magnetcast up` does not run.", is_own=True)


def _address(home: Path) -> str:
    """Return the address that ``magnetcast up`` wrote; empty if it does not run."""
    try:
        text = (prefect_folder(home) / "profiles.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["profiles"][PROFILE]["PREFECT_API_URL"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _answers(address: str) -> bool:
    """Tell whether a Prefect server listens at an address."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=ANSWER_S)
    try:
        connection.request("GET", f"{parts.path}/health")
        return connection.getresponse().status == http.client.OK
    except TimeoutError:
        return True
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
