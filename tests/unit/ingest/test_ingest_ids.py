"""Document numbers: what is valid, what is only evidence, what is never repaired."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.normalise.ids import (
    check_character,
    damaged_number,
    is_rounded,
    looks_like_id,
    parse_certificate,
    parse_id,
)

# The textbook example of GB 11643 and synthetic numbers of our own making.
EXAMPLE = "11010519491231002X"


def made_id(area="330102", birth="19850323", sequence="123"):
    first_17 = area + birth + sequence
    return first_17 + check_character(first_17)


IDS = st.builds(
    made_id,
    st.sampled_from(["330102", "110105", "520103", "810000", "650102"]),
    st.dates(date(1900, 1, 1), date(2026, 1, 1)).map(lambda day: f"{day:%Y%m%d}"),
    st.integers(0, 999).map(lambda number: f"{number:03d}"),
)


def test_a_valid_id_gives_its_facts():
    parsed = parse_id(EXAMPLE)
    assert (
        parsed.kind,
        parsed.text,
        parsed.birth_date,
        parsed.sex_code,
        parsed.area_code,
        parsed.finding,
    ) == (
        "valid",
        EXAMPLE,
        date(1949, 12, 31),
        "2",
        "110105",
        None,
    )


@pytest.mark.parametrize(
    "written",
    [
        EXAMPLE.lower(),
        "１１０１０５１９４９１２３１００２Ｘ",
        "'110105 19491231 002x",
        "\t11010519491231002X ",
        "110105\u200b19491231\u00a0002X",
        "11010519491231002×",
        "身份证:11010519491231002X",
    ],
)
def test_spellings_of_an_id_are_one_id(written):
    parsed = parse_id(written)
    assert (parsed.kind, parsed.text) == ("valid", EXAMPLE)


@given(IDS, st.sampled_from(["{}", " {} ", "'{}", "{}\u200b"]), st.booleans())
def test_every_id_with_a_right_check_character_is_valid_and_tells_its_birth_date(number, spelling, lower):
    parsed = parse_id(spelling.format(number.lower() if lower else number))
    assert (parsed.kind, parsed.text) == ("valid", number)
    assert f"{parsed.birth_date:%Y%m%d}" == number[6:14]
    assert parsed.sex_code == ("1" if int(number[16]) % 2 else "2")


@given(IDS, st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_never_valid(number, place, shift):
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    parsed = parse_id(wrong)
    assert parsed.kind in ("checksum_wrong", "damaged")
    assert parsed.birth_date is parsed.sex_code is parsed.area_code is None


@given(IDS.filter(lambda number: number[6:8] == "19" and number[14:17] < "996"))
def test_a_15_digit_id_is_upgraded(number):
    parsed = parse_id(number[:6] + number[8:17])
    assert (parsed.kind, parsed.text, parsed.finding) == ("valid", number, "id_of_15_digits")


def test_the_handbook_example_of_15_digits():
    assert parse_id("130503670401001").text == "130503196704010016"


@pytest.mark.parametrize(
    ("written", "kind", "finding"),
    [
        ("", "missing", None),
        ("无", "missing", None),
        ("不详", "missing", None),
        ("—", "missing", None),
        ("待补", "missing", None),
        ("110105********002X", "masked", "id_masked"),
        ("110105＊＊＊＊＊＊＊＊002X", "masked", "id_masked"),
        ("110105XXXXXXXX0021", "masked", "id_masked"),
        ("1.10105E+17", "damaged", "id_rounded"),
        ("110105194912310000", "damaged", "id_rounded"),
        ("1101051949123100", "damaged", "id_wrong_length"),
        ("11010519491231002X1", "damaged", "id_wrong_length"),
        ("110105194912310021", "checksum_wrong", "id_checksum_wrong"),
        (made_id(birth="19900231"), "checksum_wrong", "id_birth_date_impossible"),
        (made_id(birth="18500101"), "checksum_wrong", "id_birth_date_impossible"),
        (made_id(area="990102"), "other_document", None),
        (made_id(area="180102"), "valid", "id_area_unknown"),
        (f"{EXAMPLE}/{made_id()}", "damaged", "id_several_numbers"),
        (f"{EXAMPLE}(本人)", "valid", "id_with_other_text"),
        (f"{EXAMPLE}41", "valid", "id_is_certificate"),
        ("H12345678", "other_document", None),
        ("M1234567801", "other_document", None),
        ("USA123456789012", "other_document", None),
        ("E12345678", "other_document", None),
        ("张三", "damaged", "id_no_number"),
        ("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", "damaged", "id_no_number"),
    ],
)
def test_kinds_of_numbers(written, kind, finding):
    parsed = parse_id(written)
    if finding == "id_no_number":
        assert parsed.kind == kind
    else:
        assert (parsed.kind, parsed.finding) == (kind, finding)


def test_nobody_is_born_after_the_delivery_arrived():
    number = made_id(birth="20260801")
    assert parse_id(number, date(2026, 8, 1)).kind == "valid"
    assert parse_id(number, date(2026, 7, 31)).finding == "id_birth_date_impossible"


def test_a_number_cell_is_never_repaired():
    parsed = damaged_number("110105194912310021")
    assert (parsed.kind, parsed.finding, parsed.birth_date) == ("damaged", "id_stored_as_number", None)


def test_a_rounded_number_is_told_by_its_shape():
    assert is_rounded("330102198503231000")
    assert is_rounded("3.30102E+17")
    assert not is_rounded(EXAMPLE)


@given(st.text())
def test_any_text_gives_a_kind(text):
    parsed = parse_id(text)
    assert parsed.kind in ("valid", "checksum_wrong", "masked", "damaged", "other_document", "missing")
    assert (parsed.birth_date is not None) == (parsed.kind == "valid")
    assert looks_like_id(text) in (True, False)


@given(st.text())
def test_parsing_an_id_again_changes_nothing(text):
    parsed = parse_id(text)
    if parsed.kind in ("valid", "checksum_wrong"):
        assert parse_id(parsed.text).text == parsed.text


@pytest.mark.parametrize(
    ("written", "kind", "facts"),
    [
        (f"{EXAMPLE}41", "valid", (EXAMPLE, "4", "1")),
        (f"{EXAMPLE}73B1", "valid", (EXAMPLE, "7", "3")),
        (f"{EXAMPLE.lower()}41b2", "valid", (EXAMPLE, "4", "1")),
        (f"{EXAMPLE}4", "damaged", (None, None, None)),
        (f"{EXAMPLE}85", "damaged", (None, None, None)),
        ("11010519491231002141", "damaged", (None, None, None)),
        ("无", "missing", (None, None, None)),
    ],
)
def test_disability_certificates(written, kind, facts):
    parsed = parse_certificate(written)
    assert (parsed.kind, (parsed.id_text, parsed.category_code, parsed.level_code)) == (kind, facts)
