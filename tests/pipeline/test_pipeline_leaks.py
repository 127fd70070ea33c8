"""No id number, phone or other protected value anywhere outside its ciphertext.

After the story a fifth month brings canaries: in rows that are accepted and quarantined, in values that warn, in bad
files, titles, headers, names of files and sheets. Then the loader, linkage, dbt and the lock fail with canaries in
their errors. Whatever the platform has written by then is searched for the canaries and for everything the lists hold.
"""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import text

from infra.postgres import EmbeddedServer
from ingest.contract import load_contracts
from ingest.messages import QUARANTINE_RULES
from tests.pipeline.canaries import Canaries, delivered, plant
from tests.pipeline.leak_scanner import Protected, Scanner
from tests.pipeline.street import Home, Story

pytestmark = [pytest.mark.database, pytest.mark.xdist_group("pipeline")]

MONTH, AS_OF = date(2026, 9, 1), date(2026, 9, 30)
ID, PHONE, TEXT = "659099198706050015", "17198000001", "CNRY金丝雀样本"
REPOSITORY = Path(__file__).resolve().parents[2]


# What happened -------------------------------------------------------------------------------------------------


@dataclass
class Troubled:
    """The platform after the fifth month and its failures: what was planted, and what the commands printed."""

    home: Home
    canaries: Canaries
    protected: Protected
    printed: dict[str, tuple[int, bytes]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def troubled(story: Story) -> Troubled:
    home = story.home
    canaries = Canaries()
    landing = story.rounds.deliver(MONTH)
    plant(canaries, landing, MONTH)
    home.deliver(landing)
    known = _delivered(home)
    rare = frozenset(value for value in known.texts if len(value) >= 6) - _words_of_the_repository(
        known.texts
    )
    troubled = Troubled(
        home,
        canaries,
        Protected(
            known.ids | canaries.ids,
            known.phones | canaries.phones,
            rare | canaries.texts,
        ),
    )
    troubled.printed["canaries"] = _yihu(home, "refresh", "--as-of", AS_OF.isoformat())
    troubled.printed["refusal"] = _refused_by_a_person(home, canaries)
    troubled.printed["loader"] = _failing_loader(home, canaries)
    troubled.printed["dbt"] = _failing_dbt(home, canaries)
    _failing_linkage(home, canaries)
    _failing_lock(home, canaries)
    assert home.refresh(AS_OF) in ("released", "unchanged", "gate_refused"), "the line goes on"
    # What was minted on the way is protected too.
    troubled.protected = Protected(
        troubled.protected.ids | canaries.ids,
        troubled.protected.phones | canaries.phones,
        troubled.protected.texts | canaries.texts,
    )
    return troubled


def _delivered(home: Home) -> Protected:
    """All that lists, returned sheets and the truth behind them hold; damaged copies hold nothing else."""
    return delivered(home.folder / "synthetic", home.landing / "supervision")


def _yihu(home: Home, *arguments: str) -> tuple[int, bytes]:
    home.engine.dispose()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("yihu")), *arguments], capture_output=True, env=dict(os.environ)
    )
    return done.returncode, done.stdout + done.stderr


def _execute(home: Home, statement: str, **values: object) -> None:
    with home.engine.begin() as connection:
        connection.execute(text(statement), values)


def _refused_by_a_person(home: Home, c: Canaries) -> tuple[int, bytes]:
    """An older list is held, and whoever refuses it writes a resident's numbers into the reason."""
    row = f"QY96000001,黄雀甲,{c.id()},{c.phone()},{c.text()}"
    file = home.landing / "health" / "family_doctor" / "签约202501.csv"
    file.write_text(f"签约编号,居民姓名,证件号码,手机号码,人群标签\n{row}\n", encoding="utf-8")
    _yihu(home, "refresh", "--as-of", AS_OF.isoformat())
    held = home.value("select max(delivery_id) from ops.delivery where reason_code = 'older_snapshot'")
    return _yihu(
        home, "delivery", "refuse", str(held), "--by", "测试员", "--why", f"{c.id()} {c.phone()} 已迁出"
    )


def _failing_loader(home: Home, c: Canaries) -> tuple[int, bytes]:
    """The database refuses a row in the middle of COPY; PostgreSQL names the whole row in its error."""
    row = f"QY97000001,林雀,{c.id()},{c.phone()},{c.text()}"
    file = home.landing / "health" / "family_doctor" / "陷阱202609.csv"
    file.write_text(f"签约编号,居民姓名,证件号码,手机号码,人群标签\n{row}\n", encoding="utf-8")
    _execute(home, "alter table raw.family_doctor add constraint trap check (contract_no <> 'QY97000001')")
    try:
        return _yihu(home, "refresh", "--as-of", AS_OF.isoformat())
    finally:
        _execute(home, "alter table raw.family_doctor drop constraint trap")


def _failing_dbt(home: Home, c: Canaries) -> tuple[int, bytes]:
    """A model fails on data: the error of the database holds values, as that of a bad cast does."""
    _execute(
        home,
        "create function public.trap() returns event_trigger language plpgsql as $$ begin"
        " if exists (select from pg_event_trigger_ddl_commands() where schema_name = 'candidate') then"
        f" raise exception 'invalid input syntax: \"{c.id()} {c.phone()}\"' using detail = '{c.text()} {c.id()}', hint = '{c.id()}';"
        " end if; end $$",
    )
    _execute(home, "create event trigger trap on ddl_command_end execute function public.trap()")
    try:
        return _yihu(home, "refresh", "--as-of", AS_OF.isoformat())
    finally:
        _execute(home, "drop event trigger trap")
        _execute(home, "drop function public.trap")


def _failing_linkage(home: Home, c: Canaries) -> None:
    """A fault of the program, with a row in the message and another in the cause."""
    from orchestration.assets import linkage

    def link(*_: object, **__: object) -> None:
        try:
            raise ValueError(f"row {c.id()} {c.text()}")
        except ValueError as error:
            raise RuntimeError(f"cannot link {c.id()} {c.phone()}") from error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linkage, "link", link)
        assert home.refresh(AS_OF) == "failed"


def _failing_lock(home: Home, c: Canaries) -> None:
    """A resource fails before any step has begun."""
    from orchestration import platform

    @contextmanager
    def refresh_lock(_engine: object, **_: object) -> Iterator[None]:
        raise ValueError(f"{c.id()} {c.text()}")
        yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform, "refresh_lock", refresh_lock)
        assert home.refresh(AS_OF) == "failed"


def _words_of_the_repository(values: frozenset[str]) -> frozenset[str]:
    """Values that are words of the platform's own pages and code lists: 高血压 stands in many places."""
    pages = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("ingest", "quality", "publish", "linkage", "dbt_project", "docs")
        for path in sorted((REPOSITORY / folder).rglob("*"))
        if path.suffix in (".py", ".yaml", ".yml", ".sql", ".csv", ".md", ".html", ".txt")
    )
    return frozenset(value for value in values if value in pages)


# Where it is looked for ------------------------------------------------------------------------------------------


def _database(home: Home, which: str) -> Iterator[tuple[str, bytes]]:
    """Every relation of a database as text, the comments, and the source of functions and views."""
    url = home.platform.warehouse.url("") if which == "warehouse" else home.platform.warehouse.dagster_url()
    with psycopg.connect(url.replace("+psycopg2", "")) as connection:
        relations = connection.execute(
            "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'm', 'v', 'S') and n.nspname not in ('pg_catalog', 'information_schema')"
            " and n.nspname !~ '^pg_(toast|temp)' order by 1, 2"
        ).fetchall()
        selects = {
            f"{schema}.{name}": SQL("select * from {}").format(Identifier(schema, name))
            for schema, name in relations
        }
        selects |= {
            "comments": SQL("select description from pg_description"),
            "functions": SQL("select proname, prosrc from pg_proc where pronamespace <> 11"),
            "constraints": SQL("select conname, pg_get_constraintdef(oid) from pg_constraint"),
            "roles": SQL("select rolname, rolconfig from pg_roles"),
        }
        for name, select in selects.items():
            content = io.BytesIO()
            with connection.cursor().copy(SQL("copy ({}) to stdout").format(select)) as copy:
                for block in copy:
                    content.write(block)
            yield name, content.getvalue()


def _files(*roots: Path) -> Iterator[tuple[str, bytes]]:
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                yield str(path), path.read_bytes()
            yield "name", str(path).encode("utf-8", "surrogateescape")


def _home_files(home: Home) -> Iterator[tuple[str, bytes]]:
    """All of YIHU_HOME but the keys, which are guarded otherwise, and the server's data, searched as tables and log."""
    for folder in sorted((home.folder / "home").iterdir()):
        if folder.name not in ("keys", "postgres"):
            yield from _files(folder) if folder.is_dir() else [(str(folder), folder.read_bytes())]


def _server_log(home: Home) -> Iterator[tuple[str, bytes]]:
    log = EmbeddedServer(home.folder / "home").status().log
    yield str(log), log.read_bytes()
    for path in sorted((home.folder / "home" / "postgres").glob("*.log")):
        yield str(path), path.read_bytes()


PLACES: dict[str, Callable[[Home], Iterator[tuple[str, bytes]]]] = {
    "warehouse": lambda home: _database(home, "warehouse"),
    "dagster": lambda home: _database(home, "dagster"),
    "home": _home_files,
    "server log": _server_log,
    "work sheets": lambda home: _files(home.folder / "audits"),
    "crosswalk": lambda home: iter([("crosswalk", (home.folder / "crosswalk.csv").read_bytes())]),
    "mails": lambda home: _files(home.folder / "mails"),
}


# The scanner itself -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample_scanner() -> Scanner:
    return Scanner(Protected(frozenset({ID}), frozenset({PHONE}), frozenset({TEXT})))


def _packings() -> dict[str, bytes]:
    import base64
    import gzip
    import hashlib
    import json
    import zipfile
    import zlib

    import openpyxl

    said = f"行 3：{ID}，{PHONE}，{TEXT}"
    book, archive = io.BytesIO(), io.BytesIO()
    workbook = openpyxl.Workbook()
    workbook.active.append(["备注", said])
    workbook.save(book)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("inner.xlsx", book.getvalue())
    mail = EmailMessage()
    mail["Subject"] = said
    mail.set_content(said)
    mail.add_alternative(f"<p>{said}</p>", subtype="html")
    return {
        "utf-8": said.encode(),
        "gb18030": said.encode("gb18030"),
        "utf-16": said.encode("utf-16"),
        "escapes": json.dumps({"message": said}).encode(),
        "base64": b"x" + base64.b64encode(b"ab" + said.encode()),
        "base64 url": base64.urlsafe_b64encode(said.encode()),
        "xlsx": book.getvalue(),
        "zip in zip": archive.getvalue(),
        "gzip": gzip.compress(said.encode()),
        "zlib": zlib.compress(said.encode()),
        "bytea": b"7\t\\\\x" + zlib.compress(said.encode()).hex().encode(),
        "mail": mail.as_bytes(),
        "longer run of digits": f"00{ID[:17]}9999".encode(),
        "15 digits": (ID[:6] + ID[8:17]).encode(),
        "open mask": f"{ID[:6]}********{ID[-4:]}".encode(),
        "digest": hashlib.sha256(ID.encode()).hexdigest().encode(),
    }


@pytest.mark.parametrize("packing", sorted(_packings()))
def test_the_scanner_unpacks(sample_scanner, packing):
    assert sample_scanner.search(_packings()[packing])


def test_the_scanner_is_silent_about_what_may_be_shown(sample_scanner):
    shown = (
        f"330106***********X 138****8000 {ID[:6]}***********{ID[-1]} 1987-06-05 CNRY 20260930 {PHONE[:-1]}"
    )
    assert sample_scanner.search(shown.encode()) == []


@pytest.mark.parametrize("place", sorted(PLACES))
def test_the_scanner_looks_into(troubled, sample_scanner, place):
    """A canary planted in the place is found there."""
    home, remove = troubled.home, []
    said = f"{ID} {TEXT}"
    if place in ("warehouse", "dagster"):
        url = (
            home.platform.warehouse.url("") if place == "warehouse" else home.platform.warehouse.dagster_url()
        )
        with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as connection:
            connection.execute("create table public.planted as select %s::text as said", [said])
            try:
                found = [hit for _, content in PLACES[place](home) for hit in sample_scanner.search(content)]
            finally:
                connection.execute("drop table public.planted")
    else:
        target = {
            "home": home.folder / "home" / "outbox" / "health" / "planted.txt",
            "server log": home.folder / "home" / "postgres" / "planted.log",
            "work sheets": home.folder / "audits" / "planted.csv",
            "crosswalk": home.folder / "crosswalk.csv",
            "mails": home.folder / "mails" / "9999-planted.eml",
        }[place]
        before = target.read_bytes() if target.exists() else None
        target.write_bytes((before or b"") + said.encode())
        remove.append(target)
        try:
            found = [hit for _, content in PLACES[place](home) for hit in sample_scanner.search(content)]
        finally:
            target.unlink() if before is None else target.write_bytes(before)
    assert found


# The promise ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scanner(troubled) -> Scanner:
    protected = troubled.protected
    assert len(protected.ids) > 1000
    assert len(protected.phones) > 500
    assert len(protected.texts - troubled.canaries.texts) >= 4, "rare free text of the lists"
    return Scanner(protected)


@pytest.mark.parametrize("place", sorted(PLACES))
def test_nothing_protected_stands_in(troubled, scanner, place):
    looked_at = 0
    hits = []
    for name, content in PLACES[place](troubled.home):
        looked_at += len(content)
        hits += [f"{name}: {hit}" for hit in scanner.search(content)]
    assert looked_at > 0
    assert hits == []


@pytest.mark.parametrize(
    ("command", "exit_codes"), [("canaries", {0, 3}), ("refusal", {0}), ("loader", {1}), ("dbt", {1})]
)
def test_nothing_protected_is_printed(troubled, scanner, command, exit_codes):
    code, printed = troubled.printed[command]
    assert code in exit_codes, printed.decode()
    assert scanner.search(printed) == []
    assert "Traceback" not in printed.decode()


def test_failures_are_told_without_values(troubled):
    """The person at the terminal and the mails still learn what failed."""
    printed = troubled.printed["loader"][1].decode()
    assert "登记来件（health/family_doctor）" in printed
    assert "trap" in printed
    assert "model.yihu." in troubled.printed["dbt"][1].decode()
    outcomes = troubled.home.value("select count(*) from ops.refresh where outcome = 'failed'")
    assert outcomes >= 3
    assert troubled.home.rows("select run_id from ops.refresh where outcome is null") == []


def test_free_text_of_few_words_is_no_cell_of_any_table(troubled):
    """What is too common to search for in files (残疾人) still is no cell of a table outside reference data."""
    home = troubled.home
    common = {value.encode() for value in _delivered(home).texts} - {b""}
    reference = b"\n".join(
        content for name, content in _database(home, "warehouse") if name.startswith("reference.")
    )
    words = set(reference.replace(b"\t", b"\n").split(b"\n"))
    allowed = {"无", "健康", "残疾人"}
    hits = {
        (name, cell.decode())
        for name, content in _database(home, "warehouse")
        if name.split(".")[0]
        in ("raw", "staging", "linkage", "master", "candidate", "release", "published", "ops", "quality")
        for line in content.split(b"\n")
        for cell in line.split(b"\t")
        if cell in common and cell not in words
    }
    assert {hit for hit in hits if hit[1] not in allowed} == set()


# What a value that exists as ciphertext only may not have beside it.
_CLEAR_FORMS = ("", "_token", "_masked", "_kind", "_key", "_pinyin", "_code")


def test_columns_of_protected_types_hold_ciphertext_only(troubled):
    home = troubled.home
    columns = home.rows(
        "select table_schema, table_name, column_name from information_schema.columns"
        " where column_name like '%\\_encrypted' and data_type = 'text'"
    )
    assert len(columns) > 20
    for schema, table, column in columns:
        assert (
            home.value(
                f'select count(*) from "{schema}"."{table}" where "{column}" !~ :form', form=_CIPHERTEXT
            )
            == 0
        ), (schema, table, column)
    for contract in load_contracts().values():
        held = {name for schema, table, name in columns if (schema, table) == ("raw", contract.list_code)}
        names = {
            name
            for (name,) in home.rows(
                "select column_name from information_schema.columns where table_schema = 'raw' and table_name = :table",
                table=contract.list_code,
            )
        }
        for column in contract.columns:
            if column.is_encrypted and len(column.raw_columns) == 1:
                assert f"{column.name}_encrypted" in held
                assert not names & {f"{column.name}{form}" for form in _CLEAR_FORMS}


def test_masks_show_the_area_and_the_last_character_only(troubled):
    home = troubled.home
    masks = home.rows(
        "select table_schema, table_name, column_name from information_schema.columns"
        " where column_name like '%\\_masked' and table_schema <> 'pg_catalog'"
    )
    assert len(masks) >= 10
    for schema, table, column in masks:
        is_phone = "phone" in column
        form = r"^(1\d{2}\*{4}\d{4}|\**.{0,2})$" if is_phone else r"^(\d{6}\*{11}[\dXx]|.{0,2}\*+)$"
        assert (
            home.rows(
                f'select distinct "{column}" from "{schema}"."{table}" where "{column}" !~ :form', form=form
            )
            == []
        ), (schema, table, column)


# That the search was worth something ---------------------------------------------------------------------------------


def test_the_canaries_went_all_the_way(troubled):
    """They are in the database, as ciphertext that opens to them."""
    home, opened = troubled.home, []
    protector = home.platform.protector
    for sealed, context in home.rows(
        "select source_row_encrypted, 'row|' || record_id from raw.household_register where person_name like '卡纳%'"
        " union all select remark_encrypted, 'remark|' || record_id from raw.visit where visit_no like 'ZF99%'"
        " union all select income_per_capita_encrypted, 'income_per_capita|' || record_id from raw.low_income where person_name like '黄雀%'"
        " union all select value_encrypted, column_name || '|' || record_id from ops.row_warning where value_encrypted is not null"
    ):
        if sealed is not None:
            opened.append(protector.decrypt(sealed, context))
    told = "\n".join(opened)
    assert sum(number in told for number in troubled.canaries.ids) > 25
    assert sum(number in told for number in troubled.canaries.phones) > 20
    assert sum(word in told for word in troubled.canaries.texts) > 50
    assert home.value("select count(*) from published.person") > 0
    assert home.value("select count(*) from candidate.person where person_name like '卡纳%'") > 10


def test_every_kind_of_verdict_on_a_row_was_provoked(troubled):
    warned = {rule for (rule,) in troubled.home.rows("select distinct rule from ops.row_warning")}
    quarantined = {rule for (rule,) in troubled.home.rows("select distinct rule from ops.quarantined_row")}
    assert quarantined == set(QUARANTINE_RULES)
    assert warned >= {
        "id_checksum_wrong", "id_birth_date_impossible", "id_area_unknown", "id_masked", "id_stored_as_number", "id_wrong_length",
        "id_several_numbers", "id_with_other_text", "id_no_number", "id_of_15_digits", "id_is_certificate",
        "id_taken_from_certificate", "id_birth_date_differs", "id_shared_by_two_names", "certificate_malformed",
        "certificate_id_differs", "phone_invalid", "phone_several_numbers", "date_unreadable", "code_unknown", "integer_unreadable",
        "amount_unreadable", "boolean_unreadable", "text_unreadable", "number_in_text", "id_in_number_column", "duplicate_of_row",
        "entered_before_visited", "contract_dates_reversed",
    }  # fmt: skip
    reasons = {reason for (reason,) in troubled.home.rows("select distinct reason_code from ops.delivery")}
    assert reasons >= {
        "broken_quoting", "no_rows", "wrong_list", "doubled_header", "no_header", "required_column_missing", "not_decodable",
        "not_a_workbook", "damaged_workbook", "unknown_list", "wrong_department",
    }  # fmt: skip


_CIPHERTEXT = r"^[a-z0-9-]+:[A-Za-z0-9_-]{38,}$"
