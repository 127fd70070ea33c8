"""Searches bytes for protected values, whatever they are wrapped in.

Belongs here: unpacking (zip, xlsx, zlib, mail, base64), encodings, and what is told apart from chance. Not here: which
values are protected, and where they are looked for.

An id is found by its first 17 characters, by its 15-digit form and by unkeyed digests; a mask that shows more of it than
area and check character is found by its shape.
"""

import base64
import binascii
import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser

_DIGITS = re.compile(rb"\d{11,}")
_HEX = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})(?![0-9a-f])")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
_BYTEA = re.compile(rb"\\\\x((?:[0-9a-f]{2}){8,})")
# Six shown in front and two or more behind: with the birth date that stands beside it, the whole id.
_OPEN_MASK = re.compile(rb"(?<!\d)\d{6}(?:\*|\xc3\x97|\xe2\x97\x8f|\\u00d7|\\u25cf){4,}\d+[\dXx]")
_ZLIB_HEADS = (b"\x78\x01", b"\x78\x9c", b"\x78\xda")


@dataclass(frozen=True)
class Protected:
    """Values that must exist as ciphertext only: `ids` of 18 characters, `phones` of 11 digits, `texts` too rare for chance."""

    ids: frozenset[str]
    phones: frozenset[str]
    texts: frozenset[str]


@dataclass
class Scanner:
    """Finds protected values in bytes."""

    protected: Protected
    _windows: dict[int, frozenset[bytes]] = field(init=False)
    _digests: frozenset[bytes] = field(init=False)
    _needles: list[tuple[str, bytes]] = field(init=False)

    def __post_init__(self) -> None:
        ids, phones = self.protected.ids, self.protected.phones
        self._windows = {
            17: _encoded(number[:17] for number in ids),
            15: _encoded(number[:6] + number[8:17] for number in ids),
            11: _encoded(phones),
        }
        self._digests = _encoded(
            hashlib.new(name, value.encode()).hexdigest()
            for value in (*ids, *phones)
            for name in ("md5", "sha1", "sha256")
        )
        self._needles = [
            (text, needle)
            for text in sorted(self.protected.texts)
            for needle in dict.fromkeys(
                (
                    text.encode(),
                    text.encode("gb18030"),
                    text.encode("utf-16-le"),
                    text.encode("ascii", "backslashreplace"),
                )
            )
        ]

    def search(self, content: bytes) -> list[str]:
        """What was found, each with the way it was packed; empty when clean."""
        found: dict[str, None] = {}
        for how, part in unpacked(content):
            for view, seen in _views(part):
                for hit in self._hits(seen):
                    found[" in ".join(filter(None, (hit, view, how)))] = None
        return list(found)

    def _hits(self, content: bytes) -> Iterator[str]:
        for run in _DIGITS.finditer(content):
            digits = run[0]
            for size, values in self._windows.items():
                for start in range(len(digits) - size + 1):
                    if digits[start : start + size] in values:
                        yield f"number {digits[start : start + size].decode()}"
        for token in _HEX.findall(content):
            if token in self._digests:
                yield f"digest {token.decode()}"
        for mask in _OPEN_MASK.findall(content):
            yield f"mask {mask.decode(errors='replace')}"
        for text, needle in self._needles:
            if needle in content:
                yield f"text {text}"


def unpacked(content: bytes, how: str = "") -> Iterator[tuple[str, bytes]]:
    """The content and everything packed in it, with the names of the wrappings."""
    yield how, content
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from unpacked(archive.read(name), f"{how}!{name}")
    elif content[:2] == b"\x1f\x8b":
        yield from unpacked(gzip.decompress(content), f"{how}!gzip")
    elif content[:2] in _ZLIB_HEADS:
        try:
            yield from unpacked(zlib.decompress(content), f"{how}!zlib")
        except zlib.error:
            return  # bytes that only begin like that
    for found in _BYTEA.finditer(content):
        value = bytes.fromhex(found[1].decode())
        if value[:2] in (*_ZLIB_HEADS, b"\x1f\x8b", b"PK"):
            yield from unpacked(value, f"{how}!bytea")
    if b"\nMIME-Version:" in content[:10_000]:
        message = BytesParser(policy=policy.default).parsebytes(content)
        for name, value in message.items():
            yield f"{how}!{name}", str(value).encode()
        for part in message.walk():
            if not part.is_multipart():
                yield f"{how}!{part.get_content_type()}", part.get_payload(decode=True)


def _views(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield "", content
    if b"\x00" in content:  # UTF-16: its digits are ASCII with zeros between
        yield "utf-16", content.replace(b"\x00", b"")
    decoded = []
    for token in _BASE64.findall(content):
        plain = token.replace(b"-", b"+").replace(b"_", b"/")
        for start in range(4):
            part = plain[start : start + (len(plain) - start) // 4 * 4]
            try:
                decoded.append(base64.b64decode(part))
            except binascii.Error:
                continue
    if decoded:
        yield "base64", b"\n".join(decoded)


def _encoded(values: Iterable[str]) -> frozenset[bytes]:
    return frozenset(value.encode() for value in values)
