"""Names, phones, and the folding of text."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pypinyin import Style, lazy_pinyin

from ingest.normalise.names import _syllables, name_key, parse_name, pinyin_of
from ingest.normalise.phones import parse_phone
from ingest.normalise.texts import fold, has_unreadable_character, is_null, printable


@pytest.mark.parametrize(
    ("written", "name", "key", "pinyin", "finding"),
    [
        ("张三", "张三", "张三", "zhang san", None),
        (" 张 三\u3000", "张 三", "张三", "zhang san", None),
        ("张三\u200b", "张三", "张三", "zhang san", None),
        ("張偉", "張偉", "张伟", "zhang wei", None),
        ("呂髙濵", "呂髙濵", "吕高滨", "lv gao bin", None),
        ("萧红", "萧红", "肖红", "xiao hong", None),
        ("单雄信", "单雄信", "单雄信", "shan xiong xin", None),
        ("尉迟恭", "尉迟恭", "尉迟恭", "yu chi gong", None),
        ("仇和", "仇和", "仇和", "qiu he", None),
        ("阿卜杜·热依木", "阿卜杜·热依木", "阿卜杜热依木", "a bo du re yi mu", None),
        ("阿卜杜．热依木", "阿卜杜．热依木", "阿卜杜热依木", "a bo du re yi mu", None),
        ("⻩⻓⻰", "⻩⻓⻰", "黄长龙", "huang chang long", None),
        ("张三（已故）", "张三（已故）", "张三", "zhang san", "name_with_note"),
        ("张三(户主)", "张三(户主)", "张三", "zhang san", "name_with_note"),
        ("王芳之女", "王芳之女", "王芳之女", "wang fang zhi nv", None),
        ("NA", "NA", "NA", "na", None),
        ("王?", "王?", "王?", "wang ?", "name_with_question_mark"),
        ("李𠮷", "李𠮷", "李𠮷", "li 𠮷", None),
    ],
)
def test_names(written, name, key, pinyin, finding):
    parsed = parse_name(written)
    assert (parsed.name, parsed.key, parsed.pinyin, parsed.finding) == (name, key, pinyin, finding)


@pytest.mark.parametrize("written", ["", "无", "不详", "-", "—", "　", "/"])
def test_no_name(written):
    parsed = parse_name(written)
    assert parsed.name is None
    assert parsed.is_usable


@pytest.mark.parametrize(
    ("written", "finding"),
    [
        ("11010519491231002X", "name_of_another_column"),
        ("13800138001", "name_of_another_column"),
        ("1990-01-02", "name_of_another_column"),
        ("男", "name_of_another_column"),
        ("清水苑3幢2单元501室", "name_of_another_column"),
        ("李\ue000四", "name_unreadable"),
        ("李\ufffd四", "name_unreadable"),
        ("李\x01四", "name_unreadable"),
        ("李\u202e四", "name_unreadable"),
        ("锟斤拷", "name_unreadable"),
    ],
)
def test_what_is_no_name_is_told(written, finding):
    parsed = parse_name(written)
    assert (parsed.is_usable, parsed.name, parsed.finding) == (False, None, finding)


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_not_and_its_key_stays(text):
    parsed = parse_name(text)
    if parsed.key is not None:
        assert parsed.key
        assert name_key(parsed.key) == parsed.key
        assert pinyin_of(parsed.key) == parsed.pinyin


@given(
    st.text(alphabet="张王李赵欧阳建国伟芳", min_size=2, max_size=4),
    st.sampled_from([" ", "\u3000", "\u200b", "\u00a0"]),
)
def test_spaces_do_not_change_the_key(name, space):
    assert parse_name(name[0] + space + name[1:] + space).key == parse_name(name).key


@pytest.mark.parametrize(
    ("written", "kind", "text"),
    [
        ("13905711234", "mobile", "13905711234"),
        ("+8613905711234", "mobile", "13905711234"),
        ("86-139-0571-1234", "mobile", "13905711234"),
        ("139 0571 1234", "mobile", "13905711234"),
        ("139-0571-1234", "mobile", "13905711234"),
        ("１３９０５７１１２３４", "mobile", "13905711234"),
        ("013905711234", "mobile", "13905711234"),
        ("13905711234.0", "mobile", "13905711234"),
        ("13905711234/13805711234", "mobile", "13905711234"),
        ("87654321、13905711234", "mobile", "13905711234"),
        ("0571-87654321", "landline", "057187654321"),
        ("(0571)87654321", "landline", "057187654321"),
        ("0571-87654321-802", "landline", "057187654321"),
        ("87654321", "landline", "87654321"),
        ("400-820-8820", "landline", "4008208820"),
        ("11111111111", "filler", "11111111111"),
        ("13800000000", "filler", "13800000000"),
        ("13800138000", "filler", "13800138000"),
        ("00000000000", "filler", "00000000000"),
        ("1390571123", "invalid", "1390571123"),
        ("139057112345", "invalid", "139057112345"),
        ("12905711234", "invalid", "12905711234"),
        ("没有电话", "invalid", "没有电话"),
        ("无", "missing", ""),
        ("", "missing", ""),
        ("-", "missing", ""),
    ],
)
def test_phones(written, kind, text):
    parsed = parse_phone(written)
    assert (parsed.kind, parsed.text) == (kind, text)


@given(st.text())
def test_any_text_is_a_phone_of_some_kind(text):
    parsed = parse_phone(text)
    assert parsed.kind in ("mobile", "landline", "filler", "invalid", "missing")
    if parsed.kind in ("mobile", "landline"):
        assert parsed.text.isdigit()
        assert parse_phone(parsed.text) == type(parsed)(parsed.kind, parsed.text)


@given(st.text())
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)
    assert not has_unreadable_character(fold(printable("张三")))


@pytest.mark.parametrize("written", ["", "无", "不详", "-", "——", "/", "N/A", "na", "待补", "0", "－"])
def test_ways_to_write_nothing(written):
    assert is_null(fold(written))


@given(st.text())
def test_printable_text_has_no_control_character_that_a_database_refuses(text):
    assert "\x00" not in printable(text)
    assert not any(0xD800 <= ord(character) <= 0xDFFF for character in printable(text))


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=2, max_size=4))
@example("重庆")
@example("长大了")
def test_reading_character_by_character_gives_what_pypinyin_reads_in_one(text):
    assert _syllables(text) == " ".join(lazy_pinyin(text, style=Style.NORMAL, v_to_u=False))
