"""The gazetteer: learned, decided, imported, and old rows read again with it."""

import openpyxl
import pytest
from ingest_lists import DISABLED_HEADER, REGISTER_HEADER, csv_bytes, disabled_rows, register_rows
from sqlalchemy import text

from infra.errors import PermanentError
from ingest.addresses.decisions import approve, open_proposals, reject
from ingest.addresses.entries import export_entries, import_entries, load_gazetteer
from ingest.addresses.learning import propose_entries
from ingest.addresses.rekeying import rekey_addresses
from ingest.addresses.review import apply_review, write_review
from ingest.contract import load_contracts

pytestmark = pytest.mark.database
CONTRACTS = load_contracts()
DOORS = (
    "select address, address_key, address_status, address_compound, address_building, address_unit, address_room, "
    "address_community from raw.disabled order by row_number"
)


def at(header, rows, column, addresses):
    place = header.index(column)
    return csv_bytes(
        header,
        [(*row[:place], address, *row[place + 1 :]) for row, address in zip(rows, addresses, strict=True)],
    )


def disabled_at(*addresses):
    rows = disabled_rows(len(addresses), communities=("近江社区",))
    return at(DISABLED_HEADER, rows, "现住址", addresses)


@pytest.fixture
def engine(warehouse):
    return warehouse.engine


@pytest.fixture
def proposals(engine):
    def proposals():
        propose_entries(engine, CONTRACTS)
        return {(each.kind, each.compound, each.alias): each for each in open_proposals(engine)}

    return proposals


@pytest.fixture
def keys(ask):
    return lambda: {row.address: row.address_key for row in ask(DOORS)}


@pytest.fixture
def taken(put, take):
    """Doors of a compound without units and of one with; words in front of a name; a name misspelled in another list."""
    addresses = (
        *(f"南镇花园{n}幢{n}01室" for n in range(1, 7)),
        *(f"清水苑{n}幢2单元501" for n in range(1, 6)),
        "王建国家清水苑3幢2单元501",
        "南镇花园2-202",
    )
    put("civil_affairs/disabled", "202607.csv", disabled_at(*addresses))
    rows = register_rows(4)
    wrong = [f"南镇花圆{n}幢{n}01室" for n in range(1, 5)]
    put("community/household_register", "202607.csv", at(REGISTER_HEADER, rows, "家庭住址", wrong))
    outcomes = take()
    assert {outcome.status for outcome in outcomes} == {"loaded"}


def test_compounds_at_enough_doors_are_proposed_with_their_evidence_and_not_used(taken, proposals, keys):
    before = keys()
    found = proposals()
    flat, high, alias = (
        found[key]
        for key in (("new", "南镇花园", ""), ("new", "清水苑", ""), ("alias", "南镇花园", "南镇花圆"))
    )
    assert len(found) == 3
    assert (flat.has_units, flat.door_count, flat.with_unit_count, flat.community) == (
        False,
        7,
        0,
        "近江社区",
    )
    assert (high.has_units, high.door_count, high.without_unit_count) == (True, 5, 0)
    assert (alias.door_count, alias.shared_door_count, alias.shared_person_count) == (4, 4, 4)
    assert 0.85 <= alias.similarity < 1
    assert keys() == before
    assert before["南镇花园1幢101室"] is None


def test_a_second_look_proposes_nothing_twice(taken, proposals):
    assert proposals() == proposals()


def test_an_approved_proposal_is_used_for_rows_that_are_in_already(engine, taken, proposals, keys, ask):
    ids = [each.proposal_id for each in proposals().values()]
    approve(engine, ids, "王主任")
    assert rekey_addresses(engine, CONTRACTS) == {"disabled": 8, "household_register": 4}
    after = keys()
    assert after["南镇花园1幢101室"] == "南镇花园|1||101"
    assert after["南镇花园2-202"] == "南镇花园|2||202"
    assert after["清水苑3幢2单元501"] == "清水苑|3|2|501"
    assert after["王建国家清水苑3幢2单元501"] is None
    register = ask("select address_key from raw.household_register order by row_number")
    assert [row.address_key for row in register] == [f"南镇花园|{n}||{n}01" for n in range(1, 5)]
    assert rekey_addresses(engine, CONTRACTS) == {}
    assert proposals() == {}
    decided = ask("select action, decided_by, entry from ops.gazetteer_decision order by decision_id")
    assert [(row.action, row.decided_by) for row in decided] == [("approve", "王主任")] * 3
    assert {row.status for row in ask("select status from ops.gazetteer_proposal")} == {"approved"}


def test_rows_taken_in_later_read_as_rows_read_again(engine, taken, proposals, put, take, keys, ask):
    approve(engine, [each.proposal_id for each in proposals().values()], "王主任")
    rekey_addresses(engine, CONTRACTS)
    again = [row.address for row in ask(DOORS)]
    before = ask(DOORS)
    put("civil_affairs/disabled", "202608.csv", disabled_at(*again) + b"\r\n")
    (outcome,) = take()
    new = ask(DOORS.replace("order by", f"where delivery_id = {outcome.delivery_id} order by"))
    old = ask(DOORS.replace("order by", f"where delivery_id <> {outcome.delivery_id} order by"))
    assert new == old == before
    assert rekey_addresses(engine, CONTRACTS) == {}


def test_reading_again_without_a_change_changes_no_row(engine, taken, ask):
    with engine.begin() as connection:
        connection.execute(text("update ops.delivery set gazetteer_version = 'another'"))
    before = ask(DOORS)
    assert rekey_addresses(engine, CONTRACTS) == {"disabled": 0, "household_register": 0}
    assert ask(DOORS) == before


def test_a_rejected_proposal_is_not_made_again(engine, taken, proposals, ask):
    found = proposals()
    rejected = found.pop(("alias", "南镇花园", "南镇花圆"))
    reject(engine, [rejected.proposal_id], "王主任")
    assert proposals() == found
    assert [row.action for row in ask("select action from ops.gazetteer_decision")] == ["reject"]
    with engine.connect() as connection:
        assert load_gazetteer(connection).version == ""
    with pytest.raises(PermanentError, match="已经决定过"):
        approve(engine, [rejected.proposal_id], "王主任")


def test_of_several_decisions_all_or_none_stands(engine, taken, proposals):
    found = proposals()
    with pytest.raises(PermanentError, match="没有这条建议"):
        approve(engine, [*(each.proposal_id for each in found.values()), 10**6], "王主任")
    assert proposals() == found


def test_approving_names_the_longer_names_that_lose_their_keys(engine, put, take, proposals):
    addresses = (
        *(f"庆和苑{n}幢1单元501" for n in range(1, 6)),
        *(f"南肖埠庆和苑{n}幢1单元501" for n in range(1, 6)),
    )
    put("civil_affairs/disabled", "202607.csv", disabled_at(*addresses))
    take()
    found = proposals()
    assert approve(engine, [found["new", "庆和苑", ""].proposal_id], "王主任") == ["南肖埠庆和苑"]


def decide_in(file, **decisions):
    book = openpyxl.load_workbook(file)
    sheet = book.active
    header = [cell.value for cell in sheet[1]]
    for row in sheet.iter_rows(min_row=2):
        told = row[header.index("建议")].value
        row[header.index("决定")].value = next((say for part, say in decisions.items() if part in told), None)
    (choice,) = sheet.data_validations.dataValidation
    assert choice.formula1 == '"同意,不同意"'
    book.save(file)


def test_the_review_sheet_carries_out_what_a_person_chose(engine, tmp_path, taken, proposals, ask):
    found, file = proposals(), tmp_path / "审核.xlsx"
    assert write_review(engine, file) == len(found) == 3
    assert apply_review(engine, file, "王主任") == (0, [])
    decide_in(file, 不分单元="同意", 南镇花圆="不同意")
    assert apply_review(engine, file, "王主任") == (2, [])
    decided = ask("select status, compound, alias, decided_by from ops.gazetteer_proposal order by 1, 2")
    assert [tuple(row) for row in decided] == [
        ("approved", "南镇花园", "", "王主任"),
        ("open", "清水苑", "", None),
        ("rejected", "南镇花园", "南镇花圆", "王主任"),
    ]
    with pytest.raises(PermanentError, match="对不上"):
        apply_review(engine, file, "王主任")


def test_a_decision_that_is_neither_changes_nothing(engine, tmp_path, taken, proposals):
    found, file = proposals(), tmp_path / "审核.xlsx"
    write_review(engine, file)
    decide_in(file, 不分单元="同意", 南镇花圆="再看看")
    with pytest.raises(PermanentError, match="读不懂"):
        apply_review(engine, file, "王主任")
    assert proposals() == found


LIST = "小区名称,所在社区,别名,是否分单元,楼号,来源,起用日期,停用日期\n"


def test_a_partners_list_is_imported_once_and_written_out_the_same(engine, tmp_path, taken, keys, ask):
    file, out = tmp_path / "公安.csv", tmp_path / "out.csv"
    file.write_text(
        f"{LIST}南镇花园小区,近江,南镇花圆,否,1幢；2；3；4；5；6,公安标准地址,2020-01-01,\n清水苑,近江,,是,,公安标准地址,,\n",
        encoding="gb18030",
    )
    assert import_entries(engine, file, "李警官") == 2
    assert import_entries(engine, file, "李警官") == 0
    rekey_addresses(engine, CONTRACTS)
    assert keys()["南镇花园2-202"] == "南镇花园|2||202"
    assert export_entries(engine, out) == 2
    assert import_entries(engine, out, "李警官") == 0
    logged = ask("select action, compound, decided_by from ops.gazetteer_decision order by compound")
    assert [tuple(row) for row in logged] == [
        ("import", "南镇花园", "李警官"),
        ("import", "清水苑", "李警官"),
    ]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("清水苑,近江,,也许,,,,\n,近江,,,,,,\n", r"第 2 行.*第 3 行"),
        ("清水苑,近江,望江,,,,,\n莫邪塘,近江,望江,,,,,\n", "望江.*同时指"),
        ("清水苑,近江,,是,,,,\n清水苑,近江,,否,,,,\n", "已有另一行"),
        ("清水苑,近江,,是,,,2026-02-30,\n", "日期读不懂"),
    ],
)
def test_a_list_with_mistakes_is_refused_whole(engine, tmp_path, ask, lines, why):
    file = tmp_path / "公安.csv"
    file.write_text(LIST + lines, encoding="utf-8")
    with pytest.raises(PermanentError, match=why):
        import_entries(engine, file, "李警官")
    assert ask("select 1 from ops.gazetteer union all select 1 from ops.gazetteer_decision") == []


def test_what_is_no_list_is_refused(engine, tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("地址,社区\n清水苑,近江\n", encoding="utf-8")
    with pytest.raises(PermanentError, match="表头"):
        import_entries(engine, file, "李警官")
