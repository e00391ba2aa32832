"""Signatures of lists: minisign's, and plain Ed25519."""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Final, NamedTuple

from screener.shared.errors import ListError

# What minisign signs without hashing it first, and plain Ed25519, must be held in memory whole.
MOST_WHOLE: Final = 64_000_000  # bytes
LARGEST_SIGNATURE: Final = 10_000  # bytes
_TRUSTED = "trusted comment: "


class PublicKey(NamedTuple):
    """Whose signature a list must have; ``id`` is minisign's number of the key, else empty."""

    id: bytes
    ed25519: bytes

    @property
    def suffix(self) -> str:
        """What the name of the signature's file ends with, behind the name of the list's."""
        return ".minisig" if self.id else ".sig"

    def __str__(self) -> str:
        if self.id:
            return f"minisign {self.id[::-1].hex().upper()}"
        return f"Ed25519 {self.ed25519[:4].hex()}"


def public_key(text: str) -> PublicKey:
    """Return minisign's public key, or an Ed25519 key in base64 or hexadecimal; else ValueError."""
    found = _decoded(text.strip())
    if found is not None and len(found) == 42 and found[:2] == b"Ed":
        return PublicKey(found[2:10], found[10:])
    if found is not None and len(found) == 32:
        return PublicKey(b"", found)
    raise ValueError("not a public key of minisign or Ed25519")


def verify(path: Path, signature: Path, key: PublicKey) -> str:
    """Return whose signature a file has; ListError where it is not this key's, or not valid."""
    try:
        if signature.stat().st_size > LARGEST_SIGNATURE:
            raise ListError(f"its signature {signature.name} is too long to be one")
        written = signature.read_bytes()
        valid = _minisign(path, written, key) if key.id else _plain(path, written, key)
    except OSError as error:
        raise ListError(f"cannot be checked: its signature: {error.strerror}") from None
    if not valid:
        raise ListError(
            f"its signature {signature.name} is not valid: it was changed, or not signed"
            f" with the key {key}"
        )
    return str(key)


def _plain(path: Path, written: bytes, key: PublicKey) -> bool:
    found = written if len(written) == 64 else _decoded(written.decode("latin-1").strip())
    return found is not None and _signed(_whole(path), found, key)


def _minisign(path: Path, written: bytes, key: PublicKey) -> bool:
    lines = written.decode("utf-8", errors="replace").splitlines()
    if len(lines) < 4 or not lines[2].startswith(_TRUSTED):
        return False
    packed, over_all = _decoded(lines[1].strip()), _decoded(lines[3].strip())
    if packed is None or over_all is None or len(packed) != 74 or packed[2:10] != key.id:
        return False
    kind, found = packed[:2], packed[10:]
    if kind == b"ED":
        with path.open("rb") as file:
            signed = hashlib.file_digest(file, "blake2b").digest()
    elif kind == b"Ed":
        signed = _whole(path)
    else:
        return False
    comment = lines[2].removeprefix(_TRUSTED).encode()
    return _signed(signed, found, key) and _signed(found + comment, over_all, key)


def _whole(path: Path) -> bytes:
    if path.stat().st_size > MOST_WHOLE:
        raise ListError(f"over {MOST_WHOLE} bytes are signed only as minisign does it today (-H)")
    return path.read_bytes()


def _signed(message: bytes, signature: bytes, key: PublicKey) -> bool:
    # Imported here: a service whose lists are not signed has no use for a crypto library.
    from nacl.exceptions import CryptoError  # noqa: PLC0415
    from nacl.signing import VerifyKey  # noqa: PLC0415

    if len(signature) != 64:
        return False
    try:
        VerifyKey(key.ed25519).verify(message, signature)
    except CryptoError:
        return False
    return True


def _decoded(text: str) -> bytes | None:
    try:
        if len(text) in {64, 128}:
            return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
