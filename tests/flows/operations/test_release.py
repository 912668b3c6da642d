"""A release is built twice the same, lists what is inside, and a changed file of it is refused."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from flows.operations.release import verify_release
from store.errors import DataError
from store.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow

Call = Callable[..., tuple[int, str, str]]
SCRIPT = PROJECT_ROOT / ".ci" / "release.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release, signed with a key that is thrown away; only copied."""
    place = tmp_path_factory.mktemp("release")
    for words in (("key", "k.pem", "k.pub"), ("build", "out", "k.pem")):
        command = [sys.executable, str(SCRIPT), words[0], *(str(place / one) for one in words[1:])]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
    return place


@pytest.fixture
def release(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "copy")
    return tmp_path / "copy"


def test_every_file_of_a_release_is_verified(release: Path, magnetcast: Call) -> None:
    names = {file.name for file in (release / "out").iterdir()}

    assert names == {
        "SHA256SUMS", "SHA256SUMS.minisig", "licences.csv", "magnetcast-0.1.0-py3-none-any.whl",
        "magnetcast-0.1.0.tar.gz", "sbom.cdx.json",
    }  # fmt: skip
    for name in names - {"SHA256SUMS", "SHA256SUMS.minisig"}:
        code, _, message = magnetcast(
            "verify-release", str(release / "out" / name), "--key", str(release / "k.pub")
        )
        assert code == 0, message
        assert "as the releaser signed it: magnetcast 0.1.0, commit" in message


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ("magnetcast-0.1.0-py3-none-any.whl", "Expected .*, as the releaser signed it"),
        ("SHA256SUMS", "no signature of SHA256SUMS by this key"),
        ("SHA256SUMS.minisig", "no signature of SHA256SUMS by this key"),
    ],
)
def test_a_changed_file_is_refused(release: Path, changed: str, why: str) -> None:
    file = release / "out" / changed
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(DataError, match=why):
        verify_release(release / "out" / "magnetcast-0.1.0-py3-none-any.whl", release / "k.pub")


def test_sums_signed_by_another_are_refused(
    release: Path, script: ModuleType, tmp_path: Path
) -> None:
    script.make_keys(tmp_path / "other.pem", tmp_path / "other.pub")
    assert (tmp_path / "other.pem").stat().st_mode & 0o777 == 0o600

    with pytest.raises(DataError, match="by this key"):
        verify_release(release / "out" / "sbom.cdx.json", tmp_path / "other.pub")


def test_a_file_that_is_not_of_the_release_is_refused(release: Path) -> None:
    (release / "out" / "more.whl").write_bytes(b"")

    with pytest.raises(DataError, match="Expected none, as the releaser signed it"):
        verify_release(release / "out" / "more.whl", release / "k.pub")


def test_the_bill_of_materials_is_the_lock(release: Path) -> None:
    lock = (PROJECT_ROOT / "requirements.lock").read_text(encoding="utf-8")
    bill = json.loads((release / "out" / "sbom.cdx.json").read_text())

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    pinned = re.findall(r"^([a-zA-Z0-9._-]+)==([^ ;]+)", lock, re.MULTILINE)
    assert {one["purl"] for one in bill["components"]} == {
        f"pkg:pypi/{name.lower()}@{version}" for name, version in pinned
    }
    listed = sum(len(one["hashes"]) for one in bill["components"])
    assert listed == lock.count("--hash=sha256:")


def test_licence_and_notices_are_in_wheel_and_sdist(release: Path) -> None:
    [wheel] = (release / "out").glob("*.whl")
    [sdist] = (release / "out").glob("*.tar.gz")

    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {f"magnetcast-0.1.0.dist-info/licenses/{one}" for one in ("LICENSE", "NOTICE")} <= inside
    with tarfile.open(sdist) as tar:
        assert {f"magnetcast-0.1.0/{one}" for one in ("LICENSE", "NOTICE")} <= set(tar.getnames())


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("GNU Lesser General Public License v3 (LGPLv3)", True),
        ("GPL-3.0-only", False),
        ("GNU Affero General Public License v3", False),
        ("Apache-2.0 AND GPL-2.0-only", False),
        ("Other/Proprietary License", False),
        ("", False),
    ],
)
def test_what_the_licence_does_not_allow_fails_the_report(
    script: ModuleType, licence: str, *, allowed: bool
) -> None:
    assert script.is_allowed(licence) is allowed
