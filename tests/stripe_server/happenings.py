"""What happens without a request of ours: what buyers, banks, people at the dashboard and the calendar do."""

import threading
from datetime import datetime
from typing import Any

from tests.stripe_server import cards
from tests.stripe_server.errors import Failure
from tests.stripe_server.resources import (
    accounts,
    disputes,
    money,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    setup_intents,
)
from tests.stripe_server.world import Thing, World, public


class Happenings(World):
    """Each method does one thing that could happen at Stripe's side, and tells the events that it would bring.

    Objects are named by their ids; what is returned is a copy. A thing that cannot happen raises
    ValueError, an id that is not there a :class:`~tests.stripe_server.errors.Failure`.
    """

    _lock: threading.RLock

    # Buyers and their banks.

    def card(self, number: str = cards.GOOD, *, customer: str = "") -> str:
        """A card as a browser makes it of a number; saved with ``customer`` at once. Returns its id."""
        with self._lock:
            method = payment_methods.make(self, number)
            if customer:
                payment_methods.attach_to(self, method["id"], customer)
            return method["id"]

    def fill_card_form(self, setup_intent: str, number: str = cards.GOOD, *, authenticate: bool | None = True) -> str:
        """The buyer fills in the card form of a SetupIntent. Returns its status.

        Where the bank wants to see the buyer: ``authenticate`` says whether that succeeds; ``None`` leaves it open.
        """
        with self._lock:
            setup = self.get("setup_intent", setup_intent)
            try:
                setup_intents.confirm_with(self, setup, payment_methods.make(self, number)["id"])
            except Failure:
                return setup["status"]
            if setup["status"] == "requires_action" and authenticate is not None:
                setup_intents.authenticated(self, setup, success=authenticate)
            return setup["status"]

    def authenticate(self, intent: str, *, success: bool = True) -> str:
        """The buyer authenticates a PaymentIntent or a SetupIntent, or fails to. Returns its status."""
        with self._lock:
            if setup := self.find("setup_intent", intent):
                setup_intents.authenticated(self, setup, success=success)
                return setup["status"]
            found = self.get("payment_intent", intent)
            if found["status"] != "requires_action":
                raise ValueError(f"{intent} is {found['status']}.")
            payment_intents.authenticated(self, found, success=success)
            return found["status"]

    def pay_in_browser(self, intent: str, number: str = cards.GOOD, *, authenticate: bool | None = True) -> str:
        """The buyer confirms a PaymentIntent in the browser: with its card, else with a new one. Returns its status."""
        with self._lock:
            found = self.get("payment_intent", intent)
            if found["status"] not in ("requires_payment_method", "requires_confirmation"):
                raise ValueError(f"{intent} is {found['status']}.")
            if not found["payment_method"]:
                found["payment_method"] = payment_methods.make(self, number)["id"]
            try:
                payment_intents.attempt(self, found)
            except Failure:
                return found["status"]
            if found["status"] == "requires_action" and authenticate is not None:
                payment_intents.authenticated(self, found, success=authenticate)
            return found["status"]

    def bank_changes_its_mind(self, payment_method: str, **what: Any) -> None:
        """From now on the bank treats a saved card otherwise, e.g. ``charging="insufficient_funds"``, ``charging=""``,
        ``off_session=True`` (it wants to see the buyer where the shop charges the card). The names are those of
        :class:`tests.stripe_server.cards.Card`."""
        with self._lock:
            method = self.get("payment_method", payment_method)
            method["_card"] = cards.changed(method["_card"], **what)
            if what.get("off_session"):
                method["_card"] = cards.changed(method["_card"], set_up_helps=False)

    # Refunds.

    def dashboard_refund(self, intent: str, amount: int | None = None) -> Thing:
        """Somebody gives money back in the dashboard; ``amount`` in minor units, or all that is left."""
        with self._lock:
            try:
                return public(refunds.make(self, self._charge(intent), amount=amount))
            except Failure as failure:
                raise ValueError(str(failure)) from failure

    def complete_refund(self, refund: str) -> None:
        """A pending refund arrives."""
        with self._lock:
            refunds.complete(self, self.get("refund", refund))

    def fail_refund(self, refund: str, reason: str = "expired_or_canceled_card") -> None:
        """The bank sends a refund back."""
        with self._lock:
            refunds.fail(self, self.get("refund", refund), reason)

    # Disputes.

    def open_dispute(
        self, intent: str, amount: int | None = None, reason: str = "fraudulent", *, inquiry: bool = False
    ) -> Thing:
        """The buyer's bank takes the money back, or (``inquiry``) only asks about it."""
        with self._lock:
            return public(disputes.start(self, self._charge(intent), amount=amount, reason=reason, inquiry=inquiry))

    def escalate_inquiry(self, dispute: str) -> None:
        """An inquiry becomes a chargeback."""
        with self._lock:
            disputes.escalate(self, self.get("dispute", dispute))

    def close_dispute(self, dispute: str, *, won: bool) -> None:
        """The bank decides; an inquiry is closed either way."""
        with self._lock:
            disputes.finish(self, self.get("dispute", dispute), won=won)

    def appeal_dispute(self, dispute: str) -> None:
        """What was lost is looked at once more; ``close_dispute`` decides it again."""
        with self._lock:
            disputes.appeal(self, self.get("dispute", dispute))

    def _charge(self, intent: str) -> Thing:
        found = self.get("payment_intent", intent)
        if not found["latest_charge"]:
            raise ValueError(f"{intent} has never been charged.")
        return self.get("charge", found["latest_charge"])

    # Connected accounts.

    def finish_onboarding(self, account: str, *currencies: str) -> None:
        """The provider has told Stripe all it wants, with a bank account for each currency (else the country's)."""
        with self._lock:
            accounts.onboard(self, self.get("account", account), currencies=currencies)

    def restrict(self, account: str, *due: str, transfers: bool = False) -> None:
        """Stripe wants more (``due``), and pays nothing out until then; with ``transfers`` it takes none either."""
        with self._lock:
            wanted = due or ("individual.verification.document",)
            accounts.restrict(self, self.get("account", account), due=wanted, transfers=transfers)

    def lift_restriction(self, account: str) -> None:
        """The provider has told what was wanted."""
        with self._lock:
            accounts.lift(self, self.get("account", account))

    def settle_payouts(self) -> None:
        """Every payout that is on its way arrives."""
        with self._lock:
            for payout, account in self._payouts():
                payouts.arrive(self, payout, account)

    def pay_out(self, payout: str) -> None:
        """One payout arrives."""
        with self._lock:
            payouts.arrive(self, *self._payout(payout))

    def fail_payout(self, payout: str, code: str = "account_closed") -> None:
        """The bank sends a payout back, before or after it was paid."""
        with self._lock:
            found, account = self._payout(payout)
            payouts.fail(self, found, code, account)

    def _payouts(self) -> list[tuple[Thing, str]]:
        places = ["", *(account["id"] for account in self.all("account"))]
        return [(payout, place) for place in places for payout in self.all("payout", place)]

    def _payout(self, wanted: str) -> tuple[Thing, str]:
        for payout, account in self._payouts():
            if payout["id"] == wanted:
                return payout, account
        raise ValueError(f"There is no payout {wanted}.")

    # Money and time.

    def top_up(self, amount: int, currency: str = "eur") -> None:
        """Our own money is added to the balance, in minor units."""
        with self._lock:
            money.book(self, "topup", amount, currency, None)

    def balance_of(self, currency: str, account: str = "") -> int:
        """What an account can use, in minor units."""
        with self._lock:
            return money.balance(self, currency, account)

    def advance(self, to: datetime) -> None:
        """Let time pass until ``to``: everything that is due happens, each at its own time."""
        with self._lock:
            self.pass_time(to)

    def charges(self, intent: str) -> list[Thing]:
        """What was charged for a PaymentIntent, and what the bank refused, oldest first."""
        return self.holds("charge", payment_intent=intent)

    def holds(self, kind: str, account: str = "", **where: Any) -> list[Thing]:
        """Copies of the objects of a kind ("refund") that have these values, oldest first."""
        with self._lock:
            return public(self.all(kind, account, **where))
