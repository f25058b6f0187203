"""The small Stripe of the tests: cards, payments, refunds, disputes, and what providers are paid."""

from datetime import timedelta

import pytest
import stripe

from tests.billing.stripe_server.asking import CARD, NOON, intent, paid, types
from tests.stripe_server import cards
from tests.stripe_server.world import Rules

# Cards and payments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "authenticate", "status"),
    [
        (cards.GOOD, None, "succeeded"),
        (cards.DECLINED, None, "requires_payment_method"),
        (cards.DECLINED_WHEN_CHARGED, None, "succeeded"),
        (cards.AUTHENTICATE_UNLESS_SET_UP, None, "requires_action"),
        (cards.AUTHENTICATE_UNLESS_SET_UP, True, "succeeded"),
        (cards.AUTHENTICATE_UNLESS_SET_UP, False, "requires_payment_method"),
    ],
)
def test_a_card_form_ends_as_the_card_says(server, api, customer, number, authenticate, status):
    form = api.setup_intents.create({"customer": customer, "usage": "off_session", **CARD})
    assert server.fill_card_form(form.id, number, authenticate=authenticate) == status
    form = api.setup_intents.retrieve(form.id, {"expand": ["payment_method"]})
    saved = api.payment_methods.list({"customer": customer, "type": "card"}).data
    assert [method.id for method in saved] == ([form.payment_method.id] if status == "succeeded" else [])
    if status == "requires_payment_method":
        assert form.last_setup_error.message
        assert types(server)[-1] == "setup_intent.setup_failed"


def test_a_payment_goes_through_once(server, api, customer):
    made = paid(api, server, customer)
    assert (made.status, made.amount_received) == ("succeeded", 1000)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.payment_intents.confirm(made.id)
    assert caught.value.code == "payment_intent_unexpected_state"
    with pytest.raises(stripe.InvalidRequestError):
        api.payment_intents.cancel(made.id)
    expanded = api.payment_intents.retrieve(made.id, {"expand": ["latest_charge.balance_transaction"]})
    entry = expanded.latest_charge.balance_transaction
    assert (entry.amount, entry.fee, entry.net) == (1000, 40, 960)
    assert types(server)[-3:] == ["payment_intent.created", "payment_intent.succeeded", "charge.succeeded"]


@pytest.mark.parametrize(
    ("why", "code", "decline"),
    [
        ("generic_decline", "card_declined", "generic_decline"),
        ("insufficient_funds", "card_declined", "insufficient_funds"),
        ("expired_card", "expired_card", None),
    ],
)
def test_a_declined_card_is_said_in_the_error_and_in_the_intent(server, api, customer, why, code, decline):
    card = server.card(customer=customer)
    server.bank_changes_its_mind(card, charging=why)
    made = intent(api, customer, card)
    with pytest.raises(stripe.CardError) as caught:
        api.payment_intents.confirm(made.id)
    error = caught.value
    assert (error.http_status, error.code, error.error.decline_code) == (402, code, decline)
    assert error.error.payment_intent.id == made.id
    made = api.payment_intents.retrieve(made.id)
    assert (made.status, made.payment_method) == ("requires_payment_method", None)
    assert (made.last_payment_error.code, getattr(made.last_payment_error, "decline_code", None)) == (code, decline)
    again = api.payment_intents.confirm(made.id, {"payment_method": server.card(customer=customer)})
    assert (again.status, again.last_payment_error) == ("succeeded", None)


def test_a_card_that_cannot_be_saved_says_why(server, api, customer):
    with pytest.raises(stripe.CardError) as caught:
        api.payment_methods.attach(server.card(cards.NO_FUNDS), {"customer": customer})
    assert caught.value.error.decline_code == "insufficient_funds"


def test_another_customers_card_is_refused(server, api, customer):
    other = api.customers.create({}).id
    with pytest.raises(stripe.InvalidRequestError):
        intent(api, customer, server.card(customer=other))


def test_a_detached_card_cannot_be_used_again(server, api, customer):
    card = server.card(customer=customer)
    assert api.payment_methods.detach(card).customer is None
    with pytest.raises(stripe.InvalidRequestError):
        intent(api, customer, card)


@pytest.mark.parametrize(("success", "status"), [(True, "succeeded"), (False, "requires_payment_method")])
def test_the_bank_wants_to_see_the_buyer(server, api, customer, success, status):
    made = paid(api, server, customer, number=cards.ALWAYS_AUTHENTICATE)
    assert (made.status, made.next_action.type) == ("requires_action", "use_stripe_sdk")
    assert server.charges(made.id) == []
    assert server.authenticate(made.id, success=success) == status
    made = api.payment_intents.retrieve(made.id)
    if success:
        assert made.amount_received == 1000
    else:
        assert made.last_payment_error.code == "payment_intent_authentication_failure"
    with pytest.raises(ValueError, match=status):
        server.authenticate(made.id)


def test_lack_of_funds_may_show_only_after_authentication(server, api, customer):
    made = paid(api, server, customer, number=cards.AUTHENTICATE_NO_FUNDS)
    assert server.authenticate(made.id) == "requires_payment_method"
    assert api.payment_intents.retrieve(made.id).last_payment_error.decline_code == "insufficient_funds"


def test_off_session_the_bank_cannot_see_the_buyer(server, api, customer):
    card = server.card(cards.ALWAYS_AUTHENTICATE, customer=customer)
    with pytest.raises(stripe.CardError) as caught:
        intent(api, customer, card, confirm=True, off_session=True)
    assert caught.value.code == "authentication_required"
    made = caught.value.error.payment_intent
    assert made["status"] == "requires_payment_method"
    assert caught.value.error.payment_method.id == card
    # On the page that the buyer is sent to:
    again = api.payment_intents.confirm(made["id"], {"payment_method": card})
    assert again.status == "requires_action"
    assert server.authenticate(again.id) == "succeeded"


def test_a_card_that_was_authenticated_when_saved_passes_off_session(server, api, customer):
    form = api.setup_intents.create({"customer": customer, "usage": "off_session", **CARD})
    server.fill_card_form(form.id, cards.AUTHENTICATE_UNLESS_SET_UP)
    card = api.setup_intents.retrieve(form.id).payment_method
    assert intent(api, customer, card, confirm=True, off_session=True).status == "succeeded"
    server.bank_changes_its_mind(card, off_session=True)
    with pytest.raises(stripe.CardError):
        intent(api, customer, card, confirm=True, off_session=True)


def test_an_amount_that_is_too_small_is_refused(api, server, customer):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        intent(api, customer, server.card(customer=customer), 49)
    assert caught.value.code == "amount_too_small"


def test_intents_can_be_canceled_and_listed(server, api, customer):
    made = intent(api, customer, server.card(customer=customer))
    canceled = api.payment_intents.cancel(made.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError):
        api.payment_intents.confirm(made.id)
    assert [i.id for i in api.payment_intents.list({"customer": customer}).data] == [made.id]
    assert api.payment_intents.list({"customer": "cus_other"}).data == []


# Refunds and disputes ----------------------------------------------------------------------------------------


def test_no_more_is_given_back_than_was_paid(server, api, customer):
    made = paid(api, server, customer)
    refund = api.refunds.create({"payment_intent": made.id, "amount": 300, "metadata": {"refund_id": "1"}})
    assert (refund.status, refund.amount) == ("succeeded", 300)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        api.refunds.create({"payment_intent": made.id, "amount": 701})
    assert api.refunds.create({"payment_intent": made.id}).amount == 700
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.refunds.create({"payment_intent": made.id})
    assert caught.value.code == "charge_already_refunded"
    assert [r.amount for r in api.refunds.list({"payment_intent": made.id}).data] == [700, 300]
    charge = api.charges.retrieve(made.latest_charge, {"expand": ["refunds"]})
    assert (charge.refunded, charge.amount_refunded, len(charge.refunds.data)) == (True, 1000, 2)
    assert server.balance_of("eur") == -40


def test_a_refund_that_fails_can_be_made_again(server, api, customer):
    made = paid(api, server, customer)
    refund = server.dashboard_refund(made.id)
    server.fail_refund(refund["id"], "lost_or_stolen_card")
    failed = api.refunds.retrieve(refund["id"])
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert types(server)[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]
    assert api.refunds.create({"payment_intent": made.id}).status == "succeeded"


def test_a_refund_may_take_its_time(server, api, customer):
    server.rules = Rules(refunds_pending=True)
    made = paid(api, server, customer)
    refund = api.refunds.create({"payment_intent": made.id})
    assert refund.status == "pending"
    server.complete_refund(refund.id)
    assert api.refunds.retrieve(refund.id).status == "succeeded"


@pytest.mark.parametrize(("won", "status", "left"), [(True, "won", -1040), (False, "lost", -2040)])
def test_a_chargeback_takes_the_money_and_brings_it_back_if_won(server, api, customer, won, status, left):
    made = paid(api, server, customer)
    dispute = server.open_dispute(made.id, reason="product_not_received")
    assert server.balance_of("eur") == 960 - 1000 - 2000
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.refunds.create({"payment_intent": made.id})
    assert caught.value.code == "charge_disputed"
    seen = api.disputes.update(dispute["id"], {"evidence": {"uncategorized_text": "They used it."}, "submit": True})
    assert (seen.status, seen.evidence_details.has_evidence) == ("under_review", True)
    server.close_dispute(dispute["id"], won=won)
    seen = api.disputes.list({"payment_intent": made.id}).data[0]
    assert (seen.status, server.balance_of("eur")) == (status, left)
    told = [kind for kind in types(server) if kind.startswith("charge.dispute.")]
    back = ["charge.dispute.funds_reinstated"] if won else []
    assert told == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        *back,
        "charge.dispute.closed",
    ]


def test_an_inquiry_takes_nothing_unless_it_becomes_a_chargeback(server, api, customer):
    made = paid(api, server, customer)
    inquiry = server.open_dispute(made.id, inquiry=True)
    assert (inquiry["status"], server.balance_of("eur")) == ("warning_needs_response", 960)
    assert api.refunds.create({"payment_intent": made.id, "amount": 100}).status == "succeeded"
    server.escalate_inquiry(inquiry["id"])
    assert api.disputes.retrieve(inquiry["id"]).status == "needs_response"
    assert api.disputes.close(inquiry["id"]).status == "lost"


def test_what_cannot_happen_on_their_side_does_not(server, api, customer):
    made = paid(api, server, customer)
    with pytest.raises(ValueError, match="succeeded"):
        server.pay_in_browser(made.id)
    refund = server.dashboard_refund(made.id, 400)
    with pytest.raises(ValueError, match="greater than unrefunded"):
        server.dashboard_refund(made.id, 601)
    with pytest.raises(ValueError, match="succeeded"):
        server.complete_refund(refund["id"])
    with pytest.raises(ValueError, match="600 is left"):
        server.open_dispute(made.id, 601)
    dispute = server.open_dispute(made.id, 600)
    with pytest.raises(ValueError, match="no inquiry"):
        server.escalate_inquiry(dispute["id"])
    server.close_dispute(dispute["id"], won=False)
    with pytest.raises(ValueError, match="lost"):
        server.close_dispute(dispute["id"], won=True)
    with pytest.raises(ValueError, match="back"):
        server.advance(NOON - timedelta(seconds=1))


def test_some_cards_bring_their_dispute_with_them(server, api, customer):
    paid(api, server, customer, number=cards.DISPUTED)
    assert types(server)[-1] == "charge.dispute.funds_withdrawn"


# Connect -------------------------------------------------------------------------------------------------------


@pytest.fixture
def account(api, server) -> str:
    made = api.accounts.create(
        {
            "country": "DE",
            "email": "p@example.org",
            "controller": {
                "stripe_dashboard": {"type": "express"},
                "fees": {"payer": "application"},
                "losses": {"payments": "application"},
                "requirement_collection": "stripe",
            },
            "capabilities": {"transfers": {"requested": True}},
            "settings": {"payouts": {"schedule": {"interval": "manual"}}},
        }
    )
    assert made.requirements.currently_due
    return made.id


def test_a_provider_is_paid_only_after_onboarding(server, api, account):
    urls = {"return_url": "https://a.example/", "refresh_url": "https://b.example/"}
    assert api.account_links.create({"account": account, "type": "account_onboarding", **urls}).url
    server.top_up(10_000)
    transfer = {"amount": 5000, "currency": "eur", "destination": account}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.transfers.create(transfer)
    assert caught.value.code == "insufficient_capabilities_for_transfer"
    server.finish_onboarding(account)
    seen = api.accounts.retrieve(account)
    assert (seen.details_submitted, seen.payouts_enabled, seen.default_currency) == (True, True, "eur")
    assert seen.external_accounts.data[0].currency == "eur"
    assert api.accounts.login_links.create(account).url
    assert api.transfers.create(transfer).destination == account
    assert {event.account for event in server.events if event.type == "account.updated"} == {account}


def test_only_money_that_is_there_can_be_transferred_or_paid_out(server, api, account, customer):
    server.rules = Rules(funds_after=timedelta(days=7))
    server.finish_onboarding(account)
    made = paid(api, server, customer, 10_000)
    transfer = {"amount": 5000, "currency": "eur", "destination": account}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.transfers.create(transfer)
    assert caught.value.code == "balance_insufficient"
    assert api.balance.retrieve().pending[0].amount == 10_000 - 175
    early = api.transfers.create({**transfer, "source_transaction": made.latest_charge})
    assert early.source_transaction == made.latest_charge
    there = {"stripe_account": account}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.payouts.create({"amount": 5000, "currency": "eur"}, there)
    assert caught.value.code == "balance_insufficient"
    server.advance(NOON + timedelta(days=7))
    assert api.payouts.create({"amount": 5000, "currency": "eur"}, there).status == "pending"


def test_a_payout_arrives_or_comes_back(server, api, account):
    server.finish_onboarding(account)
    server.top_up(10_000)
    api.transfers.create({"amount": 6000, "currency": "eur", "destination": account})
    there = {"stripe_account": account}
    first, second = (api.payouts.create({"amount": 3000, "currency": "eur"}, there) for _ in range(2))
    server.fail_payout(first.id, "account_closed")
    server.advance(NOON + timedelta(days=3))
    assert api.payouts.retrieve(first.id, None, there).failure_code == "account_closed"
    assert api.payouts.retrieve(second.id, None, there).status == "paid"
    assert api.payouts.list({"status": "paid"}, there).data[0].id == second.id
    assert api.payouts.list().data == []
    server.fail_payout(second.id)
    assert server.balance_of("eur", account) == 6000
    told = [(event.type, event.event["account"]) for event in server.events if event.type.startswith("payout.")]
    kinds = ["created", "created", "failed", "updated", "paid", "failed"]
    assert told == [(f"payout.{kind}", account) for kind in kinds]


def test_a_restricted_provider_gets_nothing_out(server, api, account):
    server.finish_onboarding(account)
    server.top_up(1000)
    api.transfers.create({"amount": 1000, "currency": "eur", "destination": account})
    server.restrict(account, "individual.verification.document")
    assert api.accounts.retrieve(account).requirements.currently_due == ["individual.verification.document"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.payouts.create({"amount": 1000, "currency": "eur"}, {"stripe_account": account})
    assert caught.value.code == "payouts_not_allowed"
    server.lift_restriction(account)
    assert api.payouts.create({"amount": 1000, "currency": "eur"}, {"stripe_account": account})


def test_a_transfer_can_be_taken_back_while_the_money_is_there(server, api, account):
    server.finish_onboarding(account)
    server.top_up(1000)
    made = api.transfers.create({"amount": 1000, "currency": "eur", "destination": account, "transfer_group": "g"})
    api.payouts.create({"amount": 600, "currency": "eur"}, {"stripe_account": account})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.transfers.reversals.create(made.id)
    assert caught.value.code == "balance_insufficient"
    reversal = api.transfers.reversals.create(made.id, {"amount": 400})
    seen = api.transfers.list({"transfer_group": "g"}).data[0]
    assert (seen.amount_reversed, seen.reversed, seen.reversals.data[0].id) == (400, False, reversal.id)
    assert server.balance_of("eur") == 400


def test_an_account_that_is_not_ours_is_forbidden(api):
    with pytest.raises(stripe.PermissionError):
        api.payouts.list({}, {"stripe_account": "acct_other"})
