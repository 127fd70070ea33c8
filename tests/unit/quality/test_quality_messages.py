"""What an alert mail says, and that no fact in it can become a header or a tag."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.messages import LISTED_ITEMS, Alert, build_message, one_line
from quality.verdict import percent

CREATED = datetime(2026, 7, 31, 16, 30, tzinfo=UTC)
RECIPIENTS = ("data@example.gov.cn", "lead@example.gov.cn")


def verdict_payload(**changes: Any) -> dict[str, Any]:
    return {
        "as_of": "2026-07-31",
        "status": "insufficient",
        "reasons": ["准确率证据不足：信息准确率 96.2%，95% 置信下限 93.81%，M01 目标 95%"],
        "failed_check_count": 0,
        "target_code": "M01",
        "target_ratio": "0.95",
        "audited_household_count": 150,
        "audited_field_count": 2710,
        "correct_field_count": 2607,
        "accuracy_ratio": 0.962,
        "lower_bound_ratio": 0.9381,
        "interval_lower_ratio": 0.9333,
        "upper_bound_ratio": 0.981,
        "critical_accuracy_ratio": 0.97,
        "household_accuracy_ratio": 0.71,
        "unverifiable_ratio": 0.021,
        "needed_household_count": 412,
    } | changes


def delivery_payload(*items: dict[str, Any], list_title: str = "低保对象花名册") -> dict[str, Any]:
    return {"list_title": list_title, "items": list(items)}


def delivery_item(
    delivery_id: int = 7, status: str = "held", reason: str = "行数比上次少 62%"
) -> dict[str, Any]:
    return {
        "delivery_id": delivery_id,
        "status": status,
        "reason": reason,
        "row_count": 57,
        "received_at": "2026-07-31T16:05:00+00:00",
    }


def check_payload() -> dict[str, Any]:
    item = {
        "table_name": "master.household",
        "check_name": "member_count_agrees_with_the_members",
        "title": "家庭人口数与成员表一致",
        "severity": "error",
        "checked_count": 3000,
        "failed_count": 2,
        "problem": None,
        "delivery_id": None,
    }
    return {
        "group_title": "主档",
        "as_of": "2026-07-31",
        "items": [
            {**item, "severity": "warn"},
            item,
            {**item, "checked_count": None, "failed_count": None, "problem": "raised"},
        ],
    }


ARCHIVE = {"quarter_start": "2026-07-01"}
BACKLOG = {
    "items": [
        {"kind": "verdict", "headline": f"第 {number} 件", "created_at": "2026-07-31T16:05:00+00:00"}
        for number in range(1, LISTED_ITEMS + 3)
    ]
}
REFRESH = {"refresh_id": 12, "as_of": "2026-07-31", "started_at": "2026-07-31T15:00:00+00:00"}


def build(kind: str, payload: dict[str, Any], street_name: str | None = "望江街道") -> EmailMessage:
    built = build_message(Alert(kind, payload, "<alert-1@yihu.invalid>", CREATED), RECIPIENTS, street_name)
    # As a reader's program sees it, after the wire.
    parsed = message_from_bytes(built.as_bytes(policy=policy.SMTP), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


class TestSubjects:
    @pytest.mark.parametrize(
        ("kind", "payload", "subject"),
        [
            ("verdict", verdict_payload(), "【一户】7月户档未通过发布：准确率证据不足"),
            ("verdict", verdict_payload(status="failed"), "【一户】7月户档未通过发布：准确率未达标"),
            (
                "verdict",
                verdict_payload(status="failed", failed_check_count=2),
                "【一户】7月户档未通过发布：检查未通过",
            ),
            ("delivery", delivery_payload(delivery_item()), "【一户】低保对象花名册来件 7 被扣留"),
            (
                "delivery",
                delivery_payload(delivery_item(status="refused")),
                "【一户】低保对象花名册来件 7 被拒收",
            ),
            (
                "delivery",
                delivery_payload(delivery_item(), delivery_item(8)),
                "【一户】低保对象花名册 2 件来件未入库",
            ),
            ("check", check_payload(), "【一户】主档 2 项检查未通过"),
            ("refresh", REFRESH, "【一户】7月31日的刷新失败"),
            ("archive", ARCHIVE, "【一户】2026年第三季度的档案没有冻结"),
            ("backlog", BACKLOG, f"【一户】积压的 {LISTED_ITEMS + 2} 项告警"),
        ],
    )
    def test_subject_says_what_happened(self, kind: str, payload: dict[str, Any], subject: str) -> None:
        assert build(kind, payload)["Subject"] == subject


class TestBodies:
    def test_both_parts_give_the_figures(self) -> None:
        message = build("verdict", verdict_payload())
        for kind in ("plain", "html"):
            content = part(message, kind)
            for figure in ("93.81%", "96.2%", "95%", "150", "2710", "412", "97%", "71%"):
                assert figure in content

    def test_a_verdict_without_audits_has_no_bar(self) -> None:
        nothing = {name: None for name, value in verdict_payload().items() if name.endswith("_ratio")}
        message = build(
            "verdict",
            verdict_payload(**{**nothing, "target_ratio": "0.95", "reasons": ["没有可用的抽查结果"]}),
        )
        assert "没有可用的抽查结果" in part(message, "plain")
        assert "置信区间" not in part(message, "html")

    def test_bar_ends_at_the_target_and_fills_the_axis(self) -> None:
        content = part(build("verdict", verdict_payload()), "html")
        widths = [float(width) for width in re.findall(r"width:([\d.]+)%;height:12px", content)]
        assert sum(widths) == pytest.approx(100, abs=1)
        assert content.count("border-right:3px solid") == 1

    @pytest.mark.parametrize(
        ("kind", "payload"),
        [
            ("verdict", verdict_payload()),
            ("delivery", delivery_payload(delivery_item())),
            ("check", check_payload()),
            ("refresh", REFRESH),
            ("archive", ARCHIVE),
            ("backlog", BACKLOG),
        ],
    )
    def test_nothing_is_loaded_from_elsewhere(self, kind: str, payload: dict[str, Any]) -> None:
        content = part(build(kind, payload), "html")
        assert not re.search(r"<(script|link|img|iframe|style)\b|url\(|https?:|\bon\w+=", content)

    def test_times_are_local_and_errors_come_first(self) -> None:
        assert "2026-08-01 00:05" in part(build("delivery", delivery_payload(delivery_item())), "plain")
        content = part(build("check", check_payload()), "plain")
        assert content.index("[未通过]") < content.index("[提醒]")
        assert "检查出错" in content
        assert "不合格 — / 检查 —" in content

    def test_a_storm_is_a_digest(self) -> None:
        message = build("delivery", delivery_payload(*[delivery_item(number) for number in range(1, 501)]))
        content = part(message, "plain")
        assert content.count("扣留：") == LISTED_ITEMS
        assert f"另有 {500 - LISTED_ITEMS} 件来件" in content

    def test_a_catch_up_mail_lists_the_newest_and_counts_the_rest(self) -> None:
        for kind in ("plain", "html"):
            content = part(build("backlog", BACKLOG), kind)
            assert "第 2 件" not in content
            assert content.count(" 件") == LISTED_ITEMS
            assert f"第 {LISTED_ITEMS + 2} 件" in content
            assert "另有 2 项更早的" in content

    def test_the_next_steps_fit_what_became_of_the_deliveries(self) -> None:
        def steps(*items: dict[str, Any]) -> str:
            return part(build("delivery", delivery_payload(*items)), "plain").partition("请接着做")[2]

        usable, unusable = delivery_item() | {"accepted_count": 57}, delivery_item(8) | {"accepted_count": 0}
        refused = delivery_item(9, "refused") | {"accepted_count": 0}
        assert "delivery release" in steps(usable)
        assert "delivery refuse" in steps(usable)
        # `yihu delivery release` has nothing to release there.
        assert "delivery release" not in steps(unusable)
        assert "放行不了" in steps(unusable)
        assert "delivery refuse" in steps(unusable)
        assert "delivery" not in steps(refused)
        assert "回执" in steps(refused)
        assert steps(usable, unusable, refused).count("来件：") == 2
        assert "3. 拒收的来件" in steps(usable, unusable, refused)
        assert "delivery release" in steps(delivery_item())  # queued before the count was kept

    def test_street_is_named_or_left_out(self) -> None:
        assert "望江街道" in part(build("refresh", REFRESH), "html")
        assert "None" not in part(build("refresh", REFRESH, None), "plain")


class TestHostileFacts:
    def test_line_breaks_make_no_header_and_no_recipient(self) -> None:
        title = "低保\r\nBcc: thief@example.com\r\n\r\n正文"
        message = build(
            "delivery", delivery_payload(delivery_item(reason="少\r\nBcc: x@y.z"), list_title=title)
        )
        assert message["Bcc"] is None
        assert message["To"] == ", ".join(RECIPIENTS)
        assert sorted(name.lower() for name in message) == sorted(
            ["subject", "to", "date", "message-id", "auto-submitted", "mime-version", "content-type"]
        )

    def test_tags_are_text(self) -> None:
        content = part(
            build("delivery", delivery_payload(delivery_item(reason="<script>alert(1)</script>"))), "html"
        )
        assert "<script>" not in content
        assert "&lt;script&gt;" in content

    @settings(max_examples=60, deadline=None)
    @given(st.text(max_size=300))
    def test_any_title_gives_one_short_subject_line(self, title: str) -> None:
        encodable = title.encode("utf-8", "replace").decode()
        message = build("delivery", delivery_payload(delivery_item(), list_title=encodable))
        assert len(message["Subject"]) <= 100
        assert "\n" not in message["Subject"]
        assert message["To"] == ", ".join(RECIPIENTS)

    @given(st.text(), st.integers(1, 50))
    def test_one_line(self, content: str, length: int) -> None:
        folded = one_line(content, length)
        assert len(folded) <= length
        assert not re.search(r"[\r\n\x00-\x1f\u2028\u2029]", folded)


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (0.94995, "94.99%"),
        (0.95, "95%"),
        (0.94999999, "94.99%"),
        (1.0, "100%"),
        (0.0, "0%"),
        (0.938, "93.8%"),
        (0.1, "10%"),
    ],
)
def test_percentages_are_never_rounded_up(ratio: float, shown: str) -> None:
    assert percent(ratio) == shown
