"""What a column of each semantic type becomes in ``raw``: columns, SQL types, meanings (docs/tables.md).

Not here: how a value of the type is read (``values``), and the tables themselves (``raw_tables``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# What a contract column `x` of a semantic type becomes in raw: suffix of the column, SQL type, meaning.
RAW_COLUMNS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "text": (("", "text", ""),),
    "person_name": (
        ("", "text", "（照原样，去掉首尾空白）"),
        ("_key", "text", "：匹配用的写法（简体、去空格和间隔号）"),
        ("_pinyin", "text", "：拼音"),
    ),
    "id_no": (
        ("_encrypted", "text", "：密文"),
        ("_token", "text", "：令牌，相等比较用"),
        ("_masked", "text", "：掩码"),
        (
            "_kind",
            "text",
            "：valid、checksum_wrong、masked、damaged、other_document、missing 之一",
        ),
        ("_birth_date", "date", "：证件号中的出生日期"),
        ("_sex_code", "text", "：证件号中的性别（GB/T 2261.1）"),
        ("_area_code", "text", "：证件号中的地区码（GB/T 2260）"),
    ),
    "disability_certificate": (
        ("_encrypted", "text", "：密文"),
        ("_token", "text", "：令牌，相等比较用"),
        ("_masked", "text", "：掩码"),
        ("_kind", "text", "：valid、damaged、missing 之一"),
        ("_category_code", "text", "：证号第 19 位的残疾类别"),
        ("_level_code", "text", "：证号第 20 位的残疾等级"),
    ),
    "phone": (
        ("_encrypted", "text", "：密文"),
        ("_token", "text", "：令牌，相等比较用"),
        ("_masked", "text", "：掩码"),
        ("_kind", "text", "：mobile、landline、filler、invalid、missing 之一"),
    ),
    "address": (
        ("", "text", "（照原样）"),
        ("_key", "text", "：门牌键 小区|幢|单元|室，只在解析完整时有"),
        ("_status", "text", "：FULL、NO_ROOM、NO_UNIT、POI_ONLY、AMBIGUOUS、UNPARSED 之一"),
        ("_compound", "text", "：小区或门牌所属的路弄、组"),
        ("_building", "text", "：幢"),
        ("_unit", "text", "：单元"),
        ("_room", "text", "：室"),
        ("_community", "text", "：地址里写明的社区"),
    ),
    "date": (("", "date", ""),),
    "datetime": (("", "timestamptz", ""),),
    "integer": (("", "integer", ""),),
    "code": (("", "text", "（代码）"),),
    "codes": (("", "text[]", "（代码，可多个）"),),
    "boolean": (("", "boolean", ""),),
    "protected_text": (("_encrypted", "text", "：密文"),),
    "amount": (("_encrypted", "text", "：密文"),),
    "bank_account": (("_encrypted", "text", "：密文"),),
    "diagnosis": (("_encrypted", "text", "：密文"),),
}

# Every raw table begins and ends with these (docs/tables.md).
META_COLUMNS: Final = (
    ("record_id", "text", "来源行号：清单、文件内容、工作表和行号的摘要"),
    ("delivery_id", "bigint", "所属交付，见 ops.delivery"),
    ("sheet_name", "text", "工作表名；文本文件或只有一张表的工作簿为空"),
    ("row_number", "integer", "文件或工作表中的行号，含表头，照人数的数法"),
    ("block_no", "integer", "家庭块在本次交付中的序号；不是家庭块版式时为空"),
)
SOURCE_ROW_COLUMN: Final = ("source_row_encrypted", "text", "交来时的整行：密文")


@dataclass(frozen=True)
class RawColumn:
    """One column of a raw table."""

    name: str
    sql_type: str
    comment: str
