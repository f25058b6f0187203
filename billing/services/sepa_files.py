"""The files that our bank pays providers by."""

import hashlib
from datetime import date, datetime, timedelta

from django.db import transaction

from accounts.models import User
from accounts.services.roles import require_administrator
from billing.errors import PaymentError
from billing.models import Payout, PayoutStatus, SepaFile
from billing.payouts.sepa import transfer_file
from billing.services.owed import in_the_way
from billing.services.payouts import moved
from common.files import kept_with_rows, read, store
from common.ids import short, uuid7

#: Banks take files for the days ahead, and not for ever.
LONGEST_AHEAD = timedelta(days=30)


def make_sepa_file(*, by: User, now: datetime, execute_on: date) -> SepaFile:
    """Put every scheduled SEPA payout that can be paid now into one file for our bank. From then on they are *sent*.

    Args:
        execute_on: when the bank is to pay. On a day off it pays on the next one.

    Raises:
        NotAnAdministrator: ``by`` is none.
        PaymentError: nothing can be paid now, or the day makes no sense.
        StorageAway: the file could not be kept; nothing was sent.
    """
    require_administrator(by)
    if not now.date() <= execute_on <= now.date() + LONGEST_AHEAD:
        raise PaymentError(f"The bank can pay from today on, for {LONGEST_AHEAD.days} days ahead.", field="execute_on")
    with kept_with_rows():
        return _make(by=by, now=now, execute_on=execute_on)


@transaction.atomic
def _make(*, by: User, now: datetime, execute_on: date) -> SepaFile:
    waiting = Payout.objects.for_the_bank().select_related("account", "provider").select_for_update(of=("self",))
    payouts = list(waiting)
    if not payouts:
        raise PaymentError("No SEPA payout waits.")
    why = in_the_way(payouts, now=now)
    payouts = [payout for payout in payouts if payout.pk not in why]
    if not payouts:
        raise PaymentError(
            f"No SEPA payout can be paid now. {' '.join(words for some in why.values() for words in some)}"
        )
    id = uuid7()
    message_id = f"{now:%Y%m%d%H%M}-{short(id)}".upper()
    data = transfer_file(payouts, message_id=message_id, execute_on=execute_on)
    row = SepaFile.objects.create(
        id=id,
        message_id=message_id,
        created_at=now,
        created_by=by,
        execute_on=execute_on,
        count=len(payouts),
        total=sum(payout.amount for payout in payouts),
        file=store(f"sepa/{now:%Y}/{message_id}.xml", data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    for payout in payouts:
        payout.status, payout.sent_at, payout.sepa_file = PayoutStatus.SENT, now, row
        payout.save(update_fields=["status", "sent_at", "sepa_file"])
        moved(payout, now=now)
    return row


def left_out(*, now: datetime) -> list[str]:
    """Of the SEPA payouts that wait: those that cannot be paid now, each with the reason."""
    waiting = list(Payout.objects.for_the_bank())
    why = in_the_way(waiting, now=now)
    return [f"{payout.reference}: {' '.join(why[payout.pk])}" for payout in waiting if payout.pk in why]


def content_of(file: SepaFile) -> bytes:
    """The file as it was made.

    Raises:
        PaymentError: what is in the storage is another one.
        FileMissing, StorageAway: it cannot be read.
    """
    data = read(file.file)
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise PaymentError("The file in the storage is not the one that was made. Do not send it to the bank.")
    return data
