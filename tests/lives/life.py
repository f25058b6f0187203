"""What may become of one booking: its buyer, its provider, a bank and somebody at the dashboard act as they like."""

from collections.abc import Iterator
from datetime import timedelta

from billing.models import Payment, PaymentStatus, RefundReason, SavedCard
from billing.services import cards, payments, payout_holds
from billing.services.refunds import give_back
from bookings.models import Booking, Charge
from bookings.services import extend
from bookings.services.cancel import cancel_booking
from bookings.services.end_early import end_early
from bookings.services.purposes import Purpose
from bookings.services.request import request_booking
from machines.models import Outage, Work, WorkKind
from tests.agents import SigningAgent
from tests.handing_over import automatic, give_key, report, result, take, with_agent
from tests.lives.world import DAY, HOUR, World
from tests.people import another_administrator, enter_access, minute, record_wipe
from tests.stripe_server import cards as test_cards

MINUTE = timedelta(minutes=1)
CARDS = (
    [test_cards.GOOD] * 12
    + [test_cards.AUTHENTICATE_UNLESS_SET_UP, test_cards.ALWAYS_AUTHENTICATE] * 2
    + [test_cards.DECLINED_WHEN_CHARGED, test_cards.AUTHENTICATE_NO_FUNDS]
    + [test_cards.REFUND_SUCCEEDS_LATER, test_cards.REFUND_FAILS_LATER]
)


class Life:
    """One booking from the request on. ``path`` is what happened, in words, for whoever looks at a failed seed."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng
        self.path: list[str] = []
        self.agent: SigningAgent | None = None
        self.booking_id = None

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def did(self, what: str) -> None:
        self.path.append(f"{self.world.now:%m-%d %H:%M} {what}")

    @property
    def booking(self) -> Booking:
        return Booking.objects.select_related("machine").get(pk=self.booking_id)

    def live(self) -> Iterator[timedelta]:
        world, rng = self.world, self.rng
        yield rng.randint(0, 3 * 24 * 60) * MINUTE
        listing, self.buyer = world.listing(), world.buyer()
        if self.chance(0.25):
            self.agent = with_agent(automatic(listing.machine))
            give_key(self.buyer, now=world.now)
            listing.refresh_from_db()
        is_long = self.chance(0.15)
        start = minute(world.now) + rng.choice((1, 30, 60 * 5, 60 * 30, 60 * 24 * 8)) * MINUTE
        end = start + (
            rng.randint(29, 62) * DAY if is_long else rng.randint(1, 60) * HOUR + rng.choice((0, 17)) * MINUTE
        )
        purpose = Purpose(world.department(self.buyer)) if self.chance(0.2) else None
        booking = request_booking(
            listing=listing, buyer=self.buyer, start=start, end=end, now=world.now, purpose=purpose
        )
        self.booking_id = booking.pk
        whom = "for a department " if purpose else ""
        terms = booking.cancellation_terms
        self.did(f"asks {whom}for {end - start} at {booking.price_total} {booking.currency}, {terms}")
        for _ in range(rng.choice((0, 2, 3, 3, 3, 4))):
            yield from self.pay(booking.charges.get(number=1))
            if self.booking.is_paid or not self.booking.is_payable(now=world.now):
                break
        if is_long:
            world.join(self.bank())
        if self.chance(0.12):
            world.join(self.dashboard(), after=rng.randint(1, 12 * 24) * HOUR)
        if self.chance(0.14):
            world.join(self.chargeback(), after=rng.randint(1, 20 * 24) * HOUR)
        if self.chance(0.12):
            world.join(self.dispute(), after=rng.randint(24, 10 * 24) * HOUR)
        yield from self.before_the_start()
        yield from self.during()
        yield from self.after()

    # Paying.

    def pay(self, charge: Charge) -> Iterator[timedelta]:
        """A card form, perhaps clicked twice; the bank may want to see the buyer, who may not care."""
        world, rng = self.world, self.rng
        secret = world.attempt(lambda: cards.begin_card(user=self.buyer))
        yield rng.choice((0, 0, 1, 2)) * MINUTE
        if secret is None:
            return
        form = secret.split("_secret_")[0]
        number = rng.choice(CARDS)
        world.processor.fill_card_form(form, number, authenticate=rng.choice((True, True, True, False)))
        for _ in range(rng.choice((1, 1, 2))):
            means = cards.means(user=self.buyer, setup_intent=form, card_id=None, keep=True, now=world.now)
            payment = world.attempt(
                lambda means=means: payments.pay(charge=charge, payer=self.buyer, means=means, now=world.now)
            )
        self.did(f"pays {charge.kind} {charge.number} with {number[-4:]}: {payment.status if payment else 'not known'}")
        yield rng.choice((0, 1, 5, 16)) * MINUTE
        payment = Payment.objects.filter(charge=charge).order_by("-timestamp", "-pk").first()
        if payment is None or not payment.needs_authentication or self.chance(0.25):
            return
        self.authenticate(payment)
        if self.chance(0.6):
            world.attempt(lambda: payments.synchronise(payment=payment, now=world.now))

    def authenticate(self, payment: Payment) -> None:
        success = self.chance(0.75)
        self.did(f"the bank sees the buyer: {success}")
        self.world.may(lambda: self.world.processor.authenticate(payment.stripe_payment_intent, success=success))

    # The life of a booking.

    def before_the_start(self) -> Iterator[timedelta]:
        world, rng = self.world, self.rng
        booking = self.booking
        left = max(int((booking.start - world.now) / MINUTE), 0)
        if self.chance(0.1):
            yield from self.extend()
        if self.chance(0.25):
            yield rng.randint(0, left) * MINUTE
            by = rng.choice((booking.buyer, booking.buyer, booking.machine.provider))
            self.did(f"canceled by {by.email}")
            world.attempt(lambda: cancel_booking(booking_id=booking.pk, by=by, now=world.now))
        yield max(booking.start - world.now, timedelta(0))

    def during(self) -> Iterator[timedelta]:
        world, rng = self.world, self.rng
        if self.chance(0.93):
            yield rng.choice((0, 0, 0, 0, 1, 7, 40, 130)) * MINUTE
            if self.booking.is_active and self.booking.wipe_opened_at is None and self.booking.end > world.now:
                self.did("let in")
                self.let_in()
        while self.booking.is_going_on(now=world.now) and self.booking.end > world.now:
            left = int((self.booking.end - world.now) / MINUTE)
            yield rng.randint(1, max(left, 1)) * MINUTE
            what = rng.random()
            if self.agent is not None and self.chance(0.4):
                self.fall_silent()
            if what < 0.25:
                yield from self.extend()
            elif what < 0.45:
                self.did("ends early")
                world.attempt(lambda: end_early(booking_id=self.booking_id, by=self.buyer, now=world.now))
            elif what < 0.7:
                yield from self.pay_stage()

    # The machine: a provider's hands, or an agent that goes away now and then.

    def let_in(self) -> None:
        if self.agent is None:
            self.world.attempt(lambda: enter_access(self.booking, now=self.world.now))
        else:
            self.let_agent_work()

    def let_agent_work(self) -> None:
        """It does what it is asked for, and reports that."""
        now = self.world.now
        while (piece := take(self.agent, now=now)) is not None:
            outcome = {}
            if piece.kind == WorkKind.WIPE:
                piece = Work.objects.select_related("agent__machine", "agent__node").get(pk=piece.pk)
                outcome = self.agent.evidence(piece, now=now)
            elif piece.kind == WorkKind.PROVISION:
                outcome = result(piece, now=now)
            report(self.agent, piece, outcome, now=now)

    def fall_silent(self) -> None:
        """It was silent until now, since it was last heard of. What is settled is not settled again."""
        if self.booking.settled_at is not None:
            return
        access = getattr(self.booking, "access", None)
        last = Outage.objects.filter(machine=self.booking.machine).order_by("-ended_at").first()
        since = last.ended_at if last else access and access.ready_at
        if since is None or since >= self.world.now:
            return
        began = max(since, self.world.now - self.rng.choice((3, 20, 300)) * MINUTE)
        self.did(f"silent for {self.world.now - began}")
        Outage.objects.create(
            machine=self.booking.machine, agent=self.agent.row, began_at=began, ended_at=self.world.now
        )

    def extend(self) -> Iterator[timedelta]:
        world, rng = self.world, self.rng
        end = self.booking.end + rng.choice((30, 60, 60 * 25, 60 * 24 * 6)) * MINUTE
        charge = world.attempt(
            lambda: extend.request_extension(booking_id=self.booking_id, by=self.buyer, new_end=end, now=world.now)
        )
        if charge is None:
            return
        self.did(f"extends by {charge.length} for {charge.amount}")
        if self.chance(0.1):
            world.attempt(lambda: extend.give_back_extension(booking_id=self.booking_id, by=self.buyer, now=world.now))
        if self.chance(0.8) and charge.amount:
            yield from self.pay(charge)

    def pay_stage(self) -> Iterator[timedelta]:
        stage = self.booking.charges.open().filter(kind="stage", due_at__lte=self.world.now).first()
        if stage is not None:
            yield from self.pay(stage)

    def after(self) -> Iterator[timedelta]:
        while True:
            booking = self.booking
            if booking.is_completed or booking.is_canceled or booking.is_hold:
                return
            if booking.is_awaiting_wipe:
                self.did("wiped")
                if self.agent is None:
                    self.world.attempt(lambda booking=booking: record_wipe(booking, now=self.world.now))
                else:
                    self.let_agent_work()
            yield 5 * HOUR

    # Others.

    def bank(self) -> Iterator[timedelta]:
        """The bank begins to refuse the kept card, or wants to see its owner, and perhaps takes that back."""
        for what in ({"charging": "insufficient_funds"}, {"off_session": True}, {"charging": ""}):
            yield self.rng.randint(1, 20 * 24) * HOUR
            saved = SavedCard.objects.kept().filter(user=self.buyer).first()
            if saved is not None and self.chance(0.5):
                self.did(f"the bank: {what}")
                self.world.processor.bank_changes_its_mind(saved.stripe_payment_method, **what)

    def dashboard(self) -> Iterator[timedelta]:
        payment = Payment.objects.filter(booking=self.booking_id, status=PaymentStatus.PAID).order_by("pk").first()
        if payment is not None:
            amount = None if self.chance(0.3) else self.rng.randint(1, 400)
            self.did(f"the dashboard gives back {amount or 'all'}")
            self.world.may(lambda: self.world.processor.dashboard_refund(payment.stripe_payment_intent, amount))
        yield timedelta(0)

    def chargeback(self) -> Iterator[timedelta]:
        payment = Payment.objects.filter(booking=self.booking_id, status=PaymentStatus.PAID).order_by("pk").first()
        if payment is None:
            return
        amount = None if self.chance(0.6) else self.rng.randint(1, 300)
        found: list[str] = []
        self.world.may(
            lambda: found.append(
                self.world.processor.open_dispute(payment.stripe_payment_intent, amount, inquiry=self.chance(0.2))["id"]
            )
        )
        if not found:
            return
        self.did(f"the bank takes back {amount or 'all'}")
        yield self.rng.randint(1, 25 * 24) * HOUR
        won = self.chance(0.4)
        self.did(f"decided for us: {won}")
        self.world.may(lambda: self.world.processor.close_dispute(found[0], won=won))
        if not won and self.chance(0.4):
            yield self.rng.randint(1, 10 * 24) * HOUR
            self.world.may(lambda: self.world.processor.appeal_dispute(found[0]))
            yield self.rng.randint(1, 10 * 24) * HOUR
            won = self.chance(0.7)
            self.did(f"decided for us after all: {won}")
            self.world.may(lambda: self.world.processor.close_dispute(found[0], won=won))

    def dispute(self) -> Iterator[timedelta]:
        """The two sides disagree: a part of the earnings is held, some of it goes back, the hold ends."""
        world = self.world
        booking = self.booking
        if not booking.is_paid or booking.is_canceled:
            return
        hold = world.attempt(
            lambda: payout_holds.place_hold(
                booking=booking, amount=None, reason="Disputed.", by=world.admin, now=world.now
            )
        )
        yield self.rng.randint(1, 6 * 24) * HOUR
        payment = Payment.objects.filter(booking=booking, status=PaymentStatus.PAID).order_by("pk").first()
        if payment is not None and payment.refundable > 1:
            amount = min(payment.refundable, self.rng.choice((1, 2)) * payment.refundable // 3 + 1)

            def decide() -> None:
                give_back(
                    payment=payment,
                    amount=amount,
                    reason=RefundReason.DISPUTE,
                    why="Decided.",
                    by=world.admin,
                    second=another_administrator(),
                    now=world.now,
                )

            self.did(f"decided: {amount} goes back")
            world.attempt(decide)
        if hold is not None:
            world.attempt(
                lambda: payout_holds.release_hold(
                    hold=hold, reason="Decided.", by=world.admin, second=another_administrator(), now=world.now
                )
            )
