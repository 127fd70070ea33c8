"""Large text files in batches: the same rows, verdicts and ciphertexts' plaintexts as row by row, in flat memory."""

import io
import itertools
import random
import tracemalloc
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import batches
from ingest.batch_sealing import BatchSealer, Delivery
from ingest.batches import Table, batches_of, packed, unpacked
from ingest.contract import load_contracts
from ingest.layout import Layout, choose_tables, source_rows
from ingest.normalise.ids import check_character
from ingest.readers.delimited import read_delimited, stream_delimited
from ingest.readers.sheet import UnreadableFile
from ingest.repeats import Repeats

CONTRACTS = load_contracts()
ARRIVAL = date(2026, 11, 24)
REGISTER = (
    "家庭编号",
    "社区",
    "家庭住址",
    "姓名",
    "身份证号",
    "与户主关系",
    "性别",
    "出生日期",
    "联系电话",
    "我们的备注",
)
DISABLED = ("姓名", "性别", "公民身份号码", "残疾人证号", "残疾类别", "残疾等级", "现住址", "社区", "联系电话", "序号")  # fmt: skip


def made_id(number):
    first_17 = f"330102{1930 + number % 80}0{1 + number % 9}1{number % 10}{number % 1000:03d}"
    return first_17 + check_character(first_17)


def register_row(number):
    own = made_id(number)
    return [
        f"WJ{number // 3:06d}", "近江社区" if number % 3 == 0 else "", f"莫邪塘{number // 3 + 1}-1-202", f"测{'甲乙丙丁戊'[number % 5]}", own,
        "户主" if number % 3 == 0 else "子女", "男" if int(own[16]) % 2 else "女", f"{own[6:10]}-{own[10:12]}-{own[12:14]}", f"139{number:08d}", "x",
    ]  # fmt: skip


def disabled_row(number):
    own = made_id(number)
    return [f"测{'甲乙丙丁戊'[number % 5]}", "男" if int(own[16]) % 2 else "女", own, f"{own}41", "肢体", "一级", f"清水苑{number}幢1单元101室", "近江社区", "", str(number)]  # fmt: skip


LISTS = {"household_register": (REGISTER, register_row), "disabled": (DISABLED, disabled_row)}
DIRT = ("", " ", "　", "同上", "〃", "合计", "小计：3", "无", "0", "330102198503231000", "1.1E+17", "张三", "13800000000", "2026-13-40", "填表人：李", "a,b", 'q"q', "x\ny", "\x00", "𠮷", "不详", "审核：", "电话13912345678")  # fmt: skip


def as_bytes(lines, encoding="utf-8"):
    import csv

    out = io.StringIO(newline="")
    csv.writer(out).writerows(lines)
    return out.getvalue().encode(encoding)


def streamed(content):
    return stream_delimited(lambda: io.BufferedReader(io.BytesIO(content)), len(content))


@st.composite
def dirty_lists(draw):
    code = draw(st.sampled_from(sorted(LISTS)))
    header, row = LISTS[code]
    rows = [row(number) for number in range(draw(st.integers(1, 40)))]
    for _ in range(draw(st.integers(0, 6))):
        index = draw(st.integers(0, len(rows) - 1))
        kind = draw(
            st.sampled_from(
                ("cell", "cell", "cell", "row", "long", "short", "header", "blank", "total", "example")
            )
        )
        if kind == "cell":
            rows[index] = list(rows[index])
            if rows[index]:
                rows[index][draw(st.integers(0, len(rows[index]) - 1))] = draw(st.sampled_from(DIRT))
        elif kind == "row":
            rows.append(list(rows[index]))
        elif kind == "example":
            rows[index] = list(rows[index])
            for name, cell in (
                ("姓名", "王小兰"),
                ("身份证号", "11010519491231002X"),
                ("现住址", "望江家园12幢1单元301室"),
            ):
                if name in header and header.index(name) < len(rows[index]):
                    rows[index][header.index(name)] = cell
        elif kind == "long":
            rows[index] = [*rows[index], "多"]
        elif kind == "short":
            rows[index] = list(rows[index])[:-2]
        elif kind == "header":
            rows.insert(index, list(header))
        elif kind == "blank":
            rows.insert(index, [""] * len(header))
        else:
            rows.insert(index, ["合计", *[""] * (len(header) - 1)])
    return code, [list(header), *rows]


def sealed(protector, contract, all_batches):
    """What would be stored, ciphertexts opened, and what repeats."""
    sealer = BatchSealer(protector, Delivery(7, contract, "0" * 64, ARRIVAL, ARRIVAL))
    repeats, found, counts = Repeats(contract), [], []
    for batch in all_batches:
        result = sealer.seal(batch)
        repeats.add(result.trace)
        counts.append(
            (result.accepted_count, result.quarantined_count, result.footer_count, result.warning_count,
             result.rounded_evident, result.rounded_doubtful)
        )  # fmt: skip
        for block, columns in (
            (result.raw, [column.name for column in contract.raw_columns]),
            (result.quarantined, None),
            (result.warnings, None),
        ):
            for line in block.decode().splitlines():
                found.append(opened(protector, line, columns))
    places = sorted(
        (w.sheet_name, w.row_number, w.rule, w.message) for w in repeats.warnings()
    )  # fmt: skip
    return sorted(found), [sum(one) for one in zip(*counts, strict=True)], places


def opened(protector, line, columns):
    fields = line.split("\t")
    if columns is None:  # where a ciphertext stands says nothing here; its plaintext is looked at in raw
        return "\t".join(
            "*" if field.startswith(f"{protector.active_key_id}:") else field for field in fields
        )
    record = fields[0]
    clear = []
    for name, field in zip(columns, fields, strict=True):
        if name.endswith("_encrypted") and field != "\\N":
            context = "row" if name == "source_row_encrypted" else name.removesuffix("_encrypted")
            field = protector.decrypt(field, f"{context}|{record}")
        clear.append(field)
    return "\t".join(clear)


@settings(max_examples=150)
@given(dirty_lists())
def test_a_large_file_is_judged_and_sealed_like_its_rows_one_by_one(protector, case):
    code, lines = case
    contract, content = CONTRACTS[code], as_bytes(lines)
    small, large = read_delimited(content), streamed(content)
    assert [tuple(row) for row in large.sheets[0].rows] == [tuple(row) for row in small.sheets[0].rows]
    other = choose_tables(large, contract)
    # The same table; that a second one stands below it is looked for in small files only.
    one = Layout(
        [(replace(sheet, rows=list(sheet.rows)), header) for sheet, header in other.tables], list(other.notes)
    )
    by_row = [list(source_rows(one, contract))]
    previous = batches.BATCH_ROWS
    batches.BATCH_ROWS = 7
    try:
        in_batches = [unpacked(packed(batch)) for batch in batches_of(other, contract)]
    finally:
        batches.BATCH_ROWS = previous
    assert sealed(protector, contract, by_row) == sealed(protector, contract, in_batches)
    assert one.notes == other.notes


@pytest.mark.parametrize(
    ("code", "index", "position"),
    [
        ("disabled", 1500, 6),
        ("disabled", 1999, 9),
        ("household_register", 1500, 2),  # of the head's row, which members' rows are filled down from
        ("household_register", 1501, 0),
        ("household_register", 1502, 9),  # under a header that the contract does not know
    ],
)
def test_b39_a_cell_beyond_all_measure_takes_its_row_out_of_the_fast_way(protector, code, index, position):
    header, row = LISTS[code]
    lines = [row(number) for number in range(3000)]
    lines[index][position] = "长" * 100_000
    contract = CONTRACTS[code]

    def batches():
        return list(batches_of(choose_tables(streamed(as_bytes([header, *lines])), contract), contract))

    assert all(isinstance(batch, Table) for batch in batches()), "so long is allowed"
    lines[index][position] += "长"
    found = batches()
    (rows,) = [batch for batch in found if not isinstance(batch, Table)]
    (faulty,) = [source for source in rows if source.fault]
    name = next((column.name for column in contract.columns if column.header == header[position]), None)
    assert (faulty.fault, faulty.fault_column, faulty.row_number) == ("cell_too_long", name, index + 2)
    layout = choose_tables(read_delimited(as_bytes([header, *lines])), contract)
    by_row = [list(source_rows(layout, contract))]
    in_batches = [unpacked(packed(batch)) for batch in found]
    assert sealed(protector, contract, by_row) == (fast := sealed(protector, contract, in_batches))
    assert fast[1][:2] == [2999, 1]


@pytest.mark.parametrize("code", sorted(LISTS))
def test_a_clean_file_is_tables_and_never_cuts_a_household(code):
    header, row = LISTS[code]
    layout = choose_tables(streamed(as_bytes([header, *map(row, range(5000))])), CONTRACTS[code])
    found = list(batches_of(layout, CONTRACTS[code]))
    assert all(isinstance(batch, Table) for batch in found)
    assert sum(len(batch.numbers) for batch in found) == 5000
    if code == "household_register":
        blocks = [set(batch.block_nos) for batch in found]
        assert not any(one & other for one, other in itertools.pairwise(blocks))
        assert found[0].filled["community_name"][:3] == ["近江社区"] * 3
        assert found[0].row(1).delivered.get("社区") is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_encoding_of_a_large_file_is_told_as_of_a_small_one(encoding):
    content = as_bytes([REGISTER, *map(register_row, range(50))], encoding)
    large, small = streamed(content), read_delimited(content)
    assert large.how == small.how
    assert list(large.sheets[0].rows) == small.sheets[0].rows


def test_a_large_file_that_ends_in_half_a_character_or_an_open_quote_is_refused_when_it_is_read():
    content = as_bytes([REGISTER, *map(register_row, range(500))], "gb18030")
    for damaged, code in ((content + b"\x81", "not_decodable"), (content + b'"open\n', "broken_quoting")):
        with pytest.raises(UnreadableFile) as refusal:
            list(streamed(damaged).sheets[0].rows)
        assert refusal.value.code == code


def test_the_last_rows_are_found_from_the_end():
    content = as_bytes([REGISTER, *map(register_row, range(5000)), ["填报日期：2026年7月5日"]])
    rows = streamed(content).sheets[0].rows
    assert [row.cells[0] for row in rows.last(2)] == ["WJ001666", "填报日期：2026年7月5日"]
    quoted = content + as_bytes([['a"b', "c\nd"]])
    assert [row.cells[0] for row in streamed(quoted).sheets[0].rows.last(1)] == ['a"b']


def test_memory_does_not_grow_with_the_file(protector):
    contract = CONTRACTS["household_register"]
    peaks = []
    for count in (5_000, 50_000):
        content = as_bytes([REGISTER, *map(register_row, range(count))])
        sealer = BatchSealer(protector, Delivery(7, contract, "0" * 64, ARRIVAL, ARRIVAL))
        tracemalloc.start()
        rows = 0
        for batch in batches_of(choose_tables(streamed(content), contract), contract):
            result = sealer.seal(batch)
            rows += result.accepted_count + result.quarantined_count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert rows == count
    assert peaks[1] < peaks[0] * 3 + 60_000_000, "known texts are bounded"


def test_the_same_row_and_the_same_number_are_found_wherever_they_stand(protector):
    contract = CONTRACTS["disabled"]
    rows = [disabled_row(number) for number in range(3000)]
    rows.append([*rows[10][:-1], "9999"])
    rows.append(["别人", *rows[20][1:]])
    random.Random(7).shuffle(rows)
    layout = choose_tables(streamed(as_bytes([DISABLED, *rows])), contract)
    _, _, repeats = sealed(protector, contract, batches_of(layout, contract))
    assert sorted({rule for _, _, rule, _ in repeats}) == ["duplicate_of_row", "id_shared_by_two_names"]
