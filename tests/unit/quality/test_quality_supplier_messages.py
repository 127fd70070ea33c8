"""What a department reads, and that nothing in it can become a header, a recipient or a tag (B83)."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import is_mail_address
from quality.messages import Alert, Attachment, build_message
from quality.supplier_messages import LISTED_ITEMS

RECIPIENTS = ("shuju@example.gov.cn", "keshi@example.gov.cn")
EVIL = st.text(max_size=60) | st.sampled_from(
    [
        "x\r\nBcc: thief@example.com",
        "x\nSubject: y",
        "\r\n\r\n<script>alert(1)</script>",
        "\u2028Bcc: z",
        "Bcc",
        "名" * 10_000,
        "<img src=x onerror=1>",
    ]
)
HEADERS = {
    "Subject", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
}  # fmt: skip


def receipt(**changes: Any) -> dict[str, Any]:
    return {
        "delivery_id": 12,
        "version": 1,
        "list_title": "低保对象花名册",
        "status": "loaded",
        "reason": None,
        "row_count": 57,
        "accepted_count": 55,
        "quarantined_count": 2,
        "warning_count": 3,
        "received_at": "2026-07-31T16:05:00+00:00",
        "kinds": [{"count": 2, "header": "姓名", "problem": "该栏为空", "remedy": "请核实后补填"}],
    } | changes


def due(**changes: Any) -> dict[str, Any]:
    return {
        "list_code": "low_income",
        "list_title": "低保对象花名册",
        "department": "civil_affairs",
        "status": "missing",
        "first_day": "2026-08-01",
        "last_day": "2026-08-31",
        "due_date": "2026-08-10",
        "days_late": 2,
        "delivery_id": None,
        "is_provisional": True,
    } | changes


def mail_of(payload: dict[str, Any], kind: str = "supplier", attachments: Any = ()) -> EmailMessage:
    alert = Alert(kind, payload, "<alert-1@yihu.invalid>", datetime(2026, 7, 31, 16, 30, tzinfo=UTC))
    built = build_message(alert, RECIPIENTS, "望江街道", attachments)
    return message_from_bytes(built.as_bytes(), policy=policy.default)  # type: ignore[return-value]


def supplier(
    *receipts: dict[str, Any], dues: tuple[dict[str, Any], ...] = (), name: str = "区民政局"
) -> dict[str, Any]:
    return {"receipts": list(receipts), "dues": list(dues), "department_name": name}


def body(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return part.get_content()


def test_a_clerk_reads_what_came_of_it_and_what_to_do() -> None:
    mail = mail_of(supplier(receipt(), dues=(due(),)))
    assert mail["Subject"] == "【一户】低保对象花名册（来件12）的回执：接收；1 份清单逾期未报"
    told = body(mail)
    assert "来件 12《低保对象花名册》（2026-08-01 00:05 收到，第 1 版回执）：接收" in told
    assert "- 2 条：“姓名”该栏为空。请核实后补填。" in told
    assert (
        "《低保对象花名册》2026-08-01 至 2026-08-31：逾期未报，应报日 2026-08-10（暂定），已逾期 2 天" in told
    )
    assert "1. 打开回执" in told
    assert "数据报送回执 · 望江街道" in body(mail, "html")


def test_nothing_to_mend_is_said_and_nothing_else_asked() -> None:
    mail = mail_of(supplier(receipt(warning_count=0, quarantined_count=0, accepted_count=57, kinds=[])))
    assert "没有需要改正的地方" in body(mail)
    assert "打开回执" not in body(mail)


def test_many_receipts_are_counted_and_the_newest_listed() -> None:
    mail = mail_of(supplier(*(receipt(delivery_id=n, status="refused") for n in range(100))))
    assert mail["Subject"] == "【一户】100 件来件的回执，100 件未使用"
    assert "另有较早的 70 份回执未列出" in body(mail)
    assert len(re.findall(r"^来件 ", body(mail), flags=re.MULTILINE)) == LISTED_ITEMS
    assert "来件 99《" in body(mail)


def test_data_staff_read_which_list_is_missing() -> None:
    mail = mail_of({"as_of": "2026-08-12", "items": [due(), due(status="late", delivery_id=9)]}, "due")
    assert mail["Subject"] == "【一户】1 份清单逾期未报，1 份迟报"
    assert "迟报 2 天，应报日 2026-08-10（暂定），来件 9" in body(mail)
    assert "逾期未报 2 天" in body(mail, "html")


@given(EVIL, EVIL, EVIL, EVIL)
def test_no_fact_becomes_a_header_a_recipient_or_a_tag(
    title: str, reason: str, header: str, name: str
) -> None:
    kinds = [{"count": 1, "header": header, "problem": reason, "remedy": title}]
    mail = mail_of(
        supplier(
            receipt(list_title=title, reason=reason, status="held", kinds=kinds),
            dues=(due(list_title=title),),
            name=name,
        )
    )
    assert set(mail.keys()) == HEADERS
    assert [address.addr_spec for address in mail["To"].addresses] == list(RECIPIENTS)
    assert len(str(mail["Subject"])) <= 100
    html = body(mail, "html")
    assert "<script" not in html
    assert "<img" not in html
    assert "\r\nBcc:" not in mail.as_string().split("\n\n")[0]


def test_attachments_have_names_of_ours_and_come_whole() -> None:
    mail = mail_of(supplier(receipt()), attachments=[Attachment("回执-12-第1版.xlsx", b"PK\x03\x04" * 500)])
    (part,) = mail.iter_attachments()
    assert part.get_filename() == "回执-12-第1版.xlsx"
    assert part.get_payload(decode=True) == b"PK\x03\x04" * 500
    assert "来件 12" in body(mail)


@pytest.mark.parametrize(
    "address",
    [
        "a@b\r\nRCPT TO:<c@d>",
        "a@b\n",
        "a@b, c@d",
        "a b@c",
        "a@b\x00",
        "<a@b>",
        "a",
        "@b",
        "a@",
        "a@b\u2028c",
        "a@b;c",
    ],
)
def test_an_address_that_could_name_a_second_recipient_is_none(address: str) -> None:
    assert not is_mail_address(address)
