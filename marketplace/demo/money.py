"""Money in the demonstration: test cards instead of card forms, and what is done every day and every month."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from accounts.models import User
from billing import gateway
from billing.models import Payment, PaymentStatus, Payout, PayoutAccount, PayoutStatus, SavedCard, SepaFile
from billing.services import cards, payments, payouts, sepa_files, stages, statements
from billing.services.cards import Means
from billing.services.payout_accounts import enter_iban
from bookings.models import Charge
from marketplace.demo import people

#: A payment method that the processor keeps for tests: it always succeeds, and is refused with a live key.
TEST_CARD, TEST_CARD_LABEL = "pm_card_visa", "Visa 4242"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: How many days ago a file was made for the bank. The first has been booked; what came later waits for the next one.
FILES = (16, 1)
#: How long the bank takes.
BOOKED_AFTER = 2 * DAY


class Wallet:
    """What the buyers pay with."""

    def __init__(self) -> None:
        self.customers: dict[str, str] = {}

    def pay(self, charge: Charge, *, payer: User, now: datetime, keep: bool = False) -> None:
        """Pay at the processor, as at ``now``, unless it is paid.

        Args:
            keep: keep the card, so that it can be charged again.

        Raises:
            RuntimeError: the processor did not take it.
            ProcessorAway: it does not answer.
        """
        charge.refresh_from_db()
        if charge.is_paid:
            return
        means = self._kept(payer, now=now) if keep else Means(self._customer(payer), TEST_CARD, TEST_CARD_LABEL)
        payment = payments.pay(charge=charge, payer=payer, means=lambda: means, now=now)
        if payment.status != PaymentStatus.PAID:
            raise RuntimeError(f"The payment processor did not take payment {payment.pk}.")

    def _customer(self, payer: User) -> str:
        if payer.email not in self.customers:
            self.customers[payer.email] = cards.customer_of(payer)
        return self.customers[payer.email]

    def _kept(self, payer: User, *, now: datetime) -> Means:
        card = cards.default_card(payer) or keep_card(payer, now=now)
        return Means(self._customer(payer), card.stripe_payment_method, card.label)


def keep_card(user: User, *, now: datetime) -> SavedCard:
    """As a person who fills in the card form on their page of cards."""
    form = cards.begin_card(user=user).split("_secret_")[0]
    gateway.fill_card_form(form, payment_method=TEST_CARD)
    return cards.add_card(user=user, setup_intent=form, now=now)


def charge_stage(stage: Charge, *, now: datetime) -> None:
    """
    Raises:
        RuntimeError: the processor did not take it.
    """
    stage.refresh_from_db()
    if not stage.is_paid:
        stages.charge_stage(charge=stage, now=now)
        if not Payment.objects.paid().filter(charge=stage).exists():
            raise RuntimeError(f"The payment processor did not take stage {stage.pk}.")


def chores(since: datetime, *, now: datetime) -> Iterator[datetime]:
    """What happens beside the bookings, in the order of time: yields when it goes on.

    Providers say where they are paid to. Every day what is due is scheduled, now and then a file is made for the bank,
    and on the first of a month statements are sent.
    """
    yield since
    for email, iban in people.IBANS.items():
        provider = User.objects.get(email=email)
        if not PayoutAccount.objects.current().filter(user=provider).exists():
            enter_iban(user=provider, holder=people.BILLING_DETAILS[email]["name"], iban=iban, bic="", now=since)
    admin = User.objects.get(email=people.ADMIN)
    files = {now - days * DAY for days in FILES}
    # At last just before now, so that nothing that came due since the morning is left to the sweep.
    just_now = now - timedelta(milliseconds=1)
    moments = sorted({*_mornings(since, just_now), just_now, *files, *(made + BOOKED_AFTER for made in files)})
    for at in moments:
        if at > now:
            return
        yield at
        payouts.schedule_payouts(now=at)
        if at.day == 1:
            statements.mail_statements(now=at)
        if at in files and not SepaFile.objects.filter(created_at=at).exists():
            _make_file(admin, at)
        for payout in Payout.objects.filter(status=PayoutStatus.SENT, sent_at__lte=at - BOOKED_AFTER):
            payouts.mark_received(payout=payout, by=admin, now=at)


def _mornings(since: datetime, now: datetime) -> Iterator[datetime]:
    at = since.replace(hour=6, minute=0, second=0, microsecond=0) + DAY
    while at < now:
        yield at
        at += DAY


def _make_file(admin: User, at: datetime) -> None:
    if Payout.objects.for_the_bank().exists():
        sepa_files.make_sepa_file(by=admin, now=at, execute_on=(at + DAY).date())
