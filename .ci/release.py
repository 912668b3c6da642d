"""Make a release one can trust: ``make release KEY=releaser.pem``.

Wheel and sdist are built twice and must be equal bit for bit. Beside them: what is inside
(CycloneDX, from the lock), a report of licences, SHA256SUMS and its signature.

    python .ci/release.py key releaser.pem releaser.pub    # makes a pair of keys
    python .ci/release.py build OUT releaser.pem
"""

import base64
import csv
import filecmp
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

ROOT = Path(__file__).parents[1]
Pinned = tuple[str, str, list[str]]
"""Name, version and SHA-256 of all files of a package."""

PASSWORD = "MAGNETCAST_RELEASE_PASSWORD"  # noqa: S105  # the name of a variable
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", re.IGNORECASE)
ALLOWED = re.compile(
    r"apache|\bmit\b|\bbsd|\b0bsd|\bisc\b|\bisc license|mpl|mozilla|psf|python software|unlicense"
    r"|public domain|zlib|cc0|lgpl|lesser general|hpnd|blueoak|zpl|cnri|boost|artistic",
    re.IGNORECASE,
)
"""Licences of what a program under Apache-2.0 may be installed with."""
KNOWN_TEXTS = {
    "Permission is hereby granted, free of charge": "MIT",
    "Redistribution and use in source and binary forms": "BSD",
}
"""By words of a LICENSE file: its name, for a package whose metadata states none."""


def main(words: list[str]) -> None:
    """Do what the words say."""
    match words:
        case ["key", private, public]:
            make_keys(Path(private), Path(public))
        case ["build", out, private]:
            build(Path(out), Path(private))
        case _:
            sys.exit(__doc__)


def make_keys(private: Path, public: Path) -> None:
    """Write a pair of keys; the private one is encrypted where a password is in the environment."""
    key, password = Ed25519PrivateKey.generate(), os.environ.get(PASSWORD, "").encode()
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    raw = key.public_key().public_bytes_raw()
    text = base64.b64encode(b"Ed" + number_of(raw) + raw).decode()
    public.write_text(f"untrusted comment: minisign public key of magnetcast\n{text}\n")


def build(out: Path, private: Path) -> None:
    """Write the whole release into an empty folder."""
    password = os.environ.get(PASSWORD, "").encode() or None
    key = load_pem_private_key(private.read_bytes(), password)
    if not isinstance(key, Ed25519PrivateKey):
        sys.exit(f"{private} is no Ed25519 key. Make one: python .ci/release.py key FILE FILE")
    if out.exists():
        sys.exit(f"{out} is there already. Remove it, or name another folder.")
    out.mkdir(parents=True)
    moment = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True)  # noqa: S607
    environment = {**os.environ, "SOURCE_DATE_EPOCH": moment.strip()}
    with TemporaryDirectory() as again, TemporaryDirectory() as scratch:
        tree = committed(Path(scratch))
        for folder in (str(out.resolve()), again):
            command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist"]
            subprocess.run([*command, "-d", folder], cwd=tree, env=environment, check=True)  # noqa: S603
        for file in sorted(out.iterdir()):
            if not filecmp.cmp(file, Path(again) / file.name, shallow=False):
                sys.exit(f"{file.name} differs between two builds; nothing was signed.")
        pinned = sorted(locked(tree / "requirements.lock"))
    (out / "sbom.cdx.json").write_text(json.dumps(sbom(pinned, moment), indent=1) + "\n")
    refused = write_licences(pinned, out / "licences.csv")
    if refused:
        sys.exit(f"Licences that Apache-2.0 may not be shipped with, or none: {'; '.join(refused)}")
    sign(out, key)
    print(f"release   {out}: {', '.join(sorted(file.name for file in out.iterdir()))}")  # noqa: T201


def committed(scratch: Path) -> Path:
    """Return a folder with what was committed, and nothing that lies beside it."""
    packed, tree = scratch / "all.tar", scratch / "tree"
    subprocess.run(["git", "archive", "-o", str(packed), "HEAD"], cwd=ROOT, check=True)  # noqa: S603, S607
    with tarfile.open(packed) as tar:
        tar.extractall(tree, filter="data")
    return tree


def locked(lock: Path) -> Iterator[Pinned]:
    """Yield each package of the lock; one has several versions where Pythons need several."""
    for block in re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8"), flags=re.IGNORECASE):
        if found := PINNED.match(block):
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", block)
            yield found[1].lower(), found[2], hashes


def sbom(pinned: list[Pinned], moment: str) -> dict[str, object]:
    """Return what a release is installed with, as CycloneDX 1.6."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(int(moment), UTC).isoformat(),
            "component": {
                "type": "application",
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": [
            {
                "type": "library",
                "bom-ref": f"pkg:pypi/{name}@{version}",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name}@{version}",
                "hashes": [{"alg": "SHA-256", "content": one} for one in hashes],
            }
            for name, version, hashes in pinned
        ],
    }


def write_licences(pinned: list[Pinned], file: Path) -> list[str]:
    """Write the licence of each installed package of the lock; return those not allowed."""
    refused = []
    with file.open("w", newline="", encoding="utf-8") as opened:
        table = csv.writer(opened, lineterminator="\n")
        table.writerow(["package", "version", "licence", "allowed"])
        for name in sorted({name for name, _, _ in pinned}):
            try:
                package = distribution(name)
            except ModuleNotFoundError:
                continue  # the lock is for every platform; what is not for this one is not shipped
            licence = licence_of(package)
            allowed = is_allowed(licence)
            table.writerow([name, package.version, licence, "yes" if allowed else "NO"])
            refused += [] if allowed else [f"{name}: {licence or 'none stated'}"]
    return refused


def licence_of(package: Distribution) -> str:
    """Return what a package's metadata states, else what its LICENSE file is."""
    stated = package.metadata
    if expression := stated.get("License-Expression"):
        return str(expression)
    kinds = [
        one
        for one in stated.get_all("Classifier") or []
        if one.startswith("License ::") and not one.endswith("OSI Approved")
    ]
    named = " OR ".join(one.rsplit("::", 1)[-1].strip() for one in kinds)
    first = (str(stated.get("License") or "").strip().splitlines() or [""])[0]
    return named or first[:100] or _in_file(package)


def _in_file(package: Distribution) -> str:
    files = [one for one in package.files or [] if one.name.upper().startswith("LICEN")]
    text = " ".join(" ".join(one.read_text().split()) for one in files)
    return next((name for words, name in KNOWN_TEXTS.items() if words in text), "")


def is_allowed(licence: str) -> bool:
    """Tell whether a licence, or one to choose from, is allowed in all its parts."""
    choices = re.split(r"\s+OR\s+", licence.replace("(", " ").replace(")", " "))
    return any(
        all(ALLOWED.search(part) for part in re.split(r"\s+AND\s+", one)) for one in choices if one
    )


def sign(out: Path, key: Ed25519PrivateKey) -> None:
    """Write SHA256SUMS of all files and its signature, as minisign checks it."""
    sums = "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"
        for file in sorted(out.iterdir())
    )
    (out / "SHA256SUMS").write_text(sums)
    raw = key.public_key().public_bytes_raw()
    signed = key.sign(hashlib.blake2b(sums.encode()).digest())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()  # noqa: S607
    comment = f"magnetcast {version}, commit {commit}"
    lines = [
        "untrusted comment: signature of magnetcast's releaser",
        base64.b64encode(b"ED" + number_of(raw) + signed).decode(),
        f"trusted comment: {comment}",
        base64.b64encode(key.sign(signed + comment.encode())).decode(),
    ]
    (out / "SHA256SUMS.minisig").write_text("\n".join(lines) + "\n")


def number_of(public: bytes) -> bytes:
    """Return the number that names a key."""
    return hashlib.blake2b(public, digest_size=8).digest()


if __name__ == "__main__":
    main(sys.argv[1:])
