"""The parsing process: what it knows, how it ends, and that the next file never notices."""

import os
import subprocess
import sys
import threading
import time
from datetime import date

import psutil
import pytest

from ingest.contract import load_contracts
from ingest.landing import opened, scan
from ingest.parser import Limits
from ingest.parser_client import Parser
from ingest.readers.sheet import UnreadableFile

HEADER = "姓名,性别,公民身份号码,残疾人证号,残疾类别,残疾等级,现住址,社区,备注\n"
ROW = "测试甲,男,,,肢体,一级,清水苑1幢1单元101室,近江社区,{}\n"
LIMITS = Limits(memory_bytes=600_000_000, cpu_seconds=2, silent_seconds=4)


@pytest.fixture
def landed(tmp_path):
    def landed(word: str, name: str = "a202607.csv"):
        folder = tmp_path / "civil_affairs" / "disabled"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(HEADER + ROW.format(word) * 3, encoding="utf-8")
        return next(file for file in scan(tmp_path) if file.file_name == name)

    return landed


@pytest.fixture
def broken():
    with Parser(load_contracts(), LIMITS, "tests.broken_parser") as parser:
        yield parser


def look(parser, file):
    with opened(file) as content:
        return parser.look(content, date(2026, 11, 24), None)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("please hang", "parser_time"),
        ("please spin", "parser_time"),
        ("please fill", "parser_memory"),
        ("please abort", "parser_died"),
        ("please crash", "parser_died"),
        ("please fail", "program_fault"),
    ],
)
def test_a_process_that_is_lost_refuses_its_file_and_no_other(landed, broken, word, code):
    bad, good = landed(word, "bad202607.csv"), landed("", "good202607.csv")
    began = time.monotonic()
    with pytest.raises(UnreadableFile) as refusal:
        look(broken, bad)
    assert refusal.value.code == code
    assert time.monotonic() - began < 30
    assert all(secret not in str(refusal.value) for secret in ("3301021985", "测试甲"))
    assert look(broken, good).value == date(2026, 7, 31)
    with opened(good) as content:
        rows = broken.rows(content)
        assert sum(1 for _ in rows.batches) == 1
        assert rows.sha256 == content.sha256
    with pytest.raises(UnreadableFile) as refusal:
        look(broken, bad)
    assert refusal.value.code == code


def test_a_process_that_is_lost_while_rows_are_read_refuses_the_file(landed, broken):
    file = landed("please abort")
    with opened(file) as content, pytest.raises(UnreadableFile) as refusal:
        list(broken.rows(content).batches)
    assert refusal.value.code == "parser_died"


def test_one_process_serves_many_files_and_ends_with_the_run(landed):
    files = [landed(str(n), f"{n}.csv") for n in range(20)]
    before = set(psutil.Process().children())
    with Parser(load_contracts()) as parser:
        seen = set()
        for file in files:
            look(parser, file)
            seen |= set(psutil.Process().children()) - before
        assert len(seen) == 1
        (child,) = seen
        environment = child.environ()
        assert set(environment) <= {"PYTHONPATH", "LC_ALL", "LC_CTYPE"}
    assert not child.is_running()


def test_a_file_that_is_not_taken_to_its_end_leaves_nothing_behind(landed):
    file = landed("")
    with Parser(load_contracts()) as parser:
        with opened(file) as content:
            rows = parser.rows(content)
            next(rows.batches)
            rows.batches.close()
        assert look(parser, file).source == "file_name"


def test_rows_that_were_asked_for_and_never_begun_are_not_taken_for_an_answer(landed):
    file = landed("")
    with Parser(load_contracts()) as parser, opened(file) as content:
        parser.rows(content)
        assert look(parser, file).source == "file_name"
        parser.rows(content)
        assert sum(1 for _ in parser.rows(content).batches) == 1


def test_a_process_that_somebody_stopped_is_not_the_files_fault(landed):
    file = landed("")
    with Parser(load_contracts(), LIMITS) as parser, opened(file) as content:
        look(parser, file)
        (child,) = [c for c in psutil.Process().children() if any("ingest.parser" in p for p in c.cmdline())]
        child.suspend()
        assert parser.look(content, date(2026, 11, 24), None).source == "file_name"


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="only Linux tells what a process is at")
def test_a_process_that_gets_no_processor_is_not_the_files_fault(landed):
    file = landed("\n" + ROW.format("") * 10_000)
    with Parser(load_contracts()) as parser, opened(file) as content:
        look(parser, file)
        (child,) = [c for c in psutil.Process().children() if any("ingest.parser" in p for p in c.cmdline())]
        parser._limits = Limits(silent_seconds=0.5)
        cores = os.sched_getaffinity(0)

        def let_go():
            os.sched_setscheduler(child.pid, os.SCHED_OTHER, os.sched_param(0))
            os.sched_setaffinity(child.pid, cores)
            others.kill()

        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as others:
            try:
                for pid in (child.pid, others.pid):
                    os.sched_setaffinity(pid, {min(cores)})
                os.sched_setscheduler(child.pid, os.SCHED_IDLE, os.sched_param(0))
                threading.Timer(1.0, let_go).start()
                began = time.monotonic()
                rows = parser.rows(content)
                assert sum(1 for _ in rows.batches) > 1
                assert time.monotonic() - began > 0.6, "it did wait"
            finally:
                others.kill()


def test_descriptors_are_not_lost(landed):
    file = landed("")
    with Parser(load_contracts()) as parser:
        look(parser, file)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            look(parser, file)
        assert len(os.listdir("/proc/self/fd")) == before
