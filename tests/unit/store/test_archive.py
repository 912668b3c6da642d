import io
import tarfile
from pathlib import Path

import pytest

from store.archive import DIGEST_LIST, copy_sqlite, extract_archive, sqlite_damage, write_archive
from store.database import open_store
from store.errors import DataError, StoreError


def tar_of(path: Path, name: str, kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        header = tarfile.TarInfo(name)
        header.type, header.linkname = kind, "/etc/passwd"
        tar.addfile(header, io.BytesIO(b""))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of one file."""
    (tmp_path / "content").write_bytes(bytes(range(256)) * 20_000)
    write_archive(tmp_path / "a.tar.gz", {"deep/content": tmp_path / "content"})
    return tmp_path / "a.tar.gz"


def test_an_archive_gives_back_its_files_and_is_for_its_owner_alone(
    archive: Path, tmp_path: Path
) -> None:
    extract_archive(archive, tmp_path / "out")

    read = (tmp_path / "out" / "deep" / "content").read_bytes()
    assert read == (tmp_path / "content").read_bytes()
    assert archive.stat().st_mode & 0o777 == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.tar.gz", "content", "out"]


def test_a_shortened_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-2000])

    with pytest.raises(DataError, match="is refused"):
        extract_archive(archive, tmp_path / "out")


@pytest.mark.parametrize("place", [40, 1_000, 4_000, -9_000, -6])
def test_one_flipped_bit_is_refused(archive: Path, tmp_path: Path, place: int) -> None:
    content = bytearray(archive.read_bytes())
    content[place] ^= 4
    archive.write_bytes(content)

    with pytest.raises(DataError, match="is refused"):
        extract_archive(archive, tmp_path / "out")


def test_a_file_that_is_not_as_it_was_written_is_refused(archive: Path, tmp_path: Path) -> None:
    extract_archive(archive, tmp_path / "out")
    (tmp_path / "out" / "deep" / "content").write_bytes(b"other")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as other:
        for name in ("deep/content", DIGEST_LIST):
            other.add(tmp_path / "out" / name, name)

    with pytest.raises(DataError, match="not as they were written: deep/content"):
        extract_archive(tmp_path / "b.tar.gz", tmp_path / "again")


def test_an_archive_of_an_older_version_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    older = tar_of(tmp_path / "x.tar.gz", "manifest.json")

    with pytest.raises(DataError, match=r"older version made it.*that its manifest\.json names"):
        extract_archive(older, tmp_path / "out")


@pytest.mark.parametrize("name", ["../escaped", "a/../../escaped"])
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="outside the destination"):
        extract_archive(tar_of(tmp_path / "x.tar.gz", name), tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(DataError, match=r"absolute path|special file"):
        extract_archive(tar_of(tmp_path / "x.tar.gz", "database", kind), tmp_path / "out")


def test_a_copy_holds_what_is_only_in_the_log(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO labels VALUES (1, '850511', 'x', '2025-01-01')")

    copy_sqlite(f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "copy.db")

    copied = open_store(f"sqlite:///{tmp_path / 'copy.db'}")
    with copied.connect() as connection:
        assert connection.exec_driver_sql("SELECT label FROM labels").scalar() == "x"
    for one in (engine, copied):
        one.dispose()


def test_a_damaged_database_is_told_and_not_copied(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    open_store(url).dispose()
    assert sqlite_damage(url) == ""
    content = bytearray((tmp_path / "store.db").read_bytes())
    content[4096:12_288] = b"\xff" * 8192
    (tmp_path / "store.db").write_bytes(content)

    assert "store.db is damaged" in sqlite_damage(url) or "no sound" in sqlite_damage(url)
    with pytest.raises(StoreError, match="intact"):
        copy_sqlite(url, tmp_path / "copy.db")
