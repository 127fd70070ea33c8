"""A parsing process whose reader does what the file asks it to: hang, fill the memory, die, fail. For tests only."""

import ctypes
import os
import time

from ingest import parser
from ingest.parser import main as main  # what the client runs

_read_file = parser.read_file


def _disobedient(content, *arguments):
    if b"please hang" in content:
        time.sleep(3600)
    if b"please spin" in content:
        while True:
            pass
    if b"please fill" in content:
        filled = [bytes(10_000_000) for _ in range(10_000)]
        del filled
    if b"please abort" in content:
        os.abort()
    if b"please crash" in content:
        ctypes.string_at(0)
    if b"please fail" in content:
        raise IndexError("330102198503231241 of 测试甲")
    return _read_file(content, *arguments)


parser.read_file = _disobedient
