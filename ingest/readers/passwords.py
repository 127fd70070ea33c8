"""Workbooks with an opening password (L10): told apart from damage, and opened with a password that was given.

The password is used here and nowhere kept: not stored, not logged, in no exception.
"""

from __future__ import annotations

import io
import re
import struct
from typing import Final
from xml.parsers.expat import ExpatError

from ingest.readers.sheet import UnreadableFile

# Excel encrypts "protected, but anybody may read" workbooks with this word and opens them without asking.
_EXCEL_DEFAULT: Final = "VelvetSweatshop"
# Excel and WPS hash a password 100,000 times; a file that asks for more than this would only keep us busy.
_MAX_SPIN_COUNT: Final = 1_000_000
_SPIN_COUNT: Final = re.compile(rb"spinCount=\"(\d{1,12})\"")


def needs_password() -> UnreadableFile:
    """Refusal of a workbook that opens with a password only."""
    return UnreadableFile(
        "needs_password",
        "工作簿设有打开密码，未读取。可以取消密码后重新报送；也可以当面或电话告知街道数据人员密码，由其在平台输入一次"
        "（平台不保存密码）。请不要把密码写在文件名、邮件或群消息里。",
    )


def open_encrypted(content: bytes, password: str | None) -> bytes:
    """The bytes of the workbook inside an encrypted one.

    Args:
        content: An OLE file: an encrypted xlsx, or an encrypted xls.
        password: The password, or None when nobody has given one.

    Raises:
        UnreadableFile: `needs_password`; `wrong_password`; `damaged_workbook`, `encryption_unknown`.
    """
    import msoffcrypto
    from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError

    if any(int(found) > _MAX_SPIN_COUNT for found in _SPIN_COUNT.findall(content)):
        raise _unknown()
    candidates = [_EXCEL_DEFAULT]
    if password:
        candidates += dict.fromkeys((password, password.strip()))
    # The library says what is wrong with broken bytes by whatever its struct, XML or cipher call raised.
    broken: tuple[type[Exception], ...] = (
        FileFormatError,
        ParseError,
        ExpatError,
        struct.error,
        KeyError,
        ValueError,
        IndexError,
        OSError,
    )
    broken += (TypeError, AttributeError, UnicodeError, EOFError)
    for candidate in candidates:
        try:
            office = msoffcrypto.OfficeFile(io.BytesIO(content))
            office.load_key(password=candidate, verify_password=True)
            opened = io.BytesIO()
            office.decrypt(opened)
        except InvalidKeyError:
            continue
        except DecryptionError as error:
            if "verif" in str(error).lower():
                continue
            if password is None:
                break
            raise _unknown() from None
        except broken:
            if password is None:
                break  # whether it is broken or only closed, nobody can tell before a password was tried
            raise _unreadable() from None
        return opened.getvalue()
    if not password:
        raise needs_password()
    raise UnreadableFile(
        "wrong_password", "密码不对，工作簿没有打开。请向报送单位核实密码后再输入；注意大小写和全角半角。"
    )


def _unknown() -> UnreadableFile:
    return UnreadableFile(
        "encryption_unknown",
        "工作簿的加密方式不能识别，有密码也打不开。请用 Excel 或 WPS 取消密码，另存为 xlsx 后重新报送。",
    )


def _unreadable() -> UnreadableFile:
    return UnreadableFile(
        "damaged_workbook", "加密的工作簿已损坏或不完整，打不开。请取消密码，另存为 xlsx 后重新报送。"
    )
