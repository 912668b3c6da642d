import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from store.archive.archive_file import FORMAT, extract_archive, verify_archive, write_archive
from store.errors import DataError


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A small file and a large one."""
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"seven\n")
    large.write_bytes(bytes(range(256)) * 20_000)
    return {"settings.json": small, "artifacts/deep/model.txt": large}


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        for header, content in members:
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return path


def manifest_of(*entries: tuple[str, bytes], size: int | None = None) -> bytes:
    files = [
        {
            "name": name,
            "size": len(content) if size is None else size,
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, content in entries
    ]
    return json.dumps({"format": FORMAT, "files": files}).encode()


def plain(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), content


@pytest.mark.parametrize("suffix", [".tar.zst", ".tar.gz"])
def test_an_archive_gives_back_its_files_and_what_was_reported_of_them(
    tmp_path: Path, files: dict[str, Path], suffix: str
) -> None:
    path = tmp_path / "new" / f"all{suffix}"

    digest = write_archive(path, files, {"as_of": "2026-11-25"})
    manifest = extract_archive(path, tmp_path / "out")

    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert manifest["as_of"] == "2026-11-25"
    for name, file in files.items():
        assert (tmp_path / "out" / name).read_bytes() == file.read_bytes()


def test_another_ending_is_refused(tmp_path: Path, files: dict[str, Path]) -> None:
    with pytest.raises(DataError, match=r"Expected \.tar\.zst or \.tar\.gz"):
        write_archive(tmp_path / "all.zip", files, {})


@pytest.mark.parametrize("suffix", [".tar.zst", ".tar.gz"])
def test_an_archive_that_was_cut_off_is_refused_and_leaves_nothing(
    tmp_path: Path, files: dict[str, Path], suffix: str
) -> None:
    path = tmp_path / f"all{suffix}"
    write_archive(path, files, {})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(DataError, match="is refused"):
        extract_archive(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_was_changed_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    result = manifest_of(("database", b"true"))
    path = tar_of(tmp_path / "x.tar.gz", plain("manifest.json", result), plain("database", b"fals"))

    with pytest.raises(DataError, match="database was changed: its hash is not the manifest's"):
        extract_archive(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["../escaped", "/var/escaped", "a/../../escaped", "a//b", "a\\..\\b", "", "."]
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    result = manifest_of((name, b"x"))
    path = tar_of(tmp_path / "x.tar.gz", plain("manifest.json", result), plain(name, b"x"))

    with pytest.raises(DataError, match="is no name of a file within it"):
        extract_archive(path, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*escaped*"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("database")
    link.type, link.linkname = kind, "/etc/passwd"
    result = manifest_of(("database", b""))
    path = tar_of(tmp_path / "x.tar.gz", plain("manifest.json", result), (link, b""))

    with pytest.raises(DataError, match="is no plain file"):
        extract_archive(path, tmp_path / "out")


def test_headers_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    long = tarfile.TarInfo("x")
    long.type = tarfile.GNUTYPE_LONGNAME
    path = tar_of(tmp_path / "x.tar.gz", (long, b"n" * 5_000))

    with pytest.raises(DataError, match="is no plain file"):
        verify_archive(path)


def test_a_member_larger_than_the_manifest_states_is_refused(tmp_path: Path) -> None:
    result = manifest_of(("database", b"ten bytes!"), size=3)
    path = tar_of(
        tmp_path / "x.tar.gz", plain("manifest.json", result), plain("database", b"ten bytes!")
    )

    with pytest.raises(DataError, match="database has 10 bytes, not 3"):
        extract_archive(path, tmp_path / "out")


def test_more_than_the_disk_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    result = manifest_of(("database", b"x"), size=50 << 20)
    path = tar_of(tmp_path / "x.tar.gz", plain("manifest.json", result), plain("database", b"x"))

    with pytest.raises(DataError, match="Expected room for all of it"):
        extract_archive(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("members", "match"),
    [
        pytest.param(lambda: [plain("database", b"x")], "does not begin with", id="no manifest"),
        pytest.param(lambda: [plain("manifest.json", b"[]")], "not of format", id="a list"),
        pytest.param(lambda: [plain("manifest.json", b"{")], "is no JSON", id="no JSON"),
        pytest.param(
            lambda: [plain("manifest.json", manifest_of()), plain("more", b"x")],
            "'more' is not in the manifest",
            id="a stranger",
        ),
        pytest.param(
            lambda: [plain("manifest.json", manifest_of(("database", b"x")))],
            "database is missing",
            id="one missing",
        ),
        pytest.param(
            lambda: [
                plain("manifest.json", manifest_of(("a", b"x"))), plain("a", b"x"), plain("a", b"y")
            ],
            "comes twice",
            id="one twice",
        ),
    ],
)  # fmt: skip
def test_what_the_manifest_does_not_name_is_refused(
    tmp_path: Path, members: Callable[[], list[tuple[tarfile.TarInfo, bytes]]], match: str
) -> None:
    path = tar_of(tmp_path / "x.tar.gz", *members())

    with pytest.raises(DataError, match=match):
        verify_archive(path)


def test_an_archive_that_grows_too_much_is_refused_before_its_files_are_read(
    tmp_path: Path,
) -> None:
    manifest = manifest_of(("big", b""), size=200 << 20)
    path = tar_of(tmp_path / "all.tar.gz", plain("manifest.json", manifest), plain("big", b""))

    with pytest.raises(DataError, match=r"its \d+ bytes grow to 209,715,200, more than 200 times"):
        verify_archive(path)
