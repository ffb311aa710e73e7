"""One digest for what must be equal between a source and its replica: type, data, binaryData and immutable.

It stays in memory and is written nowhere: a plain hash of a short secret can be guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

DIGEST_BYTES = 16
"""128 bits: an accidental collision among 10^9 objects has a probability of about 10^-21."""


def content_digest(type_: str, immutable: bool, data: Mapping[str, bytes], binary_data: Mapping[str, bytes]) -> bytes:
    """Return the digest over decoded values, sorted by key, each part prefixed with its length in bytes."""
    digest = sha256(b"immutable" if immutable else b"mutable")
    for part in (type_.encode(), str(len(data)).encode()):
        digest.update(len(part).to_bytes(8) + part)
    for values in (data, binary_data):
        for key in sorted(values):
            name, value = key.encode(), values[key]
            digest.update(len(name).to_bytes(8) + name + len(value).to_bytes(8))
            digest.update(value)
    return digest.digest()[:DIGEST_BYTES]
