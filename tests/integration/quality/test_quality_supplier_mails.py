"""Mails to the departments: receipts once and attached, never a storm, reminders, and a file checked strictly."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from infra.errors import PermanentError, TransientError
from infra.mail import MailTransport
from infra.mail_sink import MailSink
from infra.settings import Settings
from infra.warehouse import Warehouse
from quality.alerts import deliver_alerts, queue_alerts, revive_alerts
from quality.supplier_mails import queue_supplier_mails, suppliers_of

pytestmark = pytest.mark.database

CANARY = "卡纳丽测试甲41976531"
NOW = datetime.now(UTC) + timedelta(days=1)
AS_OF = date(2026, 8, 12)
FILE = """
remind_days_before: 3
departments:
  civil_affairs:
    name: 区民政局
    recipients: [shuju@example.gov.cn, keshi@example.gov.cn]
    lists:
      low_income: [dibao@example.gov.cn]
"""


@pytest.fixture
def engine(warehouse: Warehouse) -> Engine:
    with warehouse.engine.begin() as connection:
        connection.execute(
            text(
                "insert into ops.contract (list_code, department, title, grain, version, semantics, rhythm,"
                " legal_basis, purpose) values"
                " ('low_income', 'civil_affairs', '低保对象花名册', '-', '1', 'snapshot', 'monthly', '-', '-'),"
                " ('disabled', 'civil_affairs', '持证残疾人名册', '-', '1', 'snapshot', 'quarterly', '-', '-'),"
                " ('visit', 'community', '入户走访记录', '-', '1', 'append', 'daily', '-', '-')"
            )
        )
    return warehouse.engine


@pytest.fixture
def mailing(tmp_path: Path, make_settings: Callable[..., Settings], warehouse: Warehouse) -> Any:
    (tmp_path / "suppliers.yaml").write_text(FILE, encoding="utf-8")
    with MailSink(tmp_path / "mails") as sink:
        settings = make_settings(
            warehouse,
            YIHU_SMTP_URL=sink.url,
            YIHU_MAIL_FROM="yihu@example.gov.cn",
            YIHU_ALERT_RECIPIENTS="data@example.gov.cn",
            YIHU_SUPPLIERS=str(tmp_path / "suppliers.yaml"),
        )
        yield sink, settings, MailTransport.from_settings(settings)


def add_receipt(
    engine: Engine,
    settings: Settings,
    *,
    list_code: str = "disabled",
    department: str = "civil_affairs",
    status: str = "loaded",
    size: int = 100,
) -> int:
    """A delivery with its receipt as `ingest` leaves them; the sender wrote a person into the file's name."""
    with engine.begin() as connection:
        delivery_id = int(
            connection.execute(
                text(
                    "insert into ops.delivery (department, list_code, file_name, source_path, content_sha256,"
                    " received_at, status, reason, row_count, quarantined_count) values (:department, :list_code, :name,"
                    " :name, gen_random_uuid()::text, now(), :status, '行数比上次少 62%', 5, 5) returning delivery_id"
                ),
                {
                    "department": department,
                    "list_code": list_code,
                    "status": status,
                    "name": f"{CANARY}.xlsx\r\nBcc: thief@example.com",
                },
            ).scalar_one()
        )
    add_version(engine, settings, delivery_id, 1, size=size)
    return delivery_id


def add_version(
    engine: Engine, settings: Settings, delivery_id: int, version: int, *, size: int = 100
) -> None:
    path = f"civil_affairs/disabled/回执-{delivery_id}-{CANARY}.xlsx"
    (settings.outbox / path).parent.mkdir(parents=True, exist_ok=True)
    (settings.outbox / path).write_bytes(b"x" * size)
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into ops.receipt (delivery_id, version, state_hash, path) values (:id, :version, :version, :path)"
            ),
            {"id": delivery_id, "version": version, "path": path},
        )


def queue(engine: Engine, settings: Settings, now: datetime = NOW, as_of: date = AS_OF) -> Any:
    return queue_supplier_mails(engine, suppliers_of(engine, settings.suppliers), as_of, now)


def received(sink: MailSink) -> list[EmailMessage]:
    return [
        message_from_bytes(path.read_bytes(), policy=policy.default)  # type: ignore[misc]
        for path in sink.mails()
    ]


def told(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return body.get_content()


def attached(mail: EmailMessage) -> list[str | None]:
    return [part.get_filename() for part in mail.iter_attachments()]


def test_receipts_go_to_the_department_once_and_attached(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing
    ids = [add_receipt(engine, settings, status=status) for status in ("loaded", "refused", "duplicate")]
    queued = queue(engine, settings)
    assert (queued.mail_count, queued.receipt_count, queued.unaddressed_count) == (1, 3, 0)
    assert queue(engine, settings).mail_count == 0
    deliver_alerts(engine, transport, settings, NOW)
    deliver_alerts(engine, transport, settings, NOW + timedelta(days=1))
    (mail,) = received(sink)
    assert mail["To"] == "shuju@example.gov.cn, keshi@example.gov.cn"
    assert mail["Subject"] == "【一户】3 件来件的回执，1 件未使用"
    assert attached(mail) == [f"回执-{delivery_id}-第1版.xlsx" for delivery_id in ids]
    assert "区民政局" in told(mail)
    assert f"来件 {ids[1]}《持证残疾人名册》" in told(mail)
    assert mail["Message-ID"] == _one(engine, "select message_id from ops.alert")
    raw = sink.mails()[0].read_bytes()
    assert CANARY.encode() not in raw
    assert "thief" not in raw.decode()
    assert CANARY not in _one(engine, "select string_agg(payload::text, '') from ops.alert")
    html = mail.get_body(("html",))
    assert html is not None
    assert CANARY not in html.get_content()
    assert "数据报送回执" in html.get_content()


def test_a_list_with_people_of_its_own_has_a_mail_of_its_own(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing
    add_receipt(engine, settings)
    add_receipt(engine, settings, list_code="low_income")
    assert queue(engine, settings).mail_count == 2
    deliver_alerts(engine, transport, settings, NOW)
    assert [mail["To"] for mail in received(sink)] == [
        "shuju@example.gov.cn, keshi@example.gov.cn",
        "dibao@example.gov.cn",
    ]


def test_five_hundred_refusals_are_one_mail_and_the_next_waits_a_quarter_of_an_hour(
    engine: Engine, mailing: Any
) -> None:
    sink, settings, transport = mailing
    for _ in range(500):
        add_receipt(engine, settings, status="refused")
    queue(engine, settings)
    deliver_alerts(engine, transport, settings, NOW)
    for minutes in (1, 5, 10):
        late = add_receipt(engine, settings, status="refused")
        queue(engine, settings, NOW + timedelta(minutes=minutes))
        deliver_alerts(engine, transport, settings, NOW + timedelta(minutes=minutes))
    (storm,) = received(sink)
    assert "另有较早的 470 份回执未列出" in told(storm)
    assert sum(len(part.get_payload(decode=True)) for part in storm.iter_attachments()) < 5_000_000
    deliver_alerts(engine, transport, settings, NOW + timedelta(minutes=16))
    _, second = received(sink)
    assert second["Subject"].startswith("【一户】3 件来件的回执")
    assert f"回执-{late}-第1版.xlsx" in attached(second)
    assert _one(engine, "select count(*) from ops.receipt where mail_state <> 'queued'") == 0


def test_a_newer_receipt_takes_the_place_of_one_not_sent_and_follows_one_that_was(
    engine: Engine, mailing: Any
) -> None:
    sink, settings, transport = mailing
    first, second = add_receipt(engine, settings, status="held"), add_receipt(engine, settings, status="held")
    queue(engine, settings)
    before = _one(engine, "select message_id from ops.alert")
    add_version(engine, settings, first, 2)
    queue(engine, settings)
    assert _one(engine, "select count(*) from ops.alert") == 1
    assert _one(engine, "select message_id from ops.alert") != before
    deliver_alerts(engine, transport, settings, NOW)
    add_version(engine, settings, second, 2)
    queue(engine, settings, NOW)
    deliver_alerts(engine, transport, settings, NOW + timedelta(minutes=15))
    mails = received(sink)
    assert attached(mails[0]) == [f"回执-{first}-第2版.xlsx", f"回执-{second}-第1版.xlsx"]
    assert [told(mails[0]).count(f"来件 {number}《") for number in (first, second)] == [1, 1]
    assert attached(mails[1]) == [f"回执-{second}-第2版.xlsx"]


def test_a_server_that_is_away_gathers_receipts_and_loses_none(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing

    class Away:
        def send(self, message: EmailMessage) -> int:
            raise TransientError("发送", came="连接失败")

    ids = []
    for minutes in range(0, 60, 10):
        ids.append(add_receipt(engine, settings))
        queue(engine, settings, NOW + timedelta(minutes=minutes))
        deliver_alerts(engine, Away(), settings, NOW + timedelta(minutes=minutes))  # type: ignore[arg-type]
    for hours in (2, 4, 6):
        deliver_alerts(engine, transport, settings, NOW + timedelta(hours=hours))
    mails = received(sink)
    assert [name for mail in mails for name in attached(mail)] == [f"回执-{n}-第1版.xlsx" for n in ids]
    assert len({mail["Message-ID"] for mail in mails}) == len(mails) <= 6


def test_without_recipients_receipts_are_said_to_lie_in_the_folder(engine: Engine, mailing: Any) -> None:
    _, settings, _ = mailing
    add_receipt(engine, settings)
    queued = queue_supplier_mails(engine, None, AS_OF, NOW)
    assert "没有设置 YIHU_SUPPLIERS" in queued.message
    add_receipt(engine, settings, department="community", list_code="visit")
    queued = queue(engine, settings)
    assert (queued.mail_count, queued.unaddressed_count) == (0, 1)
    assert "1 份没有联系人" in queued.message
    assert _one(engine, "select count(*) from ops.alert") == 0
    assert _one(engine, "select count(*) from ops.receipt where mail_state = 'none'") == 2


def test_a_mail_whose_people_are_gone_is_dead_and_revived_when_they_are_back(
    engine: Engine, mailing: Any
) -> None:
    sink, settings, transport = mailing
    add_receipt(engine, settings)
    queue(engine, settings)
    settings.suppliers.write_text("departments: {}", encoding="utf-8")
    assert deliver_alerts(engine, transport, settings, NOW).dead_count == 1
    assert "没有联系人" in _one(engine, "select last_error from ops.alert")
    settings.suppliers.write_text(FILE, encoding="utf-8")
    revive_alerts(engine)
    deliver_alerts(engine, transport, settings, NOW)
    assert len(received(sink)) == 1


def test_large_receipts_and_those_taken_away_are_listed_only(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing
    large, gone, small = (
        add_receipt(engine, settings, size=1_000_001),
        add_receipt(engine, settings),
        add_receipt(engine, settings),
    )
    (settings.outbox / f"civil_affairs/disabled/回执-{gone}-{CANARY}.xlsx").unlink()
    queue(engine, settings)
    deliver_alerts(engine, transport, settings, NOW)
    (mail,) = received(sink)
    assert attached(mail) == [f"回执-{small}-第1版.xlsx"]
    assert f"来件 {large}" in told(mail)


def test_a_catch_up_mail_leaves_the_departments_mails_alone(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing
    for _ in range(7):
        with engine.begin() as connection:
            connection.execute(
                text("insert into ops.refresh (as_of, outcome) values ('2026-07-31', 'failed')")
            )
    queue_alerts(engine)
    add_receipt(engine, settings)
    queue(engine, settings)
    with engine.begin() as connection:
        connection.execute(
            text("update ops.alert set next_attempt_at = now(), created_at = now() - interval '1 hour'")
        )
        connection.execute(text("insert into ops.refresh (as_of) values ('2026-08-01')"))
    deliver_alerts(engine, transport, settings, NOW)
    assert sorted(mail["To"] for mail in received(sink)) == [
        "data@example.gov.cn",
        "shuju@example.gov.cn, keshi@example.gov.cn",
    ]


# Due dates ---------------------------------------------------------------------------------------------------------


def add_due(
    engine: Engine, list_code: str, start: date, end: date, due: date, status: str, days: int
) -> None:
    with engine.begin() as connection:
        delivery_id = None
        if status in ("on_time", "late"):
            delivery_id = connection.execute(
                text(
                    "insert into ops.delivery (department, list_code, file_name, source_path, content_sha256,"
                    " received_at, status) values ('civil_affairs', :list_code, '-', '-', gen_random_uuid()::text,"
                    " now(), 'loaded') returning delivery_id"
                ),
                {"list_code": list_code},
            ).scalar_one()
        connection.execute(
            text(
                "insert into ops.delivery_due values (:list_code, :start, :end, :due, false, :delivery_id, :due,"
                " :status, :days, :as_of)"
            ),
            {
                "list_code": list_code,
                "start": start,
                "end": end,
                "due": due,
                "delivery_id": delivery_id,
                "status": status,
                "days": days,
                "as_of": AS_OF,
            },
        )


def test_late_and_missing_lists_are_told_once_to_data_staff(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing
    month = (date(2026, 8, 1), date(2026, 8, 31), date(2026, 8, 10))
    add_due(engine, "low_income", *month, "missing", 2)
    add_due(engine, "disabled", date(2026, 7, 1), date(2026, 9, 30), date(2026, 7, 15), "late", 9)
    for day in range(3, 8):
        add_due(
            engine, "visit", date(2026, 8, day), date(2026, 8, day), date(2026, 8, day), "missing", 12 - day
        )
    assert queue_alerts(engine) == 1
    assert queue_alerts(engine) == 0
    # Another day of the same absence is the same fact; a new month of another list is not.
    add_due(engine, "visit", date(2026, 8, 8), date(2026, 8, 8), date(2026, 8, 10), "missing", 2)
    assert queue_alerts(engine) == 0
    add_due(engine, "low_income", date(2026, 9, 1), date(2026, 9, 30), date(2026, 9, 10), "missing", 1)
    assert queue_alerts(engine) == 1
    deliver_alerts(engine, transport, settings, NOW)
    first, second = received(sink)
    assert first["To"] == "data@example.gov.cn"
    assert first["Subject"] == "【一户】2 份清单逾期未报，1 份迟报"
    assert "《入户走访记录》2026-08-03 至 2026-08-07：逾期未报 9 天" in told(first)
    assert "《持证残疾人名册》2026-07-01 至 2026-09-30：迟报 9 天，应报日 2026-07-15" in told(first)
    assert second["Subject"] == "【一户】低保对象花名册逾期未报"


def test_a_supplier_is_reminded_before_the_day_and_when_it_is_over_once_each(
    engine: Engine, mailing: Any
) -> None:
    sink, settings, transport = mailing
    add_due(engine, "disabled", date(2026, 7, 1), date(2026, 9, 30), date(2026, 8, 15), "pending", 0)
    assert queue(engine, settings, as_of=date(2026, 8, 11)).mail_count == 0
    for day in (12, 13, 15):
        assert queue(engine, settings, as_of=date(2026, 8, day)).mail_count == (day == 12)
    deliver_alerts(engine, transport, settings, NOW)
    with engine.begin() as connection:
        connection.execute(text("update ops.delivery_due set status = 'missing', days_late = 1"))
    for _ in range(2):
        queue(engine, settings, as_of=date(2026, 8, 16))
    deliver_alerts(engine, transport, settings, NOW + timedelta(minutes=20))
    before, after = received(sink)
    assert before["Subject"] == "【一户】1 份清单即将到期"
    assert after["Subject"] == "【一户】1 份清单逾期未报"
    assert after["To"] == "shuju@example.gov.cn, keshi@example.gov.cn"
    assert "应报日 2026-08-15，已逾期 1 天" in told(after)


# The file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "缺少 departments"),
        ("departments: [a]", "缺少 departments"),
        ("departments: {民政: {name: x, recipients: [a@b.cn]}}", "没有部门 民政（现有：civil_affairs、community）"),
        ("departments: {civil_affairs: {name: x}}", "应为至少一个邮件地址"),
        ("departments: {civil_affairs: {name: x, recipients: []}}", "应为至少一个邮件地址"),
        ("departments: {civil_affairs: {recipients: [a@b.cn]}}", "name 应为部门的名称"),
        ('departments: {civil_affairs: {name: "x\\r\\nBcc: y", recipients: [a@b.cn]}}', "name 应为部门的名称"),
        ('departments: {civil_affairs: {name: x, recipients: ["a@b\\r\\nRCPT TO:<c@d>"]}}', "第 1 个不是邮件地址"),
        ('departments: {civil_affairs: {name: x, recipients: [a@b.cn, "c@d.cn, e@f.cn"]}}', "第 2 个不是邮件地址"),
        ("departments: {civil_affairs: {name: x, recipients: [no]}}", "第 1 个不是邮件地址"),
        ("departments: {civil_affairs: {name: x, recipients: [a@b.cn], lists: {visit: [a@b.cn]}}}", "没有清单 visit"),
        ("departments: {civil_affairs: {name: x, recipients: [a@b.cn], cc: [a@b.cn]}}", "没有 cc 这一项"),
        ("departments: {}\nremind_days_before: -1", "remind_days_before 应为"),
        ("departments: {}\nremind_days_before: 1\nremind_days_before: 2", "出现两次"),
        ("departments: {}\ndepartements: {}", "没有 departements 这一项"),
        ("departments: !!python/object/apply:os.system [id]", "不是 UTF-8 编码的 YAML，第"),
        ("departments: {", "YAML"),
    ],
)  # fmt: skip
def test_every_mistake_in_the_file_is_told(engine: Engine, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "suppliers.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(PermanentError) as caught:
        suppliers_of(engine, tmp_path / "suppliers.yaml")
    assert said.split("，")[0] in str(caught.value)
    assert "c@d" not in str(caught.value)


def test_all_mistakes_are_told_at_once_and_a_missing_file_too(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "suppliers.yaml"
    with pytest.raises(PermanentError, match="读不了"):
        suppliers_of(engine, path)
    path.write_text("x: 1\ndepartments: {a: {}, b: {}}\nremind_days_before: x", encoding="utf-8")
    with pytest.raises(PermanentError, match="4 处错误"):
        suppliers_of(engine, path)
    path.write_text(FILE, encoding="utf-8")
    suppliers = suppliers_of(engine, path)
    assert suppliers is not None
    assert suppliers.recipients("civil_affairs", "low_income") == ("dibao@example.gov.cn",)
    assert suppliers.recipients("civil_affairs", None)[0] == "shuju@example.gov.cn"
    assert suppliers.recipients("community", "visit") == ()


def _one(engine: Engine, statement: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar()


def test_payloads_are_json_and_name_their_facts(engine: Engine, mailing: Any) -> None:
    _, settings, _ = mailing
    number = add_receipt(engine, settings)
    queue(engine, settings)
    payload = _one(engine, "select payload from ops.alert")
    assert json.loads(json.dumps(payload))["fact_keys"] == [f"receipt:{number}:1"]


# Communities -------------------------------------------------------------------------------------------------------


def owe(engine: Engine, list_code: str, start: date, status: str, **days_by_community: int) -> None:
    with engine.begin() as connection:
        for community, days in days_by_community.items():
            connection.execute(
                text(
                    "insert into ops.delivery_due_community (list_code, period_start, community_name, status, days_late)"
                    " values (:list_code, :start, :community, :status, :days)"
                ),
                {
                    "list_code": list_code,
                    "start": start,
                    "community": community,
                    "status": status,
                    "days": days,
                },
            )


def test_mails_name_the_communities_that_owe_a_list_and_each_is_told_once(
    engine: Engine, mailing: Any
) -> None:
    sink, settings, transport = mailing
    start = date(2026, 7, 1)
    add_due(engine, "disabled", start, date(2026, 9, 30), date(2026, 7, 15), "missing", 28)
    owe(engine, "disabled", start, "missing", 在水社区=28, 近江社区=28)
    owe(engine, "disabled", start, "pending", 清泰社区=0)
    assert queue_alerts(engine) == 1
    assert queue(engine, settings).mail_count == 1
    with engine.begin() as connection:
        connection.execute(text("delete from ops.delivery_due_community where community_name = '近江社区'"))
    assert queue_alerts(engine) == 0, "fewer of what was told is nothing new"
    # What was thought to be here was refused: that is.
    owe(engine, "disabled", start, "missing", 候潮社区=28)
    assert queue_alerts(engine) == 1
    assert queue(engine, settings).mail_count == 1
    deliver_alerts(engine, transport, settings, NOW)
    staff = [told(mail) for mail in received(sink) if mail["To"] == "data@example.gov.cn"]
    assert [line for mail in staff for line in mail.splitlines() if "社区：" in line] == [
        "  没有报的社区：在水社区、近江社区",
        "  没有报的社区：候潮社区、在水社区",
    ]
    (supplier,) = [told(mail) for mail in received(sink) if mail["To"] != "data@example.gov.cn"]
    assert "没有报的社区：候潮社区、在水社区" in supplier


def test_a_reminder_names_the_communities_that_are_still_to_come(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing
    start = date(2026, 7, 1)
    add_due(engine, "disabled", start, date(2026, 9, 30), date(2026, 8, 15), "pending", 0)
    owe(engine, "disabled", start, "pending", 在水社区=0)
    assert queue(engine, settings, as_of=date(2026, 8, 13)).mail_count == 1
    deliver_alerts(engine, transport, settings, NOW)
    assert "还没有报的社区：在水社区" in told(received(sink)[0])


def test_what_a_receipt_asks_for_is_said_in_the_mail_as_it_is(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing
    locked = add_receipt(engine, settings, list_code="disabled", status="held")
    empty = add_receipt(engine, settings, list_code="disabled", status="refused")
    waiting = add_receipt(engine, settings, list_code="disabled")
    with engine.begin() as connection:
        for number, code in ((locked, "needs_password"), (empty, "no_rows")):
            connection.execute(
                text("update ops.delivery set reason_code = :code where delivery_id = :id"),
                {"code": code, "id": number},
            )
        connection.execute(
            text(
                "insert into ops.partition_hold (delivery_id, community_name, last_delivery_id, last_row_count,"
                " row_count, status) values (:id, '在水社区', :id, 6, 0, 'open')"
            ),
            {"id": waiting},
        )
    queue(engine, settings)
    deliver_alerts(engine, transport, settings, NOW)
    said = told(received(sink)[0])
    assert "取消密码重新报送，或电话告知街道数据人员密码" in said
    assert "确已没有对象的不必重报，把来件编号告诉街道数据人员" in said
    assert "待确认的社区：在水社区（其余已接收，这些仍沿用以前的行）" in said
    assert "漏报的补上后重新报送整份文件；确无对象或确实少了的，告诉街道数据人员" in said


def test_a_list_that_is_here_and_held_is_not_called_missing(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing
    held = add_receipt(engine, settings, list_code="disabled", status="held")
    with engine.begin() as connection:
        connection.execute(
            text("update ops.delivery set reason_code = 'needs_password' where delivery_id = :id"),
            {"id": held},
        )
    start = date(2026, 10, 1)
    add_due(engine, "disabled", start, date(2026, 12, 31), date(2026, 10, 15), "missing", 20)
    queue(engine, settings)
    assert queue_alerts(engine) == 1, "data staff are told of what waits, not that it is missing"
    deliver_alerts(engine, transport, settings, NOW)
    staff, supplier = sorted((told(mail) for mail in received(sink)), key=lambda said: "区民政局" in said)
    assert "yihu delivery unlock" in staff
    assert "逾期未报" not in staff + supplier
    assert f"已收到（来件 {held}），扣留中" in supplier
    assert "取消密码重新报送，或电话告知街道数据人员密码" in supplier
    # Once it is refused, the list is missing, and that is told.
    with engine.begin() as connection:
        connection.execute(
            text("update ops.delivery set status = 'refused' where delivery_id = :id"), {"id": held}
        )
    assert queue_alerts(engine) == 2
    assert queue(engine, settings).mail_count == 1


def test_kinds_in_a_mail_begin_with_what_could_not_be_used_and_say_what_is_allowed(
    engine: Engine, mailing: Any
) -> None:
    sink, settings, transport = mailing
    number = add_receipt(engine, settings, list_code="disabled", status="held")
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into ops.row_rule (rule, dimension, problem, remedy) values"
                " ('no_identity', 'conformity', '没有写明是谁', '补上姓名'), ('code_unknown', 'conformity', '认不得', '照说明'),"
                " ('total_row', null, '合计行', '不必修改'),"
                " ('required_column_missing', 'completeness', '缺少必需的一栏', '补上')"
            )
        )
        connection.execute(
            text(
                "insert into ops.rule_wording (list_code, column_name, rule, problem, remedy) values"
                " ('disabled', 'category', 'code_unknown', '认不得这个写法', '请填：视力、听力之一'),"
                " ('disabled', '', 'own_rule', '两栏对不上', '核对两栏')"
            )
        )
        connection.execute(
            text(
                "insert into ops.row_warning (delivery_id, record_id, row_number, rule, column_name, message)"
                " select :id, '-', n, 'code_unknown', case when n % 8 = 0 then 'category' else 'c' || n % 8 end, '-'"
                " from generate_series(1, 80) as n union all select :id, '-', 1, 'own_rule', 'category', '-'"
                " from generate_series(1, 90)"
            ),
            {"id": number},
        )
        connection.execute(
            text(
                "insert into ops.quarantined_row (delivery_id, row_number, rule, message, row_encrypted) values"
                " (:id, 3, 'no_identity', '-', 'x'), (:id, 9, 'total_row', '-', 'x'),"
                " (:id, 4, 'required_column_missing', '-', 'x'), (:id, 5, 'required_column_missing', '-', 'x')"
            ),
            {"id": number},
        )
    queue(engine, settings)
    deliver_alerts(engine, transport, settings, NOW)
    said = told(received(sink)[0])
    kinds = [line.strip() for line in said.splitlines() if line.startswith("  - ")]
    assert kinds[:4] == [
        "- 1 条：缺少必需的一栏。补上。",
        "- 1 条：没有写明是谁。补上姓名。",
        "- 90 条：两栏对不上。核对两栏。",
        "- 10 条：认不得。照说明。",
    ]
    assert "合计行" not in said
    assert "数据 4 行，接收 0 行，隔离 4 行" in said, "a footer is no data"
    with engine.begin() as connection:
        connection.execute(text("delete from ops.row_warning where column_name like 'c_'"))
    add_version(engine, settings, number, 2)
    queue(engine, settings, NOW + timedelta(hours=1))
    deliver_alerts(engine, transport, settings, NOW + timedelta(hours=1))
    assert "请填：视力、听力之一" in told(received(sink)[-1])


def test_what_a_later_delivery_corrected_asks_for_nothing(engine: Engine, mailing: Any) -> None:
    sink, settings, transport = mailing
    number = add_receipt(engine, settings, list_code="disabled", status="refused")
    with engine.begin() as connection:
        connection.execute(
            text(
                "update ops.delivery set reason_code = 'superseded', reason = '已由来件 6 更正，不再使用。' "
                "where delivery_id = :id"
            ),
            {"id": number},
        )
    queue(engine, settings)
    assert queue_alerts(engine) == 0
    deliver_alerts(engine, transport, settings, NOW)
    said = told(received(sink)[0])
    assert "已更正" in said
    assert "拒收" not in said
    assert "已由来件 6 更正，不再使用" in said
    assert "没有需要改正的地方" in said
