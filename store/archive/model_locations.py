"""Where the models of a restored MLflow database lie: below the new folder, or nowhere."""

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import column, select, table

from store.archive.database_contents import connected
from store.archive.database_copies import move_addresses
from store.errors import DataError, first_few

_VERSIONS = table("model_versions", column("version"), column("source"))

_DEPTH: Final = 3
"""Last parts of an address that are the same in every home: ``models/m-.../artifacts``."""


def settle_models(url: str, root: str, files: Path) -> None:
    """Point versions whose files lie outside a folder to their copy in it.

    A home that was copied by hand names the files of the home it was copied from.

    Args:
        url: SQLAlchemy address of MLflow's database.
        root: Address of the folder of the artifacts, as MLflow names it.
        files: Folder where the files lie now.

    Raises:
        DataError: The files of a version are not there.
    """
    missing = []
    for version, source in _outside(url, root):
        parts = source.split("/")
        own = "/".join(parts[-_DEPTH:])
        if (files / unquote(own)).is_dir():
            move_addresses(url, "/".join(parts[:-_DEPTH]), root)
        else:
            missing.append(f"version {version} in {source}")
    if missing:
        raise DataError(
            f"The archive does not hold the files of {first_few(missing)}. Expected the files of "
            "every registered model below its folder of artifacts. Nothing was restored. Copy "
            "them below MAGNETCAST_ARTIFACT_DIR where the backup was made and make another, or "
            "delete these versions in MLflow there."
        )


def _outside(url: str, root: str) -> list[tuple[int, str]]:
    """Return the versions whose files lie on a disk and not below the folder."""
    with connected(url) as connection:
        rows = connection.execute(select(_VERSIONS.c.version, _VERSIONS.c.source)).all()
    return [
        (int(row.version), str(row.source))
        for row in rows
        # MLflow keeps the row of a deleted version, with a source that is no address.
        if (urlsplit(str(row.source)).scheme == "file" or str(row.source).startswith("/"))
        and not str(row.source).startswith(f"{root}/")
    ]
