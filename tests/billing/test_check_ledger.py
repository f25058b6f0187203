"""``manage.py check_ledger``: silent where all is right, and names every kind of wrong."""

from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection

from billing.models import Chargeback, ChargebackState, LedgerTransaction, Payment, Posting, Refund, RefundStatus
from billing.services import check
from billing.services.check import problems
from billing.services.ledger import Side, post
from bookings.services.cancel import cancel_booking
from common.money import rounded
from tests.billing.test_refunds import ask_back
from tests.people import DAY, make_billing_details, make_listing, make_machine, make_over, make_paid

pytestmark = pytest.mark.django_db


def kinds() -> set[str]:
    return {problem.kind for problem in problems()}


def run(capsys) -> tuple[int, str]:
    """The command's exit status and what it printed."""
    status = 0
    try:
        call_command("check_ledger")
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().out


@pytest.fixture
def payment(paid) -> Payment:
    """Of 8 EUR."""
    return paid.payments.get()


def test_an_empty_ledger_is_right(db, capsys):
    assert run(capsys) == (0, f"The ledger is right: {len(check.QUESTIONS)} questions, no problem.\n")


def test_it_prints_every_account_with_its_balance(payment, capsys):
    status, said = run(capsys)
    assert status == 0
    assert "provider_payable provider@example.com" in said
    assert "processor" in said
    assert "8.00 EUR" in said


def test_bookings_in_every_state_of_their_life_are_right(listing, other_listing, paid, completed, buyer, now):
    canceled = make_paid(other_listing, buyer, start=now + 9 * DAY, asked=now)
    cancel_booking(booking_id=canceled.pk, by=buyer, now=now)
    make_over(other_listing, buyer, end=now - DAY)
    assert problems() == []


@pytest.mark.parametrize(("price", "currency"), [("2.05", "EUR"), ("3.33", "USD"), ("0.99", "GBP"), ("337", "JPY")])
@pytest.mark.parametrize("vat_id", ["", "FR40303265045"])
def test_shares_are_right_to_the_last_cent_whatever_was_given_back(provider, buyer, now, price, currency, vat_id):
    """Prices that do not divide, with VAT in them and without."""
    if vat_id:
        make_billing_details(buyer, vat_id=vat_id, country="FR")
    prices = {f"price_{unit}": Decimal(price) for unit in ("hour", "day", "week")}
    listing = make_listing(make_machine(provider, "odd"), currency=currency, **prices)
    (payment,) = make_paid(listing, buyer, start=now + DAY, hours=7, asked=now).payments.all()
    for share in ("0.07", "0.11", "0.5"):
        ask_back(payment, str(rounded(payment.amount_total * Decimal(share), currency)), now)
        assert problems() == []
    payment.refresh_from_db()
    ask_back(payment, str(payment.refundable), now)
    assert problems() == []


@pytest.mark.parametrize("amount", ["0.5", "1.5", "2.5", "0.125", "0.135", "0.1250001", "17.345", "2.675"])
@pytest.mark.parametrize("currency", ["EUR", "JPY"])
def test_the_database_rounds_as_we_do(db, amount, currency):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {check._half_even('a', 'c')} FROM (VALUES ({amount}, '{currency}')) AS v (a, c)")
        assert cursor.fetchone()[0] == rounded(Decimal(amount), currency)


# What is wrong is named --------------------------------------------------------------------------------


def test_a_paid_payment_that_was_never_posted(payment):
    Payment.objects.filter(pk=payment.pk).update(amount_total=9)
    assert {"payment_received", "payment_at_processor", "payment_kept"} <= kinds()


def test_a_payment_that_is_not_paid_and_was_posted(payment, capsys):
    Payment.objects.filter(pk=payment.pk).update(status="failed")
    assert "payment_received" in kinds()
    status, said = run(capsys)
    assert status == 1
    assert f"payment {payment.pk} of 8.00 EUR is failed, and 8.00 is posted as received" in said


def test_a_charge_that_is_paid_and_was_never_earned(paid, payment):
    paid.charges.update(status="open", paid_at=None)
    assert kinds() == {"charge_earned"}


def test_a_refund_that_was_made_and_still_waits_in_the_ledger(payment, now):
    refund = ask_back(payment, "3", now)
    Refund.objects.filter(pk=refund.pk).update(status=RefundStatus.MADE, stripe_refund="re_1", made_at=now)
    assert {"refund", "payment_at_processor", "refunds_account"} <= kinds()


def test_a_refund_without_a_posting(payment, now):
    payment.refunds.create(amount=1, currency="EUR", reason="goodwill", requested_at=now)
    assert {"refund", "refunds_account"} <= kinds()


def test_a_chargeback_without_a_posting(payment, now):
    Chargeback.objects.create(
        payment=payment, stripe_dispute="du_1", amount=8, currency="EUR", state=ChargebackState.OPEN, stripe_status="x"
    )
    assert {"chargeback", "payment_at_processor"} <= kinds()


def test_somebody_given_more_than_their_share(paid, payment, now):
    """Balanced, so that the database has nothing against it."""
    sides = [Side("commission", Decimal("0.01")), Side("provider_payable", Decimal("-0.01"), payment.provider)]
    about = {"booking": paid, "payment": payment}
    post(kind=Posting.CORRECTION, key="k", currency="EUR", sides=sides, now=now, **about)
    assert kinds() == {"payment_shares", "booking_owed"}


def test_a_booking_of_which_more_is_owed_than_its_share(paid, now, provider):
    sides = [Side("bank", Decimal("5")), Side("provider_payable", Decimal("-5"), provider)]
    post(kind=Posting.CORRECTION, key="k", currency="EUR", sides=sides, now=now, booking=paid)
    assert kinds() == {"booking_owed"}


def test_a_buyer_who_owes_something(paid, buyer, now):
    sides = [Side("buyer", Decimal("5"), buyer), Side("bank", Decimal("-5"))]
    post(kind=Posting.CORRECTION, key="k", currency="EUR", sides=sides, now=now)
    assert kinds() == {"buyer_owes"}


def test_a_transaction_without_entries(now):
    LedgerTransaction.objects.create(kind=Posting.CORRECTION, key="k", at=now)
    assert kinds() == {"transaction_empty"}


def test_a_posting_in_another_currency(paid, payment, now):
    sides = [Side("bank", Decimal("5")), Side("losses", Decimal("-5"))]
    post(kind=Posting.CORRECTION, key="k", currency="USD", sides=sides, now=now, booking=paid, payment=payment)
    assert "payment_currency" in kinds()


def test_a_payout_that_is_not_what_its_lines_are(provider, paid, now):
    account = provider.payout_accounts.create(method="sepa", holder="P", iban="DE89370400440532013000")
    payout = provider.payouts.create(
        account=account, method="sepa", currency="EUR", amount=5, status="sent", sent_at=now
    )
    payout.lines.create(booking=paid, amount=4)
    assert kinds() == {"payout", "payout_lines", "payouts_account"}


def test_triggers_off_and_the_ledger_out_of_balance(paid):
    """Only a superuser of the database can bring this about."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE ledger_entries SET amount = amount + 1 WHERE id = (SELECT id FROM ledger_entries LIMIT 1)"
        )
        cursor.execute("SET session_replication_role = DEFAULT")
    assert {"ledger_sum", "transaction_sum"} <= kinds()
