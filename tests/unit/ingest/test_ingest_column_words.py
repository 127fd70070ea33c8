"""What rules say of single columns: every allowed value, every limit, the form of the template."""

from infra.errors import PermanentError
from ingest.column_words import words, words_of
from ingest.contract import load_contracts
from ingest.guards import facts_of

COLUMNS = [(contract, column) for contract in load_contracts().values() for column in contract.columns]


def column(list_code, name):
    found = load_contracts()[list_code].column(name)
    assert found is not None
    return found


def test_codes_name_what_is_allowed_and_long_lists_say_where_the_rest_stands():
    for _, each in COLUMNS:
        if each.semantic_type not in ("code", "codes"):
            continue
        names = list(each.code_list.codes.values())
        _, remedy = words_of("code_unknown", each)
        assert all(name in remedy for name in names[:12])
        assert ("填表说明" in remedy) == (len(names) > 12)


def test_numbers_say_their_limits():
    assert words_of("integer_out_of_range", column("visit", "satisfaction_score"))[0] == (
        "数字超出范围，应为 1 至 5，没有取值"
    )


def test_dates_are_shown_in_the_form_of_the_column():
    _, remedy = words_of("date_unreadable", column("visit", "visited_at"))
    assert remedy == "按 2026-10-08 09:30 的样子填写"
    _, remedy = words_of("time_impossible", column("visit", "entered_at"))
    assert remedy == "按 2026-10-08 09:30 的样子填写"
    for _, each in COLUMNS:
        if each.is_month:
            assert words_of("date_unreadable", each)[1] == "按 2026-10 的样子填写"


def test_what_a_contract_words_itself_comes_first():
    for contract in load_contracts().values():
        for rule, own in contract.checks.wordings.items():
            assert words(rule, None, contract) == own


def test_a_reason_without_what_it_asks_for():
    reason = "本次 5 行，上次 27 行，少了 22 行（上限 30%）。请核对清单是否完整、是否重复；确认无误后由数据人员放行。"
    assert facts_of(reason) == "本次 5 行，上次 27 行，少了 22 行（上限 30%）。"
    assert facts_of("没有一行写明社区。") == "没有一行写明社区。"
    assert facts_of(None) == ""


def test_nobody_is_asked_twice_in_a_sentence():
    assert "请：请" not in str(
        PermanentError("放行来件 3", came="它没有行", next_step="请报送单位改正后重新报送")
    )
