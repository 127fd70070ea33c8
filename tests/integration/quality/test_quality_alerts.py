"""Alerts over real SMTP: each fact once, in order, and nothing of a person or a file name in a mail."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
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

pytestmark = pytest.mark.database

CANARY = "卡纳丽测试甲41976531"
# After every alert of this module is queued, however long the tests before it took.
NOW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def engine(warehouse: Warehouse) -> Engine:
    with warehouse.engine.begin() as connection:
        connection.execute(
            text(
                "insert into ops.contract (list_code, department, title, grain, version, semantics, rhythm,"
                " legal_basis, purpose) values"
                " ('low_income', 'civil_affairs', '低保对象花名册', '-', '1', 'snapshot', 'monthly', '-', '-'),"
                " ('disabled', 'civil_affairs', '持证残疾人名册', '-', '1', 'snapshot', 'quarterly', '-', '-')"
            )
        )
    return warehouse.engine


@pytest.fixture
def mailing(tmp_path: Path, make_settings: Callable[..., Settings], warehouse: Warehouse) -> Any:
    """A sink and the settings and transport that send to it."""
    with MailSink(tmp_path / "mails") as sink:
        settings = make_settings(
            warehouse,
            YIHU_SMTP_URL=sink.url,
            YIHU_MAIL_FROM="yihu@example.gov.cn",
            YIHU_ALERT_RECIPIENTS="data@example.gov.cn,lead@example.gov.cn",
            YIHU_STREET_NAME="望江街道",
        )
        transport = MailTransport.from_settings(settings)
        assert transport is not None
        yield sink, settings, transport


class Flaky:
    """A transport that fails as told and keeps what it would have sent."""

    def __init__(self, *failures: Exception | None) -> None:
        self.failures = list(failures)
        self.sent: list[EmailMessage] = []

    def send(self, message: EmailMessage) -> int:
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        self.sent.append(message)
        return 0


def add_delivery(
    engine: Engine, status: str, list_code: str = "low_income", reason: str = "行数比上次少 62%"
) -> int:
    with engine.begin() as connection:
        return int(
            connection.execute(
                text(
                    "insert into ops.delivery (department, list_code, file_name, source_path, content_sha256,"
                    " received_at, status, reason) values ('civil_affairs', :list_code, :name, :name,"
                    " gen_random_uuid()::text, now(), :status, :reason) returning delivery_id"
                ),
                {"status": status, "list_code": list_code, "name": f"{CANARY}.xlsx", "reason": reason},
            ).scalar_one()
        )


def add_refresh(engine: Engine, outcome: str | None = None, as_of: str = "2026-07-31") -> int:
    with engine.begin() as connection:
        return int(
            connection.execute(
                text(
                    "insert into ops.refresh (as_of, outcome) values (:as_of, :outcome) returning refresh_id"
                ),
                {"as_of": as_of, "outcome": outcome},
            ).scalar_one()
        )


def add_check(engine: Engine, refresh_id: int, check_name: str, severity: str = "error") -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into quality.check_result (refresh_id, suite, table_name, check_name, title, severity,"
                " is_passed, checked_count, failed_count)"
                " values (:refresh_id, 'master', 'master.person', :name, '人员ID唯一', :severity, false, 10, 1)"
            ),
            {"refresh_id": refresh_id, "name": check_name, "severity": severity},
        )


def add_verdict(engine: Engine, status: str = "insufficient", evidence_hash: str = "e1") -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into quality.verdict (as_of, content_hash, evidence_hash, status, reasons, target_code,"
                " target_ratio, audited_household_count, audited_field_count, correct_field_count, accuracy_ratio,"
                " lower_bound_ratio, interval_lower_ratio, upper_bound_ratio, critical_accuracy_ratio,"
                " household_accuracy_ratio, unverifiable_ratio)"
                " values ('2026-07-31', 'c', :evidence_hash, :status, '[\"准确率证据不足：点估计 96.2%\"]', 'M01', 0.95,"
                " 150, 2700, 2600, 0.962, 0.951, 0.933, 0.98, 0.97, 0.7, 0.02)"
            ),
            {"status": status, "evidence_hash": evidence_hash},
        )


def alerts(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text("select * from ops.alert order by alert_id")).mappings())


def received(sink: MailSink) -> list[EmailMessage]:
    messages = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sink.mails()]
    return [message for message in messages if isinstance(message, EmailMessage)]


class TestQueue:
    def test_every_kind_of_fact_is_queued_once(self, engine: Engine) -> None:
        refresh_id = add_refresh(engine)
        add_delivery(engine, "held")
        add_delivery(engine, "loaded")
        add_delivery(engine, "duplicate")
        add_check(engine, refresh_id, "person_id_is_unique")
        add_verdict(engine)
        add_verdict(engine, "passed", "e2")
        add_refresh(engine, "failed")
        assert queue_alerts(engine, refresh_id) == 4
        assert [row["kind"] for row in alerts(engine)] == ["delivery", "check", "verdict", "refresh"]
        assert queue_alerts(engine, refresh_id) == 0
        assert queue_alerts(engine, add_refresh(engine)) == 0

    def test_a_storm_is_one_mail_a_list_and_loses_nothing(self, engine: Engine) -> None:
        refresh_id = add_refresh(engine)
        for _ in range(120):
            add_delivery(engine, "refused")
        add_delivery(engine, "held", "disabled")
        assert queue_alerts(engine, refresh_id) == 2
        late = add_delivery(engine, "refused")
        assert queue_alerts(engine, refresh_id) == 0
        assert queue_alerts(engine, add_refresh(engine)) == 1
        rows = alerts(engine)
        assert [len(row["payload"]["items"]) for row in rows] == [120, 1, 1]
        assert rows[-1]["payload"]["items"][0]["delivery_id"] == late

    def test_a_held_delivery_that_is_refused_later_is_another_fact(self, engine: Engine) -> None:
        delivery_id = add_delivery(engine, "held")
        assert queue_alerts(engine) == 1
        with engine.begin() as connection:
            connection.execute(
                text("update ops.delivery set status = 'refused' where delivery_id = :id"),
                {"id": delivery_id},
            )
        assert queue_alerts(engine) == 1

    def test_an_error_is_told_every_business_date_and_a_warning_once_a_month(self, engine: Engine) -> None:
        def told(as_of: str, severity: str) -> int:
            refresh_id = add_refresh(engine, as_of=as_of)
            add_check(engine, refresh_id, f"{severity}_check", severity)
            return queue_alerts(engine, refresh_id)

        assert [told("2026-07-30", "error"), told("2026-07-30", "error"), told("2026-07-31", "error")] == [
            1,
            0,
            1,
        ]
        assert [told("2026-07-30", "warn"), told("2026-07-31", "warn"), told("2026-08-01", "warn")] == [
            1,
            0,
            1,
        ]

    def test_no_file_name_is_in_the_outbox(self, engine: Engine) -> None:
        add_delivery(engine, "held")
        queue_alerts(engine)
        assert CANARY not in str(alerts(engine))


class TestDelivery:
    def test_mails_arrive_once_with_both_parts_and_a_second_run_sends_nothing(
        self, engine: Engine, mailing: Any
    ) -> None:
        sink, settings, transport = mailing
        refresh_id = add_refresh(engine)
        delivery_id = add_delivery(engine, "held")
        add_verdict(engine)
        queue_alerts(engine, refresh_id)
        report = deliver_alerts(engine, transport, settings, NOW)
        assert (report.sent_count, report.waiting_count, report.dead_count) == (2, 0, 0)
        queue_alerts(engine, refresh_id)
        assert deliver_alerts(engine, transport, settings, NOW).sent_count == 0
        messages = received(sink)
        assert [message["Subject"] for message in messages] == [
            f"【一户】低保对象花名册来件 {delivery_id} 被扣留",
            "【一户】7月户档未通过发布：准确率证据不足",
        ]
        assert [message["Message-ID"] for message in messages] == [
            row["message_id"] for row in alerts(engine)
        ]
        for message in messages:
            assert message["From"] == "yihu@example.gov.cn"
            assert message["To"] == "data@example.gov.cn, lead@example.gov.cn"
            for kind in ("plain", "html"):
                body = message.get_body((kind,))
                assert body is not None
                assert "望江街道" in body.get_content()
                assert CANARY not in body.get_content()
        assert all(CANARY.encode() not in path.read_bytes() for path in sink.mails())

    def test_without_a_transport_everything_waits_and_says_so(
        self, engine: Engine, make_settings: Any
    ) -> None:
        add_delivery(engine, "refused")
        queue_alerts(engine)
        report = deliver_alerts(engine, None, make_settings(), NOW)
        assert (report.is_configured, report.waiting_count) == (False, 1)
        assert "YIHU_SMTP_URL" in report.message
        assert [row["status"] for row in alerts(engine)] == ["waiting"]

    def test_an_hour_without_a_server_loses_nothing_and_keeps_the_order(
        self, engine: Engine, mailing: Any
    ) -> None:
        sink, settings, transport = mailing
        for number in range(4):
            add_verdict(engine, evidence_hash=f"e{number}")
        queue_alerts(engine)
        down = Flaky(*[TransientError("发送邮件", came="连接失败")] * 200)
        for minute in range(60):
            deliver_alerts(engine, down, settings, NOW + timedelta(minutes=minute))  # type: ignore[arg-type]
        assert down.sent == []
        assert len(down.failures) > 150  # it backs off instead of knocking four times a minute
        report = deliver_alerts(engine, transport, settings, NOW + timedelta(hours=3))
        assert report.sent_count == 4
        assert [message["Message-ID"] for message in received(sink)] == [
            row["message_id"] for row in alerts(engine)
        ]

    def test_a_server_that_is_really_down_is_told_in_the_table(self, engine: Engine, mailing: Any) -> None:
        sink, settings, transport = mailing
        add_verdict(engine)
        queue_alerts(engine)
        sink.__exit__(None, None, None)
        report = deliver_alerts(engine, transport, settings, NOW)
        (row,) = alerts(engine)
        assert (report.waiting_count, row["status"], row["attempts"]) == (1, "waiting", 1)
        assert "稍后重试" in row["last_error"]
        sink.__enter__()
        assert deliver_alerts(engine, transport, settings, NOW + timedelta(hours=1)).sent_count == 1

    def test_a_mail_refused_for_good_is_dead_and_the_others_go(self, engine: Engine, mailing: Any) -> None:
        _, settings, _ = mailing
        for number in range(3):
            add_verdict(engine, evidence_hash=f"e{number}")
        queue_alerts(engine)
        refusing = Flaky(None, PermanentError("发送邮件", came="服务器答复 550"), None)
        report = deliver_alerts(engine, refusing, settings, NOW)  # type: ignore[arg-type]
        assert (report.sent_count, report.dead_count) == (2, 1)
        assert [row["status"] for row in alerts(engine)] == ["sent", "dead", "sent"]
        assert revive_alerts(engine) == 1
        assert deliver_alerts(engine, refusing, settings, NOW).sent_count == 1  # type: ignore[arg-type]
        assert len(refusing.sent) == 3

    def test_one_mail_the_server_defers_does_not_hold_up_the_others(
        self, engine: Engine, mailing: Any
    ) -> None:
        _, settings, _ = mailing
        for number in range(3):
            add_verdict(engine, evidence_hash=f"e{number}")
        queue_alerts(engine)
        deferring = Flaky(TransientError("发送邮件", came="服务器答复 451"))
        assert deliver_alerts(engine, deferring, settings, NOW).sent_count == 2  # type: ignore[arg-type]
        assert [row["status"] for row in alerts(engine)] == ["waiting", "sent", "sent"]

    def test_a_worker_that_died_while_sending_loses_its_lease(self, engine: Engine, mailing: Any) -> None:
        sink, settings, transport = mailing
        add_verdict(engine)
        queue_alerts(engine)
        with pytest.raises(KeyboardInterrupt):
            deliver_alerts(engine, Flaky(KeyboardInterrupt()), settings, NOW)  # type: ignore[arg-type]
        assert [row["status"] for row in alerts(engine)] == ["sending"]
        assert deliver_alerts(engine, transport, settings, NOW + timedelta(minutes=4)).sent_count == 0
        assert deliver_alerts(engine, transport, settings, NOW + timedelta(minutes=6)).sent_count == 1
        assert len(received(sink)) == 1

    def test_a_worker_that_lost_its_lease_cannot_mark_the_alert(self, engine: Engine, mailing: Any) -> None:
        sink, settings, transport = mailing
        add_verdict(engine)
        queue_alerts(engine)

        class Slow:
            def send(self, message: EmailMessage) -> int:
                deliver_alerts(engine, transport, settings, NOW + timedelta(minutes=6))
                raise TransientError("发送邮件", came="超时")

        deliver_alerts(engine, Slow(), settings, NOW)  # type: ignore[arg-type]
        assert [row["status"] for row in alerts(engine)] == ["sent"]
        assert len(received(sink)) == 1

    def test_two_workers_send_each_mail_once(self, engine: Engine, mailing: Any) -> None:
        sink, settings, transport = mailing
        for number in range(20):
            add_verdict(engine, evidence_hash=f"e{number}")
        queue_alerts(engine)
        workers = [
            threading.Thread(target=deliver_alerts, args=(engine, transport, settings, NOW)) for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sorted(message["Message-ID"] for message in received(sink)) == sorted(
            row["message_id"] for row in alerts(engine)
        )

    def test_what_earlier_refreshes_left_unsent_is_one_mail_at_its_place(
        self, engine: Engine, mailing: Any, make_settings: Any
    ) -> None:
        sink, settings, transport = mailing
        for month in range(1, 5):
            refresh_id = add_refresh(engine, as_of=f"2026-0{month}-28")
            add_delivery(engine, "refused")
            add_delivery(engine, "held", "disabled")
            add_verdict(engine, evidence_hash=f"e{month}")
            queue_alerts(engine, refresh_id)
            deliver_alerts(engine, None, make_settings(), NOW)
        waiting = alerts(engine)
        assert len(waiting) == 12
        # The newest refresh has its mails to itself: nine of the twelve were left by earlier ones.
        report = deliver_alerts(engine, transport, settings, NOW)
        assert (report.sent_count, report.waiting_count, report.dead_count) == (4, 0, 0)
        subjects = [message["Subject"] for message in received(sink)]
        assert subjects[0] == "【一户】积压的 9 项告警"
        assert [message["Message-ID"] for message in received(sink)][1:] == [
            row["message_id"] for row in waiting[9:]
        ]
        body = received(sink)[0].get_body(("plain",))
        assert body is not None
        assert body.get_content().count("7月户档未通过发布") == 3
        assert CANARY not in body.get_content()
        # Every fact is in a mail that was sent, and none is alerted again.
        facts = sorted(fact for row in alerts(engine) for fact in row["payload"]["fact_keys"])
        assert facts == sorted(fact for row in waiting for fact in row["payload"]["fact_keys"])
        assert queue_alerts(engine, add_refresh(engine)) == 0
        assert deliver_alerts(engine, transport, settings, NOW).sent_count == 0

    def test_a_few_old_mails_and_those_that_may_have_arrived_stay_themselves(
        self, engine: Engine, mailing: Any
    ) -> None:
        sink, settings, transport = mailing
        for number in range(7):
            add_verdict(engine, evidence_hash=f"e{number}")
        queue_alerts(engine)
        down = Flaky(*[TransientError("发送邮件", came="连接失败")] * 2)
        deliver_alerts(engine, down, settings, NOW)  # type: ignore[arg-type]
        waiting = alerts(engine)
        assert [row["attempts"] for row in waiting] == [1, 1, 0, 0, 0, 0, 0]
        add_refresh(engine)
        assert deliver_alerts(engine, transport, settings, NOW + timedelta(hours=1)).sent_count == 7
        assert [message["Message-ID"] for message in received(sink)] == [row["message_id"] for row in waiting]

    def test_a_catch_up_mail_that_fails_waits_and_is_sent_once(self, engine: Engine, mailing: Any) -> None:
        sink, settings, transport = mailing
        for number in range(6):
            add_verdict(engine, evidence_hash=f"e{number}")
        queue_alerts(engine)
        add_refresh(engine)
        down = Flaky(TransientError("发送邮件", came="连接失败"))
        assert deliver_alerts(engine, down, settings, NOW).waiting_count == 1  # type: ignore[arg-type]
        (before,) = alerts(engine)
        add_refresh(engine)
        assert deliver_alerts(engine, transport, settings, NOW + timedelta(hours=1)).sent_count == 1
        (message,) = received(sink)
        assert message["Message-ID"] == before["message_id"]
        assert queue_alerts(engine) == 0

    def test_two_workers_make_one_catch_up_mail(self, engine: Engine, mailing: Any) -> None:
        sink, settings, transport = mailing
        for number in range(20):
            add_verdict(engine, evidence_hash=f"e{number}")
        queue_alerts(engine)
        add_refresh(engine)
        workers = [
            threading.Thread(target=deliver_alerts, args=(engine, transport, settings, NOW)) for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sum(row["kind"] == "backlog" for row in alerts(engine)) <= 1
        assert sorted(message["Message-ID"] for message in received(sink)) == sorted(
            row["message_id"] for row in alerts(engine)
        )

    def test_an_alert_nobody_can_read_is_dead_and_holds_up_nobody(self, engine: Engine, mailing: Any) -> None:
        sink, settings, transport = mailing
        with engine.begin() as connection:
            connection.execute(
                text(
                    "insert into ops.alert (kind, dedupe_key, payload, message_id) values ('old', 'o', '{}', '<o@x>')"
                )
            )
        add_verdict(engine)
        queue_alerts(engine)
        report = deliver_alerts(engine, transport, settings, NOW)
        assert (report.sent_count, report.dead_count) == (1, 1)
        assert len(received(sink)) == 1


def test_an_outage_of_the_visit_app_is_one_mail_when_it_begins_and_one_when_it_ends(
    engine: Engine, mailing: Any
) -> None:
    sink, settings, transport = mailing

    def do(statement: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement))

    do(
        "insert into ops.app_outage (reason, began_at) values ('连接走访应用的数据库：OperationalError', now() - interval '3 h')"
    )
    assert [queue_alerts(engine), queue_alerts(engine)] == [1, 0]
    do("update ops.app_outage set ended_at = now()")
    assert [queue_alerts(engine), queue_alerts(engine)] == [1, 0]
    # One that nobody was told of while it lasted needs no mail that it is over.
    do("insert into ops.app_outage (reason, began_at, ended_at) values ('x', now() - interval '2 h', now())")
    assert queue_alerts(engine) == 0
    deliver_alerts(engine, transport, settings, NOW)
    assert [message["Subject"].split("】")[1] for message in received(sink)] == [
        "走访应用读不到",
        "走访应用已恢复",
    ]


class TestWhatDeliveriesWaitFor:
    def test_a_community_that_waits_is_told_once_with_what_to_do(self, engine: Engine, mailing: Any) -> None:
        sink, settings, transport = mailing
        delivery_id = add_delivery(engine, "loaded")
        with engine.begin() as connection:
            connection.execute(
                text(
                    "insert into ops.partition_hold (delivery_id, community_name, last_delivery_id, last_row_count,"
                    " row_count, status) values (:id, '在水社区', :id, 6, 0, 'open'), (:id, '近江社区', :id, 30, 4, 'open'),"
                    " (:id, '清泰社区', :id, 6, 0, 'carried_on')"
                ),
                {"id": delivery_id},
            )
        assert [queue_alerts(engine), queue_alerts(engine)] == [1, 0]
        deliver_alerts(engine, transport, settings, NOW)
        (mail,) = received(sink)
        assert mail["Subject"] == f"【一户】低保对象花名册来件 {delivery_id} 有社区待确认"
        for kind in ("plain", "html"):
            body = mail.get_body((kind,))
            assert body is not None
            said = body.get_content()
            assert "在水社区（上次 6 行，这次 0 行）、近江社区（上次 30 行，这次 4 行）" in said
            assert "没有入库" not in said
            assert "清泰" not in said
            assert "yihu delivery confirm-gone 编号 --community 社区" in said

    @pytest.mark.parametrize(
        ("status", "code", "said"),
        [
            ("held", "needs_password", "yihu delivery unlock 编号 --by 姓名"),
            ("refused", "no_rows", "网页任务“确认社区情况”（confirm_partition_gone"),
            ("held", "count_far_off", "网页任务“放行来件”（release_delivery"),
        ],
    )
    def test_a_reason_with_a_way_of_its_own_is_told_with_it(
        self, engine: Engine, mailing: Any, status: str, code: str, said: str
    ) -> None:
        sink, settings, transport = mailing
        delivery_id = add_delivery(engine, status)
        with engine.begin() as connection:
            connection.execute(
                text(
                    "update ops.delivery set reason_code = :code, row_count = :rows, accepted_count = :rows,"
                    " quarantined_count = 0 where delivery_id = :id"
                ),
                {"code": code, "id": delivery_id, "rows": 5 if code == "count_far_off" else 0},
            )
        queue_alerts(engine)
        deliver_alerts(engine, transport, settings, NOW)
        body = received(sink)[0].get_body(("plain",))
        assert body is not None
        assert said in body.get_content()
        assert ("yihu delivery release" in body.get_content()) == (code == "count_far_off")
