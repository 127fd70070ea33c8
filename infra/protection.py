"""Protection of single values: encryption with key ids, keyed tokens for equality, and masks for reading.

Keys live in one private file outside the database (``YIHU_KEY_FILE``). Which values are protected is said by
the contracts, not here. No error of this module contains a plaintext or a key.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.clock import utc_now
from infra.errors import PermanentError
from infra.files import file_lock, make_private_folder, read_private_file, write_private_file

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from infra.settings import Settings

FieldCipher = Literal["AES-256-GCM", "SM4-GCM"]

_KEY_BYTES: Final[dict[str, int]] = {"AES-256-GCM": 32, "SM4-GCM": 16}
_TOKEN_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_LOCK_TIMEOUT_SECONDS: Final = 10.0
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class _AesGcm:
    """AES-256-GCM (NIST SP 800-38D), random 96-bit nonces. ``AESGCM`` is kept: making one costs more than a use."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, plaintext: bytes, associated: bytes, nonce: bytes) -> bytes:
        return nonce + self._aead.encrypt(nonce, plaintext, associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)


class _Sm4Gcm:
    """SM4-GCM (GB/T 32907-2016 in the GCM mode of GB/T 36624-2018), same framing as AES-GCM."""

    def __init__(self, key: bytes) -> None:
        self._algorithm = algorithms.SM4(key)

    def seal(self, plaintext: bytes, associated: bytes, nonce: bytes) -> bytes:
        encryptor = Cipher(self._algorithm, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated)
        body = encryptor.update(plaintext) + encryptor.finalize()
        return nonce + body + encryptor.tag

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        nonce, body, tag = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        decryptor = Cipher(self._algorithm, modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(associated)
        return decryptor.update(body) + decryptor.finalize()


_CIPHERS: Final[dict[str, Callable[[bytes], _AesGcm | _Sm4Gcm]]] = {
    "AES-256-GCM": _AesGcm,
    "SM4-GCM": _Sm4Gcm,
}


@dataclass
class _KeyRing:
    """What the key file holds. Keys are never removed: every ciphertext names the key it needs."""

    active: str
    keys: dict[str, dict[str, str]]
    token_key: bytes = field(repr=False)

    @classmethod
    def generate(cls, cipher: FieldCipher) -> _KeyRing:
        ring = cls(active="", keys={}, token_key=secrets.token_bytes(_TOKEN_KEY_BYTES))
        ring.add(cipher)
        return ring

    @classmethod
    def read(cls, path: Path) -> _KeyRing:
        """Raises FileNotFoundError when there is none, PermanentError when exposed or no key ring."""
        try:
            content = json.loads(read_private_file(path, "字段密钥文件"))
            ring = cls(
                active=content["active"],
                keys={str(key_id): dict(entry) for key_id, entry in content["keys"].items()},
                token_key=base64.b64decode(content["token_key"], validate=True),
            )
            sound = ring.active in ring.keys and len(ring.token_key) == _TOKEN_KEY_BYTES
            sound = sound and all(
                len(ring.key(key_id)) == _KEY_BYTES.get(entry["algorithm"], 0)
                for key_id, entry in ring.keys.items()
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            sound = False
        if not sound:
            raise PermanentError(
                "读取字段密钥文件",
                came=f"{path} 的内容残缺或不是密钥文件",
                expected="平台生成的 JSON 密钥环",
                next_step="从密钥备份恢复该文件；不要删除它重新生成，否则已加密的数据再也打不开",
            )
        return ring

    def add(self, cipher: FieldCipher) -> str:
        key_id = f"k{len(self.keys) + 1}"
        self.keys[key_id] = {
            "algorithm": cipher,
            "key": base64.b64encode(secrets.token_bytes(_KEY_BYTES[cipher])).decode(),
            "created_at": utc_now().isoformat(timespec="seconds"),
        }
        self.active = key_id
        return key_id

    def key(self, key_id: str) -> bytes:
        return base64.b64decode(self.keys[key_id]["key"], validate=True)

    def newest_of(self, cipher: FieldCipher) -> str | None:
        """The active key when it is of this algorithm, else the newest one that is."""
        candidates = [key_id for key_id, entry in self.keys.items() if entry["algorithm"] == cipher]
        if self.active in candidates:
            return self.active
        return candidates[-1] if candidates else None

    def to_bytes(self) -> bytes:
        content: dict[str, Any] = {
            "active": self.active,
            "keys": self.keys,
            "token_key": base64.b64encode(self.token_key).decode(),
        }
        return json.dumps(content, indent=2).encode()


class FieldProtector:
    """Encrypts, decrypts and tokenises single values with the keys of one key file.

    Open it with :meth:`open`. One instance may be used by several threads.
    """

    def __init__(self, path: Path, cipher: FieldCipher = "AES-256-GCM") -> None:
        """Open the key file at ``path``, making it when there is none. ``open(settings)`` is the usual way.

        Raises:
            PermanentError: The key file is exposed to others, unreadable or damaged.
        """
        self._path = path
        self._cipher = cipher
        try:
            self._use(_KeyRing.read(path))
        except FileNotFoundError:
            make_private_folder(path.parent)
            # Two processes may get here at once: the first file stays and both read it.
            write_private_file(path, _KeyRing.generate(cipher).to_bytes(), replace=False)
            self._use(_KeyRing.read(path))
        if self._active is None:
            self.add_key()

    @classmethod
    def open(cls, settings: Settings) -> FieldProtector:
        """Open the key file named in settings; make it (0600, in a 0700 folder) on first use.

        New values are encrypted with ``settings.field_cipher``; values under any older key stay readable.

        Raises:
            PermanentError: The key file is exposed to others, unreadable or damaged.
        """
        return cls(settings.key_file, settings.field_cipher)

    def _use(self, ring: _KeyRing) -> None:
        block = ring.token_key.ljust(64, b"\x00")
        self._token_inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._token_outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
        self._ciphers = {
            key_id: _CIPHERS[entry["algorithm"]](ring.key(key_id)) for key_id, entry in ring.keys.items()
        }
        self._key_fingerprints = {
            key_id: hmac.digest(ring.key(key_id), b"yihu field key", "sha256").hex() for key_id in ring.keys
        }
        self._active = ring.newest_of(self._cipher)

    def __reduce__(self) -> tuple[type[FieldProtector], tuple[Path, FieldCipher]]:
        """Another process opens the key file itself; no key travels."""
        return type(self), (self._path, self._cipher)

    def __repr__(self) -> str:
        return f"FieldProtector({str(self._path)!r}, active={self._active!r})"

    @property
    def active_key_id(self) -> str:
        """Id of the key that new values are encrypted with, e.g. ``k1``."""
        if self._active is None:
            raise PermanentError("选择字段密钥", came=f"{self._path} 中没有 {self._cipher} 密钥")
        return self._active

    def encrypt(self, text: str, context: str) -> str:
        """Encrypt a value.

        Args:
            text: The plaintext.
            context: Where the value belongs, ``<column>|<record_id>``; it is authenticated, so that a
                ciphertext copied to another row or column does not open.

        Returns:
            ``<key id>:<base64url(nonce | ciphertext | tag)>`` without padding. Two calls never give the same.
        """
        key_id = self.active_key_id
        sealed = self._ciphers[key_id].seal(
            text.encode(), f"{key_id}|{context}".encode(), os.urandom(_NONCE_BYTES)
        )
        return f"{key_id}:{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode('ascii')}"

    def encrypt_all(self, texts: Sequence[bytes], column: str, record_ids: Sequence[bytes]) -> list[str]:
        """Encrypt one column of many rows: what :meth:`encrypt` makes of each text with ``<column>|<record_id>``.

        Args:
            texts: The plaintexts in UTF-8.
            column: Name of the column.
            record_ids: Record id of each text.
        """
        if not texts:
            return []
        key_id = self.active_key_id
        seal, prefix = self._ciphers[key_id].seal, f"{key_id}|{column}|".encode()
        # Nonces are cut from one draw: a call of the system for each took a fifth of the time.
        random = os.urandom(_NONCE_BYTES * len(texts))
        nonces = [random[begin : begin + _NONCE_BYTES] for begin in range(0, len(random), _NONCE_BYTES)]
        encoded = b"".join(
            [
                binascii.b2a_base64(seal(text, prefix + record, nonce))
                for text, record, nonce in zip(texts, record_ids, nonces, strict=True)
            ]
        )
        begin = f"{key_id}:".encode()
        lines = begin + encoded[:-1].translate(_URL_SAFE, b"=").replace(b"\n", b"\n" + begin)
        return lines.decode("ascii").split("\n")

    def decrypt(self, ciphertext: str, context: str) -> str:
        """Open a value encrypted under any key of the ring.

        Raises:
            PermanentError: No ciphertext of ours, a key the ring does not have, or it was made for another
                context, damaged or forged.
        """
        key_id, separator, body = ciphertext.partition(":")
        if separator and key_id not in self._ciphers:
            with contextlib.suppress(FileNotFoundError):
                self._use(_KeyRing.read(self._path))  # another process may have added a key since
        if not separator or key_id not in self._ciphers:
            raise PermanentError(
                "解密字段值",
                came=f"密文用的密钥 {key_id} 不在密钥环中" if separator else "不是平台的密文",
                expected=f"{self._path} 中的密钥之一（{', '.join(self._ciphers)}）",
                next_step="恢复包含该密钥的密钥文件",
            )
        try:
            sealed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
                raise InvalidTag
            return self._ciphers[key_id].open(sealed, f"{key_id}|{context}".encode()).decode()
        except (InvalidTag, binascii.Error, ValueError):
            # `from None`: nothing of the value may travel in a chained traceback.
            raise PermanentError(
                "解密字段值",
                came=f"密文与密钥 {key_id} 或所属字段（{context.partition('|')[0]}）不符",
                expected="未被改动、未被移到别处的密文",
                next_step="核对密钥文件是否属于这个数据库",
            ) from None

    def token(self, kind: str, text: str) -> str:
        """Keyed token of a normalised value: equal values of one kind give equal tokens, nothing else shows.

        Args:
            kind: Domain of the value (``id_no``, ``phone``); tokens of different kinds never match.
            text: The value, normalised by the caller.

        Returns:
            HMAC-SHA-256 (RFC 2104) truncated to 128 bits, as 32 hex digits.
        """
        # HMAC from its two keyed halves, each set up once: twice as fast as hmac.digest.
        inner, outer = self._token_inner.copy(), self._token_outer.copy()
        inner.update(f"{kind}\x00{text}".encode())
        outer.update(inner.digest())
        return outer.hexdigest()[:32]

    def add_key(self, cipher: FieldCipher | None = None) -> str:
        """Rotate: add a key, make it the active one, keep all the others for decryption.

        Args:
            cipher: Algorithm of the new key (default: the one of settings).

        Returns:
            The id of the new key.
        """
        with file_lock(
            self._path.with_name(f"{self._path.name}.lock"), "更换字段密钥", _LOCK_TIMEOUT_SECONDS
        ):
            ring = _KeyRing.read(self._path)
            self._cipher = cipher or self._cipher
            key_id = ring.add(self._cipher)
            write_private_file(self._path, ring.to_bytes(), replace=True)
            self._use(ring)
        return key_id

    def confirm_keys(self, engine: Engine) -> None:
        """Make sure that this key ring belongs to this database; note keys the database has not seen yet.

        A swapped or newly made key file would leave every old value closed and, worse, give every person
        another token, so that nobody is recognised any more. ``ops.field_key`` keeps fingerprints (HMACs) of
        the keys in use.

        Raises:
            PermanentError: The database has values under a key that this ring lacks or holds differently.
        """
        from sqlalchemy import text

        fingerprints = dict(self._key_fingerprints, token=self.token("fingerprint", "yihu token key"))
        with engine.begin() as connection:
            # Serialises two first starts with different new key files: the second sees the first one's rows.
            connection.execute(text("lock table ops.field_key in share row exclusive mode"))
            rows = connection.execute(text("select key_id, fingerprint from ops.field_key"))
            known = {str(key_id): str(fingerprint) for key_id, fingerprint in rows}
            wrong = sorted(key_id for key_id in known if fingerprints.get(key_id) != known[key_id])
            if wrong:
                raise PermanentError(
                    "核对密钥文件与数据库",
                    came=f"{self._path} 缺少数据库已使用的密钥，或同名密钥不同：{', '.join(wrong)}",
                    expected="加密这个数据库时使用的密钥文件",
                    next_step="从备份恢复原密钥文件，或用 YIHU_KEY_FILE 指向它",
                )
            new = [
                {"key_id": key_id, "fingerprint": fingerprints[key_id]}
                for key_id in fingerprints.keys() - known
            ]
            if new:
                connection.execute(
                    text("insert into ops.field_key (key_id, fingerprint) values (:key_id, :fingerprint)"),
                    new,
                )


def mask_id_no(text: str) -> str:
    """Area and check character of an 18-character id (``330106***********X``), of others the first two.

    With the birth date beside it, a mask that showed the last four characters would give the whole id away.
    """
    if len(text) == 18:
        return f"{text[:6]}{'*' * 11}{text[-1]}"
    return _mask(text, shown_before=2)


def mask_phone(text: str) -> str:
    """``138****8000`` for a mobile number, the last two digits of anything else."""
    if len(text) == 11 and text.startswith("1") and text.isdecimal():
        return f"{text[:3]}****{text[-4:]}"
    return _mask(text, shown_after=2)


def mask_name(text: str) -> str:
    """Surname and stars: ``王*``; a one-character name is hidden whole."""
    return _mask(text.strip(), shown_before=1)


def _mask(text: str, *, shown_before: int = 0, shown_after: int = 0) -> str:
    """Stars but for the ends; a text too short to hide anything behind its shown ends is hidden whole."""
    hidden = len(text) - shown_before - shown_after
    if hidden < 1:
        return "*" * len(text)
    return f"{text[:shown_before]}{'*' * hidden}{text[len(text) - shown_after :]}"
