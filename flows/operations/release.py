"""Whether a file is the one a releaser signed: SHA-256 in ``SHA256SUMS``, that signed by minisign.

Signing is in ``.ci/release.py``. A signature of minisign is Ed25519 over BLAKE2b of the file, then
over that signature and its comment.
"""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from store.errors import DataError

SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.minisig"
TRUSTED: Final = "trusted comment: "

_ID: Final = 8
_KIND: Final = 2
"""Bytes of a key's number and of the kind of key or signature, in front of either."""


def verify_release(file: Path, key: Path) -> str:
    """Check a file of a release and return the signed comment: what was released and when.

    Args:
        file: With ``SHA256SUMS`` and its signature in the same folder.
        key: The releaser's public key, as minisign writes it.

    Raises:
        DataError: The file, its sum or the signature is not the releaser's.
    """
    sums = _read(file.with_name(SUMS))
    comment = _signed_comment(sums, _read(file.with_name(SIGNATURE)), _read(key))
    lines = (line.partition("  ") for line in sums.decode().splitlines())
    listed = {name: digest for digest, _, name in lines}
    found = hashlib.sha256(_read(file)).hexdigest()
    if listed.get(file.name) != found:
        raise DataError(
            f"{file} has SHA-256 {found[:12]}... Expected {listed.get(file.name, 'none')[:12]}, as "
            "the releaser signed it. Do not install it; fetch it again from where it is released."
        )
    return comment


def _signed_comment(content: bytes, signature: bytes, key: bytes) -> str:
    """Return the trusted comment of a valid signature."""
    try:
        _, first, trusted, second = signature.decode().splitlines()[:4]
        (public, number), (signed, signer) = _parts(key.decode().splitlines()[-1]), _parts(first)
        comment = trusted.removeprefix(TRUSTED)
        verifier = Ed25519PublicKey.from_public_bytes(public)
        verifier.verify(signed, hashlib.blake2b(content).digest())
        verifier.verify(base64.b64decode(second, validate=True), signed + comment.encode())
    except (ValueError, IndexError, binascii.Error, InvalidSignature) as err:
        raise DataError(
            f"{SIGNATURE} is no signature of {SUMS} by this key. Expected the releaser's. Do not "
            "install the file; check that the key is the one in the release notes."
        ) from err
    if number != signer:
        raise DataError(f"{SIGNATURE} names another key. Expected the releaser's.")
    return comment


def _parts(line: str) -> tuple[bytes, bytes]:
    """Return a key or signature, and the number of the key."""
    raw = base64.b64decode(line, validate=True)
    return raw[_KIND + _ID :], raw[_KIND : _KIND + _ID]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as err:
        raise DataError(
            f"There is no {file}. Expected the file of a release with {SUMS} and {SIGNATURE} in "
            "its folder, and the releaser's key. Fetch all of them."
        ) from err
