"""Garbled text: told for what it is after every usual wrong step, and never seen in sound text."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.contract import load_contracts
from ingest.placing import lay_out
from ingest.readers.delimited import read_delimited
from ingest.readers.garbled import is_garbled
from ingest.readers.sheet import Content, Row, Sheet, UnreadableFile

HEADER = "家庭编号,户主姓名,成员姓名,身份证号,与户主关系,性别,联系电话,家庭住址,社区,登记日期"
PERSON = "WJ01000002,张三,李秀英,,配偶,女,,望江街道清水苑3幢2单元501室,近江社区,2026-06-01"
SOUND = "\r\n".join([HEADER, *[PERSON] * 5])
# Not ASCII, no Chinese or none of the mainland's, no header of ours.
FOREIGN = {
    "French": "Prénom,Âge,Élève,Naïveté,Été",
    "German": "Größe,Straße,Müller,Ärger,Übung",
    "Russian": "Имя,Фамилия,Адрес,Телефон",
    "Japanese": "氏名,住所,電話番号,生年月日,カタカナ",
    "Korean": "이름,주소,전화번호,생년월일",
    "traditional": "姓名,身分證號,聯絡電話,戶籍地址,社區發展協會,鄰里",
    "rare characters": "王𠮷,龘靐齉,㐂㛃,甪直镇,亓官,禤氏,滘口社区,塱头村",
}


def content(text):
    rows = [Row(number, tuple(cells)) for number, cells in enumerate(csv.reader(io.StringIO(text)), start=1)]
    return Content([Sheet("", rows)], {})


@pytest.mark.parametrize("errors", ["ignore", "replace"])
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("utf-8", "gb18030"),
        ("utf-8", "gbk"),
        ("utf-8", "cp1252"),
        ("utf-8", "latin-1"),
        ("gb18030", "cp1252"),
        ("gb18030", "latin-1"),
    ],
)
def test_text_opened_with_the_wrong_encoding_and_saved_is_told(right, wrong, errors):
    garbled = SOUND.encode(right).decode(wrong, errors)
    assert is_garbled(read_delimited(garbled.encode("utf-8")))
    with pytest.raises(UnreadableFile) as caught:
        lay_out(
            load_contracts(), load_contracts()["household_register"], read_delimited(garbled.encode("utf-8"))
        )
    assert caught.value.code == "garbled_text"
    assert "乱码" in caught.value.reason
    assert "CSV UTF-8" in caught.value.reason


def test_text_whose_characters_are_lost_is_told():
    lost = SOUND.encode("gb18030").decode("utf-8", "replace")
    assert is_garbled(content(lost))
    assert is_garbled(content(lost.encode("utf-8").decode("gb18030", "replace")))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_sound_file_is_none_in_any_encoding_and_is_read(encoding):
    read = read_delimited(SOUND.encode(encoding))
    assert not is_garbled(read)
    assert lay_out(load_contracts(), load_contracts()["household_register"], read).tables


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_another_language_is_not_garbled(text):
    assert not is_garbled(content("\n".join([text] * 30)))


def test_a_sound_file_without_our_header_is_told_that_the_header_is_missing():
    with pytest.raises(UnreadableFile) as caught:
        lay_out(load_contracts(), load_contracts()["household_register"], content("楼栋,层数,电梯\n" * 30))
    assert caught.value.code == "no_header"


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=20, max_size=400))
def test_no_chinese_text_is_garbled_but_what_could_be_both(text):
    # Any characters at all, rare ones as often as common ones: few of their GBK bytes happen to be UTF-8.
    assert not is_garbled(content(text))
