from datetime import timedelta
from decimal import Decimal
import pytest
from billing.models import *  # noqa
from billing.models import Chargeback, Payout, Invoice, AccountKind, SubscriptionPayment
from billing.services import payouts, refunds, reconcile, payout_accounts
from billing.services.check import problems
from billing.services.ledger import balance
from bookings.models import Booking
from tests.billing.at_processor import hear, told
from tests.earning import make_payout, make_due, make_iban, owed_to
from tests.plans import *  # noqa
from tests.plans import Shop, put_on_sale
from tests.people import DAY, HOUR

pytestmark = pytest.mark.django_db


def test_03_chargeback_of_a_plan_is_never_recorded(processor, buyer, administrator, settings, now):
    put_on_sale(settings)
    shop = Shop(processor, now)
    shop.subscribe(buyer)
    paid = SubscriptionPayment.objects.get()
    processor.open_dispute(paid.stripe_payment_intent)
    hear(told(processor, "charge.dispute."), now=now)
    print("processor account:", balance(AccountKind.PROCESSOR, currency="EUR"), [x.what for x in problems()])
    assert Chargeback.objects.exists()


def test_09_retry_pays_what_is_not_owed_any_more(listing, buyer, provider, administrator, now):
    payout = make_payout(listing, buyer, now=now)
    payouts.mark_failed(payout=payout, reason="closed", by=administrator, now=now)
    booking = payout.lines.get().booking
    payment = booking.payments.get()
    refunds.request_refund(payment=payment, amount=payment.amount_total, reason="dispute", by=administrator, now=now)
    print("owed", owed_to(provider))
    from billing.errors import PaymentError
    with pytest.raises(PaymentError):
        again = payouts.retry_payout(payout=payout, by=administrator, now=now)
        print("retry of", again.amount)


def test_13_hold_placed_after_failure_does_not_stop_retry(listing, buyer, provider, administrator, now):
    from billing.services.payout_holds import place_hold
    from billing.errors import PaymentError
    payout = make_payout(listing, buyer, now=now)
    payouts.mark_failed(payout=payout, reason="closed", by=administrator, now=now)
    booking = payout.lines.get().booking
    place_hold(booking=booking, amount=None, reason="chargeback feared", by=administrator, now=now)
    with pytest.raises(PaymentError):
        payouts.retry_payout(payout=payout, by=administrator, now=now)
