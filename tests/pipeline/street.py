"""A small street and its platform: what the pipeline tests share.

`live` runs the line as a street would live it, four months, and keeps what was seen after each chapter; the tests look at
that. Month 1 is refused for want of evidence and published once the inspectors have returned their sheets. Months 2 and
3 bring news, bad files among them. In month 4 the inspectors find a bad register: the release is refused and the old one
stays up. At the end somebody takes the release back.
"""

import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from sqlalchemy import Engine, text

from infra.mail_sink import MailSink
from tests.synthetic.bad_files import BadDelivery, write_bad_deliveries
from tests.synthetic.deliveries import Rounds
from tests.synthetic.dirt import Dirt
from tests.synthetic.evaluate import Evaluation, evaluate
from tests.synthetic.inspectors import inspect
from tests.synthetic.population import World


@dataclass(frozen=True)
class Home:
    """An open platform in a folder of its own."""

    folder: Path
    sink: MailSink
    landing: Path

    @property
    def platform(self):
        from orchestration.platform import open_platform

        return open_platform()

    @property
    def engine(self) -> Engine:
        return self.platform.engine

    def refresh(self, as_of: date) -> str:
        from orchestration.line import refresh_line

        return refresh_line(self.landing, as_of, platform=self.platform).outcome

    def rows(self, sql: str, **parameters: object) -> list[tuple]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql), parameters)]

    def value(self, sql: str, **parameters: object) -> object:
        return self.rows(sql, **parameters)[0][0]

    def deliver(self, source: Path) -> None:
        """Copy a round of deliveries into the landing folder."""
        shutil.copytree(source, self.landing, dirs_exist_ok=True)


@dataclass
class Snapshot:
    """What stood after one chapter of the story."""

    outcome: str
    release_no: int | None
    persons: dict[str, str]
    mails: int
    row_hash: str
    seen: dict[str, object] = field(default_factory=dict)


MONTHS = [
    (date(2026, 5, 1), date(2026, 5, 31)),
    (date(2026, 6, 1), date(2026, 6, 30)),
    (date(2026, 7, 1), date(2026, 7, 31)),
    (date(2026, 8, 1), date(2026, 8, 31)),
]
PUBLISHED = ("person", "household", "household_member", "source_record", "id_history")


@dataclass
class Story:
    home: Home
    rounds: Rounds
    after: dict[str, Snapshot]
    bad: list[BadDelivery]
    evaluation: Evaluation


def snapshot(home: Home, outcome: str) -> Snapshot:
    hashes = [
        home.value(
            f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from published.{table} t"
        )
        for table in PUBLISHED
    ]
    return Snapshot(
        outcome=outcome,
        release_no=home.value("select release_no from release.pointer"),
        persons=dict(
            home.rows("select record_id, person_id from linkage.record_link where person_id is not null")
        ),
        mails=len(home.sink.mails()),
        row_hash="|".join(map(str, hashes)),
        seen={
            "households": dict(
                home.rows(
                    "select record_id, household_id from linkage.record_link where household_id is not null"
                )
            ),
            "events": home.value("select count(*) from linkage.identity_event"),
            "releases": home.value("select count(*) from release.release"),
            "verdict": home.rows(
                "select status, reasons from quality.verdict order by verdict_id desc limit 1"
            ),
            "published": home.value("select count(*) from published.person"),
        },
    )


def audit(home: Home, month: date, as_of: date, **options: float) -> None:
    audit_into(home.engine, home.folder, home.landing, month, as_of, **options)


def audit_into(
    engine: Engine, folder: Path, landing: Path, month: date, as_of: date, **options: float
) -> None:
    """Draw the audit of a month, let the inspectors fill in the sheets, and hand them in."""
    from publish.crosswalk import write_crosswalk
    from quality.audit import draw_audit

    crosswalk = folder / "crosswalk.csv"
    write_crosswalk(engine, crosswalk)
    drawn = draw_audit(engine, month, as_of, folder / "audits" / f"{month:%Y-%m}")
    inspect(
        drawn.sheets, crosswalk, folder / "synthetic" / "truth", month, landing, seed=month.month, **options
    )


def live(home: Home) -> Story:
    """Four months of a street of 450 households: three to four minutes."""
    from publish.crosswalk import write_crosswalk
    from publish.releases import roll_back

    rounds = Rounds(World.create(20, 450, MONTHS[0][0], None), Dirt.default(), home.folder / "synthetic")
    after: dict[str, Snapshot] = {}

    month, as_of = MONTHS[0]
    home.deliver(rounds.deliver(month))
    after["first lists"] = snapshot(home, home.refresh(as_of))
    audit(home, month, as_of)
    after["first audit"] = snapshot(home, home.refresh(as_of))
    after["again"] = snapshot(home, home.refresh(as_of))

    month, as_of = MONTHS[1]
    good = rounds.deliver(month)
    home.deliver(good)
    after["second lists"] = snapshot(home, home.refresh(as_of))
    bad = write_bad_deliveries(good, home.landing, month)
    after["bad files"] = snapshot(home, home.refresh(as_of))
    audit(home, month, as_of)
    after["second audit"] = snapshot(home, home.refresh(as_of))

    month, as_of = MONTHS[2]
    home.deliver(rounds.deliver(month))
    home.refresh(as_of)
    audit(home, month, as_of)
    after["third audit"] = snapshot(home, home.refresh(as_of))
    crosswalk = home.folder / "crosswalk.csv"
    write_crosswalk(home.engine, crosswalk)
    evaluation = evaluate(crosswalk, home.folder / "synthetic" / "truth_rows.csv")

    month, as_of = MONTHS[3]
    home.deliver(rounds.deliver(month))
    home.refresh(as_of)
    newest_alert = home.value("select max(alert_id) from ops.alert")
    audit(home, month, as_of, error_rate=0.35)
    after["bad audit"] = snapshot(home, home.refresh(as_of))
    after["bad audit"].seen["new mails"] = [
        kind
        for (kind,) in home.rows(
            "select kind from ops.alert where alert_id > :newest and status = 'sent'", newest=newest_alert
        )
    ]
    after["bad audit again"] = snapshot(home, home.refresh(as_of))

    roll_back(home.engine, by="测试员", why="演练")
    after["rolled back"] = snapshot(home, "rolled_back")
    return Story(home, rounds, after, bad, evaluation)
