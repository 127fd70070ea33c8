"""Many cells at once, and doors read by their neighbours: always what each cell gives by itself."""

from datetime import date

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.addresses.gazetteer import EMPTY, Entry, gazetteer_of
from ingest.contract import load_contracts
from ingest.cross_checks import Differ, IdFact, RelationSex
from ingest.normalise.dates import _parse_written, parse_date
from ingest.normalise.ids import MISSING, ParsedId, check_character, parse_id, parse_right_ids
from ingest.normalise.names import parse_name, parse_plain_names
from ingest.values import CellReader

ARRIVAL = date(2026, 11, 24)
CONTRACTS = load_contracts()
COLUMNS = {column.semantic_type: column for contract in CONTRACTS.values() for column in contract.columns}
KNOWN = gazetteer_of(
    [Entry("清水苑", "近江社区"), Entry("莫邪塘", None, ("莫衙塘",), True), Entry("阳光10", None)]
)

NAMES = ("清水苑", "莫邪塘", "莫衙塘小区", "八一新村", "阳光", "五福新村丙区 ", "望江路12号清水苑", "杭州市上城区平安路28号南苑新村", "自建房5组", "三里亭苑六层", "柳浦 五", "十五家园乙区", "采荷新村3", "胡同", "采荷1幢2单元6楼", "对面", "工人村", "村四组", "原清水苑", "X苑", "曹杨2村", "第三")  # fmt: skip
numbers = st.one_of(st.integers(0, 12).map(str), st.integers(0, 1300).map(str), st.sampled_from(("01", "007", "0")))  # fmt: skip
doors = st.builds(
    lambda *parts: "".join(parts),
    st.sampled_from(NAMES),
    numbers,
    st.sampled_from(("幢", "栋", "座", "号楼", "#", "-", "号", "组")),
    st.one_of(st.just(""), st.builds(lambda n, word: n + word, numbers, st.sampled_from(("单元", "-", "层", "楼")))),
    numbers,
    st.sampled_from(("", "室", "号", "A")),
)  # fmt: skip


@settings(max_examples=600)
@given(st.sampled_from((EMPTY, KNOWN)), st.lists(doors, min_size=2, max_size=30))
@example(EMPTY, ["清水苑3幢1单元202室", "清水苑5幢2单元701室", "清水苑5幢2单元70室"])
@example(KNOWN, ["清水苑3-202", "清水苑5-701", "阳光10幢202", "阳光11幢202"])
def test_an_address_is_read_alike_whoever_lives_next_door(gazetteer, texts):
    together = CellReader(ARRIVAL, gazetteer=gazetteer)
    alone = [CellReader(ARRIVAL, gazetteer=gazetteer)._read_address(text) for text in texts]
    assert together.read_all(COLUMNS["address"], texts) == alone


digits = st.text("0123456789", min_size=17, max_size=17)
ids = st.one_of(
    digits.map(lambda first: first + check_character(first)),
    st.builds(
        lambda area, birth, order: (first := f"{area}{birth:%Y%m%d}{order:03d}") + check_character(first),
        st.sampled_from(("330102", "000000", "110101", "912345")),
        st.dates(date(1850, 1, 1), date(2030, 1, 1)),
        st.integers(0, 999),
    ),
    digits.map(lambda first: first + "7"),
    digits.map(lambda first: first + "x"),
    st.text("0123456789X/:９", min_size=17, max_size=19),
)


@settings(max_examples=300)
@given(st.lists(ids, max_size=20))
def test_many_ids_at_once_are_each_read_as_by_itself(texts):
    for text, read in zip(texts, parse_right_ids(texts, ARRIVAL), strict=True):
        alone = parse_id(text, ARRIVAL)
        assert read in (None, alone)
        if alone.kind == "valid" and alone.text == text:
            assert read == alone


@settings(max_examples=300)
@given(st.lists(st.one_of(st.text("张三王万单乾隆曾藉口髙濵瞭解徵於于〇无名氏已故发展後后·a锟斤拷\n ", max_size=5), st.text(max_size=5))))  # fmt: skip
def test_many_names_at_once_are_each_read_as_by_itself(texts):
    for text, read in zip(texts, parse_plain_names(texts), strict=True):
        assert read in (None, parse_name(text))


CELLS = ("", " ", "无", "0", "#N/A", "330102198503231000", "1990.1.2 0:00:00", "2014年1月5日", "19610906", "1990-00-00", "0000-01-01", "1990-02-30 0:00", "张三", "13912345678", "179 8297 3043", "男", "是", "1,234", "慢性病", "\x00", "a\\b\tc", "电话13912345678")  # fmt: skip


@pytest.mark.parametrize("kind", sorted(COLUMNS))
@pytest.mark.parametrize("rounded_ids", [False, True])
def test_many_cells_at_once_are_each_read_as_by_itself(kind, rounded_ids):
    column = COLUMNS[kind]
    alone = CellReader(ARRIVAL, rounded_ids=rounded_ids)
    expected = [alone.read(column, cell or None) for cell in CELLS]
    assert CellReader(ARRIVAL, rounded_ids=rounded_ids).read_all(column, CELLS) == expected


people = st.sampled_from(
    (
        MISSING,
        ParsedId("valid", "330102198503230012", date(1985, 3, 23), "1", "330102"),
        ParsedId("valid", "330102198503230020", date(1985, 3, 23), "2", "330102"),
        ParsedId("checksum_wrong", "330102198503230013"),
    )
)
rows = st.fixed_dictionaries(
    {"id": people, "other": people, "sex": st.sampled_from((None, "0", "1", "2", "9")),
     "birth": st.sampled_from((None, date(1985, 3, 23), date(1990, 1, 1))), "relation": st.sampled_from((None, "01", "10", "20"))}
)  # fmt: skip
CHECKS = (
    IdFact(rule="a", source="", id="id", fact="birth_date", column="birth"),
    IdFact(rule="b", source="", id="id", fact="sex_code", column="sex"),
    RelationSex(rule="c", source="", relation="relation", id="id", sex="sex", sexes={"10": "1", "20": "2"}),
    RelationSex(rule="d", source="", relation="relation", id="id", sexes={"10": "1", "20": "2"}),
    Differ(rule="e", source="", column="id", other="other"),
)


@settings(max_examples=300)
@given(st.lists(rows, min_size=1, max_size=20))
def test_a_check_over_columns_looks_at_every_row_in_which_it_finds_something(people):
    columns = {name: [row[name] for row in people] for name in people[0]}
    for check in CHECKS:
        found = {index for index, row in enumerate(people) if check.find(row, ARRIVAL)}
        assert found <= set(check.rows_to_look_at(columns, ARRIVAL))


@settings(max_examples=300)
@given(
    st.builds(
        "{:04d}{}{}{}{}{}{}".format,
        st.integers(0, 2200),
        st.sampled_from(("-", "/", ".", "年", "")),
        st.sampled_from(("1", "01", "10", "12", "13", "0", "00")),
        st.sampled_from(("-", "/", ".", "月", "")),
        st.sampled_from(("1", "01", "29", "31", "32", "0", "00")),
        st.sampled_from(("", "日")),
        st.sampled_from(("", " 0:00", " 00:00:00", " 0:00:00", " 1:00")),
    )
)
def test_a_date_as_nearly_all_are_written_is_read_as_by_the_long_way(text):
    assert parse_date(text) == _parse_written(text)
