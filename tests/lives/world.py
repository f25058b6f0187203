"""A small marketplace in which many bookings live at once, on one clock that the test moves."""

import heapq
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from accounts.models import BillingKind, Organization, Role, User
from billing.models import Payment, Payout, PayoutHold, PayoutMethod, PayoutStatus, Refund, RefundReason, RefundStatus
from billing.services import payout_accounts, payout_holds, payouts, postings, printing, refunds, sepa_files
from billing.services.catching_up import catch_up
from billing.services.chargebacks import AFTER_ALL
from common.errors import MarketplaceError
from machines.models import Listing
from tests.lives.line import Crash, Line
from tests.lives.sweeps import SWEEPS
from tests.organizations import make_organization, make_organization_details
from tests.people import another_administrator, make_billing_details, make_listing, make_machine, make_user, verify
from tests.stripe_server.fixtures import Processor

T = TypeVar("T")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

#: Rates by currency: about the same worth, each with odd digits.
RATES = {
    "EUR": ("2.37", "41.99", "251.03"),
    "USD": ("2.61", "45.17", "270.00"),
    "GBP": ("1.99", "35.55", "211.11"),
    "JPY": ("377", "6801", "40001"),
}
BUYERS: tuple[dict[str, str], ...] = (
    {},
    {"kind": BillingKind.INDIVIDUAL, "country": "FR"},
    {"kind": BillingKind.BUSINESS, "country": "DE", "vat_id": "DE136695976"},
    {"kind": BillingKind.BUSINESS, "country": "AT", "vat_id": "ATU13585627"},
    {"kind": BillingKind.BUSINESS, "country": "US"},
)


class World:
    """Lives, sweeps and an administrator take turns. ``attempt`` is how anybody does anything."""

    def __init__(self, processor: Processor, seed: int, *, begin: datetime, fault_rate: float) -> None:
        self.rng = random.Random(seed)
        self.seed, self.now, self.processor = seed, begin, processor
        self.line = Line(processor, self.rng, rate=0.0)
        self.admin = make_user(
            f"admin{seed}@example.com", Role.PLATFORM_ADMINISTRATOR, is_staff=True, is_superuser=True
        )
        self._people = 0
        self._turns: list[tuple[datetime, int, Iterator[timedelta]]] = []
        self._order = 0
        self._given_up: set[Any] = set()
        self.processor.advance(begin)
        for currency in RATES:
            self.processor.top_up(10**10, currency.lower())
        self.providers = [self._provider(place) for place in range(4)]
        self.line.rate = fault_rate
        self.join(self._administration())

    # People and machines.

    def _email(self, what: str) -> str:
        self._people += 1
        return f"{what}{self._people}.{self.seed}@example.com"

    def buyer(self) -> User:
        user = make_user(self._email("buyer"), Role.BUYER, name="Bea Buyer")
        details = self.rng.choice(BUYERS)
        if details:
            make_billing_details(user, **details)
        return user

    def department(self, member: User) -> Organization:
        """The person's own, with another address than theirs on its invoices."""
        organization = make_organization(member, f"Department {self._people}")
        make_organization_details(organization)
        return organization

    def _provider(self, place: int) -> User:
        user = make_user(self._email("provider"), Role.PROVIDER, organization_name=f"Host {place}")
        verify(user, by=self.admin, now=self.now)
        details = [
            {"kind": BillingKind.BUSINESS, "country": "DE", "vat_id": "DE136695976"},
            {"kind": BillingKind.BUSINESS, "country": "FR", "vat_id": "FR40303265045"},
            {"kind": BillingKind.INDIVIDUAL, "country": "DE"},
            {"kind": BillingKind.BUSINESS, "country": "US"},
        ][place]
        make_billing_details(user, **details)
        account = payout_accounts.begin_stripe(user=user, country=details["country"], now=self.now)
        self.processor.finish_onboarding(account.stripe_account, *(currency.lower() for currency in RATES))
        payout_accounts.synchronise_account(stripe_account=account.stripe_account, now=self.now)
        if place % 2:
            payout_accounts.enter_iban(
                user=user, holder="Host", iban="DE02120300000000202051", bic="BYLADEM1001", now=self.now
            )
        return user

    def listing(self) -> Listing:
        """A machine of its own for each life: what others book is not in its way."""
        machine = make_machine(self.rng.choice(self.providers), name=f"m{self._people}-{self.rng.randrange(10**9)}")
        currency = self.rng.choice(list(RATES))
        hour, day, week = map(Decimal, RATES[currency])
        return make_listing(
            machine,
            currency=currency,
            price_hour=hour,
            price_day=day,
            price_week=week,
            max_hours=24 * 120,
            max_ahead_days=90,
            cancellation_terms=self.rng.choice(["flexible", "moderate", "strict"]),
        )

    # Time.

    def join(self, life: Iterator[timedelta], *, after: timedelta = timedelta(0)) -> None:
        """Let somebody act from then on: what they yield is how long they wait."""
        self._order += 1
        heapq.heappush(self._turns, (self.now + after, self._order, life))

    def run(self, until: datetime) -> None:
        """Let everybody act until nobody has anything left to do before ``until``."""
        while self._turns and self._turns[0][0] <= until:
            at, _, life = heapq.heappop(self._turns)
            self._pass_to(max(at, self.now))
            pause = next(life, None)
            if pause is not None:
                self.join(life, after=pause)
            self._sweep(self.rng.sample(SWEEPS, 2))
        self._pass_to(until)

    def _pass_to(self, at: datetime) -> None:
        """Nothing waits longer than some hours for the next round of the sweeps, of which some are lost."""
        while at - self.now > DAY:
            self._tick(self.now + self.rng.randint(60, 1440) * timedelta(minutes=1))
            self._sweep(self.rng.sample(SWEEPS, 8))
        self._tick(at)

    def _tick(self, at: datetime) -> None:
        self.now = at
        self.processor.advance(at)
        self.line.carry(at)

    def _sweep(self, sweeps: Any) -> None:
        for sweep in sweeps:
            self.attempt(lambda sweep=sweep: sweep(now=self.now))

    def attempt(self, act: Callable[[], T]) -> T | None:
        """Do something that may be refused, or in the middle of which our process may die."""
        try:
            return act()
        except (Crash, MarketplaceError):
            return None

    # What an administrator does, day by day.

    def _administration(self) -> Iterator[timedelta]:
        while True:
            yield 2 * DAY
            for refund in self.processor.holds("refund", status="pending"):
                self.may(lambda one=refund: self.processor.complete_refund(one["id"]))
            self.administrate()

    def administrate(self) -> None:
        rng = self.rng
        self.attempt(lambda: catch_up(now=self.now))
        failures = Refund.objects.filter(status=RefundStatus.FAILED, retry=None, retry_of=None)
        for failed in failures.exclude(reason="outside").exclude(pk__in=self._given_up):
            if rng.random() < 0.3:
                self._given_up.add(failed.pk)
            self.attempt(lambda failed=failed: refunds.ask_again(refund=failed, by=self.admin, now=self.now))
        for hold in PayoutHold.objects.filter(reason=AFTER_ALL, released_at=None):
            self.attempt(lambda hold=hold: self._all_back(hold))
        for failed in Payout.objects.filter(status=PayoutStatus.FAILED, retry=None):
            self.attempt(lambda failed=failed: payouts.retry_payout(payout=failed, by=self.admin, now=self.now))
        sent = Payout.objects.filter(status=PayoutStatus.SENT)
        for payout in sent.filter(method=PayoutMethod.SEPA):
            if rng.random() < 0.15 and self.line.rate:
                mark = lambda payout=payout: payouts.mark_failed(  # noqa: E731
                    payout=payout, reason="The account is closed.", by=self.admin, now=self.now
                )
            else:
                mark = lambda payout=payout: payouts.mark_received(payout=payout, by=self.admin, now=self.now)  # noqa: E731
            self.attempt(mark)
        for payout in sent.filter(method=PayoutMethod.CONNECT, stripe_payout__isnull=False):
            if rng.random() < 0.1 and self.line.rate:
                self.may(lambda payout=payout: self.processor.fail_payout(payout.stripe_payout))
        self.attempt(lambda: sepa_files.make_sepa_file(by=self.admin, now=self.now, execute_on=(self.now + DAY).date()))

    def _all_back(self, hold: PayoutHold) -> None:
        """A bank has decided for us after all, of a booking that was over by then: the buyer gets all of it."""
        second = another_administrator()
        for payment in Payment.objects.paid().filter(booking=hold.booking):
            left = min(payment.refundable, postings.earned_of(payment))
            if left > 0:
                why, by = "Not used.", self.admin
                reason = RefundReason.GOODWILL
                refunds.give_back(
                    payment=payment, amount=left, reason=reason, why=why, by=by, second=second, now=self.now
                )
        payout_holds.release_hold(hold=hold, reason="Seen to.", by=self.admin, second=second, now=self.now)

    @staticmethod
    def may(act: Callable[[], object]) -> None:
        """Something at the processor's side that cannot always happen."""
        with suppress(ValueError):
            act()

    # The end.

    def come_to_rest(self) -> None:
        """Nothing goes wrong any more: what was begun comes to its end, without any step by hand but a person's own."""
        self.line.quiet()
        for chargeback in self.processor.holds("dispute"):
            self.may(lambda one=chargeback: self.processor.close_dispute(one["id"], won=self.rng.random() < 0.5))
        for day in range(20):
            self._tick(self.now + (DAY if day > 3 else 4 * HOUR))
            for refund in self.processor.holds("refund", status="pending"):
                self.may(lambda one=refund: self.processor.complete_refund(one["id"]))
            self.processor.settle_payouts()
            self.line.carry(self.now)
            for sweep in SWEEPS:
                sweep(now=self.now)
            self.administrate()
        printing.print_invoices(now=self.now, limit=10)
