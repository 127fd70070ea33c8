"""Receipts into the outbox folder and into mails: what the line, the command line and the UI's jobs call.

What a receipt says is `ingest.receipt_content`, who gets which mail `quality.supplier_mails`.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from infra.clock import business_today
from infra.mail import MailTransport
from ingest.arrivals import update_delivery_due
from ingest.receipts import write_missing_receipts
from orchestration.platform import Platform
from orchestration.runs import newest_as_of
from quality.alerts import deliver_alerts
from quality.supplier_mails import SupplierMails, queue_supplier_mails, suppliers_of


@dataclass(frozen=True)
class Answers:
    """What suppliers were told: receipts written, and what became of their mails."""

    receipts: tuple[Path, ...]
    mails: SupplierMails


def answer_suppliers(platform: Platform, as_of: date | None = None) -> Answers:
    """Write the receipts of all deliveries whose state has none, and mail them.

    Args:
        platform: The opened platform.
        as_of: Business date reminders are counted from, to which the clock is set; left out after a person's decision:
            the clock is set again first (what was refused has not come), and reminders are counted from today.

    Raises:
        PermanentError: The suppliers' file is wrong. The receipts are written, their mails wait for the next time.
    """
    settings, engine = platform.settings, platform.engine
    if as_of is None and (refreshed := newest_as_of(engine)) is not None:
        update_delivery_due(engine, refreshed)
    # Where receipts lay before there was an outbox.
    written = write_missing_receipts(engine, settings.outbox, settings.home / "receipts")
    suppliers = suppliers_of(engine, settings.suppliers)
    queued = queue_supplier_mails(engine, suppliers, as_of or business_today())
    deliver_alerts(engine, MailTransport.from_settings(settings), settings)
    return Answers(tuple(written), queued)
