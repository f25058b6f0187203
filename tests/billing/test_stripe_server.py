"""The small Stripe of the tests, asked by the real ``stripe`` package."""

import json
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from billing import gateway
from billing.errors import ProcessorAway
from tests.stripe_server import cards, objects, operations
from tests.stripe_server.__main__ import serving
from tests.stripe_server.client import InProcess, lost, said
from tests.stripe_server.names import hints
from tests.stripe_server.server import StripeServer
from tests.stripe_server.world import ANSWERS, API_VERSION, Rules

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CARD = {"payment_method_types": ["card"]}


@pytest.fixture
def server():
    """At noon on 31 January; whatever the types refuse fails the test, unless it takes it away itself."""
    server = StripeServer(now=NOON)
    yield server
    assert server.violations == []


@pytest.fixture
def line(server: StripeServer) -> InProcess:
    return InProcess(server)


@pytest.fixture
def client(line: InProcess) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_x", http_client=line, stripe_version=API_VERSION)


@pytest.fixture
def api(client: stripe.StripeClient):
    return client.v1


@pytest.fixture
def customer(api) -> str:
    return api.customers.create({"email": "ada@example.org", "name": "Ada"}).id


def intent(api, customer: str, card: str, amount: int = 1000, **more: Any) -> stripe.PaymentIntent:
    wanted = {"amount": amount, "currency": "eur", "customer": customer, "payment_method": card}
    return api.payment_intents.create({**wanted, **CARD, **more})


def paid(api, server: StripeServer, customer: str, amount: int = 1000, number: str = cards.GOOD):
    made = intent(api, customer, server.card(number, customer=customer), amount)
    return api.payment_intents.confirm(made.id)


def types(server: StripeServer) -> list[str]:
    return [event.type for event in server.events]


# The types -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": 1000, "currency": "eur", "colour": "red"}, "parameter_unknown", "colour"),
        ({"currency": "eur"}, "parameter_missing", "amount"),
        ({"amount": "ten", "currency": "eur"}, "parameter_invalid_integer", "amount"),
        ({"amount": 1000, "currency": "eur", "setup_future_usage": "sometimes"}, None, "setup_future_usage"),
        ({"amount": 1000, "currency": "eur", "metadata": "x"}, None, "metadata"),
        ({"amount": 1000, "currency": "eur", "expand": "customer"}, None, "expand"),
        ({"amount": 1000, "currency": "eur", "shipping": {"name": "A"}}, "parameter_missing", "shipping[address]"),
    ],
)
def test_a_request_that_the_types_do_not_allow_is_refused_and_noted(server, api, params, code, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.payment_intents.create(params)
    assert caught.value.http_status == 400
    assert (caught.value.code, caught.value.param) == (code, param)
    assert len(server.violations) == 1
    assert "payment_intent.create" in server.violations.pop()
    assert server.holds("payment_intent") == []


def test_a_parameter_that_the_server_would_ignore_is_refused_and_noted(server, api):
    with pytest.raises(stripe.InvalidRequestError, match="statement_descriptor"):
        api.payment_intents.create({"amount": 1000, "currency": "eur", "statement_descriptor": "X"})
    assert "ignores" in server.violations.pop()


def test_a_parameter_that_newer_types_lack_passes_only_where_it_is_listed_with_a_reason(server, api, customer):
    assert intent(api, customer, server.card(customer=customer)).payment_method_types == ["card"]
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter"):
        api.customers.create(CARD)
    assert server.violations.pop()


def test_a_request_with_another_version_or_to_an_unknown_place_is_noted(server, line, api):
    other = stripe.StripeClient("sk_test_x", http_client=line, stripe_version="2020-08-27")
    other.v1.customers.create({})
    assert "2020-08-27" in server.violations.pop()
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        api.coupons.list()
    assert "/v1/coupons" in server.violations.pop()


def test_an_answer_that_lacks_something_or_says_too_much_is_noted(server, api, customer):
    made = server.get("customer", customer)
    del made["livemode"]
    made["colour"] = "red"
    made["created"] = "today"
    api.customers.retrieve(customer)
    assert sorted(server.violations) == [
        "answer: customer.colour: not known",
        "answer: customer.created: 'today' is not an integer",
        "answer: customer.livemode: missing",
    ]
    server.violations.clear()


def test_an_answer_with_a_word_that_the_types_do_not_have_is_noted(server, api, customer):
    made = intent(api, customer, server.card(customer=customer))
    server.get("payment_intent", made.id)["status"] = "nearly"
    api.payment_intents.retrieve(made.id)
    assert "payment_intent.status" in server.violations.pop()


def test_what_is_expanded_is_checked_too(server, api, customer):
    made = intent(api, customer, server.card(customer=customer))
    server.get("customer", customer)["created"] = None
    api.payment_intents.retrieve(made.id)
    assert server.violations == []
    api.payment_intents.retrieve(made.id, {"expand": ["customer"]})
    assert "customer.created" in server.violations.pop()


def test_every_operation_that_is_answered_is_one_of_the_package_and_heeds_only_what_it_declares():
    known = {operation.name: operation for _, operation in operations._patterns()}
    for name, (_, heeds) in ANSWERS.items():
        declared = set(hints(known[name].params)) | set(known[name].allowed_besides)
        assert heeds - {"expand"} <= declared, name


def test_all_types_that_are_needed_can_be_read():
    for _, operation in operations._patterns():
        if operation.name in ANSWERS:
            assert objects.faults(operation.answer, {"object": "nothing"})


# Requests, errors, idempotency -----------------------------------------------------------------------------


def test_a_key_of_ours_is_needed(server):
    status, _, body = server.handle("GET", "/v1/customers", {}, b"")
    assert status == 401
    assert json.loads(body)["error"]["type"] == "invalid_request_error"


def test_what_is_not_there_is_404_in_the_path_and_400_in_a_parameter(api):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.payment_intents.retrieve("pi_none")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.payment_intents.create({"amount": 1000, "currency": "eur", "customer": "cus_none"})
    assert (caught.value.http_status, caught.value.param) == (400, "customer")


def test_the_same_key_with_the_same_parameters_does_it_once(server, api):
    options = {"idempotency_key": "k"}
    first = api.customers.create({"name": "Ada"}, options)
    again = api.customers.create({"name": "Ada"}, options)
    assert first.id == again.id
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert types(server) == ["customer.created"]


def test_the_same_key_with_other_parameters_or_elsewhere_is_an_error(api, customer):
    api.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as caught:
        api.customers.create({"name": "Eve"}, {"idempotency_key": "k"})
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        api.setup_intents.create({"customer": customer}, {"idempotency_key": "k"})


def test_a_decline_is_repeated_for_its_key_and_a_refused_parameter_is_not(server, api, customer):
    made = intent(api, customer, server.card(cards.DECLINED_WHEN_CHARGED, customer=customer))
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            api.payment_intents.confirm(made.id, {}, {"idempotency_key": "pay"})
    assert types(server).count("charge.failed") == 1
    with pytest.raises(stripe.InvalidRequestError):
        api.customers.create({"colour": "red"}, {"idempotency_key": "new"})
    server.violations.clear()
    assert api.customers.create({"name": "Ada"}, {"idempotency_key": "new"}).name == "Ada"


def test_a_key_is_forgotten_after_a_day(server, api):
    first = api.customers.create({}, {"idempotency_key": "k"})
    server.advance(NOON + timedelta(hours=23))
    assert api.customers.create({}, {"idempotency_key": "k"}).id == first.id
    server.advance(NOON + timedelta(hours=24))
    assert api.customers.create({}, {"idempotency_key": "k"}).id != first.id


def test_lists_come_in_pages_newest_first(server, api):
    made = []
    for hour in range(25):
        server.advance(NOON + timedelta(hours=hour))
        made.append(api.customers.create({"email": f"{hour % 2}@example.org"}).id)
    page = api.customers.list()
    assert ([c.id for c in page.data], page.has_more) == (made[:14:-1], True)
    assert [c.id for c in api.customers.list({"limit": 7}).auto_paging_iter()] == made[::-1]
    before = api.customers.list({"ending_before": made[20], "limit": 2})
    assert ([c.id for c in before.data], before.has_more) == ([made[22], made[21]], True)
    since = int((NOON + timedelta(hours=22)).timestamp())
    assert [c.id for c in api.customers.list({"created": {"gte": since}}).data] == made[:21:-1]
    assert len(api.customers.list({"email": "1@example.org", "limit": 100}).data) == 12


def test_metadata_is_merged_and_goes_by_empty_values(api, customer):
    api.customers.update(customer, {"metadata": {"a": "1", "b": "2"}})
    api.customers.update(customer, {"metadata": {"a": "", "c": "3"}})
    assert api.customers.retrieve(customer).metadata.to_dict() == {"b": "2", "c": "3"}
    api.customers.update(customer, {"metadata": ""})
    assert api.customers.retrieve(customer).metadata.to_dict() == {}


def test_a_deleted_customer_is_still_known_as_deleted_but_cannot_be_used(api, customer):
    assert api.customers.delete(customer).deleted
    assert api.customers.retrieve(customer).deleted
    with pytest.raises(stripe.InvalidRequestError):
        api.setup_intents.create({"customer": customer})


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


# Subscriptions -------------------------------------------------------------------------------------------------


@pytest.fixture
def small(api) -> str:
    return price(api, 1900)


@pytest.fixture
def big(api) -> str:
    return price(api, 4900)


def price(api, amount: int) -> str:
    product = api.products.create({"name": f"Plan for {amount}"})
    recurring = {"interval": "month"}
    return api.prices.create(
        {"currency": "eur", "unit_amount": amount, "recurring": recurring, "product": product.id}
    ).id


def subscribe(api, server, customer, plan, number=cards.GOOD, **more):
    card = server.card(number, customer=customer)
    wanted = {"customer": customer, "items": [{"price": plan}], "default_payment_method": card}
    expand = ["latest_invoice.payments", "latest_invoice.confirmation_secret"]
    return api.subscriptions.create({**wanted, "expand": expand, **more})


def ends(subscription) -> datetime:
    return datetime.fromtimestamp(subscription["items"].data[0].current_period_end, UTC)


def taken(api, subscription) -> list[int]:
    return [invoice.amount_paid for invoice in api.invoices.list({"subscription": subscription.id}).data]


def test_a_subscription_is_paid_and_renewed_on_its_day(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    assert (made.status, made.latest_invoice.status) == ("active", "paid")
    assert made.latest_invoice.payments.data[0].status == "paid"
    assert ends(made) == datetime(2026, 2, 28, 12, tzinfo=UTC)
    server.advance(datetime(2026, 4, 1, tzinfo=UTC))
    made = api.subscriptions.retrieve(made.id)
    assert ends(made) == datetime(2026, 4, 30, 12, tzinfo=UTC)
    assert taken(api, made) == [1900, 1900, 1900]


@pytest.mark.parametrize("number", [cards.DECLINED_WHEN_CHARGED, cards.ALWAYS_AUTHENTICATE])
def test_a_first_payment_that_fails_leaves_it_incomplete_until_paid(server, api, customer, small, number):
    made = subscribe(api, server, customer, small, number)
    assert made.status == "incomplete"
    secret = made.latest_invoice.confirmation_secret.client_secret
    waiting = secret.split("_secret_")[0]
    if number == cards.ALWAYS_AUTHENTICATE:
        server.authenticate(waiting)
    else:
        server.pay_in_browser(waiting)
    assert api.subscriptions.retrieve(made.id).status == "active"


def test_an_incomplete_subscription_expires_after_23_hours(server, api, customer, small):
    made = subscribe(api, server, customer, small, payment_behavior="default_incomplete")
    assert (made.status, made.latest_invoice.status) == ("incomplete", "open")
    server.advance(NOON + timedelta(hours=23))
    made = api.subscriptions.retrieve(made.id, {"expand": ["latest_invoice"]})
    assert (made.status, made.latest_invoice.status) == ("incomplete_expired", "void")


def test_error_if_incomplete_leaves_nothing_behind(server, api, customer, small):
    with pytest.raises(stripe.CardError):
        subscribe(api, server, customer, small, cards.DECLINED_WHEN_CHARGED, payment_behavior="error_if_incomplete")
    assert api.subscriptions.list({"customer": customer, "status": "all"}).data == []


def test_an_upgrade_charges_the_difference_for_the_rest(server, api, customer, small, big):
    made = subscribe(api, server, customer, small)
    halfway = NOON + timedelta(days=14)
    server.advance(halfway)
    item = {"id": made["items"].data[0].id, "price": big}
    at = {"proration_behavior": "always_invoice", "proration_date": int(halfway.timestamp())}
    preview = api.invoices.create_preview(
        {"customer": customer, "subscription": made.id, "subscription_details": {"items": [item], **at}}
    )
    assert (preview.total, [line.amount for line in preview.lines.data]) == (1500, [-950, 2450])
    changed = api.subscriptions.update(made.id, {"items": [item], "payment_behavior": "pending_if_incomplete", **at})
    assert (changed["items"].data[0].price.id, changed.pending_update) == (big, None)
    assert taken(api, made) == [1500, 1900]


def test_an_upgrade_that_is_not_paid_waits_and_is_dropped_with_its_invoice(server, api, customer, small, big):
    made = subscribe(api, server, customer, small)
    server.advance(NOON + timedelta(days=14))
    server.bank_changes_its_mind(made.default_payment_method, charging="insufficient_funds")
    item = {"id": made["items"].data[0].id, "price": big}
    wanted = {"items": [item], "payment_behavior": "pending_if_incomplete", "proration_behavior": "always_invoice"}
    changed = api.subscriptions.update(made.id, wanted)
    assert (changed["items"].data[0].price.id, changed.status) == (small, "active")
    assert changed.pending_update.subscription_items[0].price.id == big
    with pytest.raises(stripe.CardError):
        api.invoices.pay(changed.latest_invoice)
    api.invoices.void_invoice(changed.latest_invoice)
    assert api.subscriptions.retrieve(made.id).pending_update is None
    again = api.subscriptions.update(made.id, wanted)
    card = server.card(customer=customer)
    assert api.invoices.pay(again.latest_invoice, {"payment_method": card, "off_session": False}).status == "paid"
    assert api.subscriptions.retrieve(made.id)["items"].data[0].price.id == big


def test_a_downgrade_waits_for_the_end_of_the_period(server, api, customer, small, big):
    made = subscribe(api, server, customer, big)
    item = made["items"].data[0]
    schedule = api.subscription_schedules.create({"from_subscription": made.id})
    none = {"proration_behavior": "none"}
    now = {"items": [{"price": big}], "start_date": item.current_period_start, "end_date": item.current_period_end}
    duration = {"interval": "month", "interval_count": 1}
    then = {"items": [{"price": small}], "start_date": item.current_period_end, "duration": duration}
    api.subscription_schedules.update(schedule.id, {"phases": [{**now, **none}, {**then, **none}]})
    seen = api.subscription_schedules.retrieve(schedule.id, {"expand": ["phases.items.price"]})
    assert seen.phases[1]["items"][0]["price"].unit_amount == 1900
    with pytest.raises(stripe.InvalidRequestError, match="managed by the subscription schedule"):
        api.subscriptions.update(made.id, {"cancel_at_period_end": True})
    server.advance(NOON + timedelta(days=29))
    made = api.subscriptions.retrieve(made.id)
    assert (made["items"].data[0].price.id, taken(api, made)) == (small, [1900, 4900])
    server.advance(NOON + timedelta(days=70))
    assert api.subscriptions.retrieve(made.id).schedule is None
    assert api.subscription_schedules.retrieve(schedule.id).status == "released"


def test_a_released_schedule_changes_nothing(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    schedule = api.subscription_schedules.create({"from_subscription": made.id})
    assert api.subscription_schedules.release(schedule.id).released_subscription == made.id
    assert api.subscriptions.retrieve(made.id).schedule is None
    with pytest.raises(stripe.InvalidRequestError):
        api.subscription_schedules.release(schedule.id)


def test_it_ends_with_the_period_unless_that_is_taken_back(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    assert api.subscriptions.update(made.id, {"cancel_at_period_end": True}).cancel_at_period_end
    assert api.subscriptions.update(made.id, {"cancel_at_period_end": False}).cancel_at is None
    server.advance(NOON + timedelta(days=29))
    assert api.subscriptions.retrieve(made.id).status == "active"
    api.subscriptions.update(made.id, {"cancel_at_period_end": True})
    server.advance(NOON + timedelta(days=70))
    assert api.subscriptions.retrieve(made.id).status == "canceled"
    assert taken(api, made) == [1900, 1900]


@pytest.mark.parametrize("after", ["canceled", "unpaid"])
def test_a_failed_renewal_is_tried_again_and_then_given_up(server, api, customer, small, after):
    server.rules = Rules(after_dunning=after)
    made = subscribe(api, server, customer, small)
    server.bank_changes_its_mind(made.default_payment_method, charging="insufficient_funds")
    server.advance(NOON + timedelta(days=29))
    assert api.subscriptions.retrieve(made.id).status == "past_due"
    server.advance(NOON + timedelta(days=40))
    assert api.subscriptions.retrieve(made.id).status == after
    assert Counter(types(server))["invoice.payment_failed"] == 4
    assert ("customer.subscription.deleted" in types(server)) == (after == "canceled")


def test_another_card_saves_a_subscription_that_is_past_due(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    server.bank_changes_its_mind(made.default_payment_method, off_session=True)
    server.advance(NOON + timedelta(days=29))
    assert api.subscriptions.retrieve(made.id).status == "past_due"
    assert "invoice.payment_action_required" in types(server)
    api.subscriptions.update(made.id, {"default_payment_method": server.card(customer=customer)})
    server.advance(NOON + timedelta(days=32))
    assert api.subscriptions.retrieve(made.id).status == "active"
    assert taken(api, made) == [1900, 1900]


def test_canceling_at_once_ends_it(server, api, customer, small):
    made = subscribe(api, server, customer, small)
    assert api.subscriptions.cancel(made.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        api.subscriptions.cancel(made.id)
    assert api.subscriptions.list({"customer": customer}).data == []


# Events and the line ---------------------------------------------------------------------------------------------


def test_events_are_signed_as_webhooks_are(server, api, customer):
    event = server.events[0]
    body, signature = event.signed("whsec_x")
    known = stripe.Webhook.construct_event(body, signature, "whsec_x")
    assert (known.id, known.type, known.data.object["id"]) == (event.id, "customer.created", customer)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_y")
    assert api.events.retrieve(event.id).type == "customer.created"
    assert [e.id for e in api.events.list({"type": "customer.*"}).data] == [event.id]


def test_an_event_tells_how_things_were_then(server, api, customer):
    made = paid(api, server, customer)
    api.refunds.create({"payment_intent": made.id})
    charged = next(event for event in server.events if event.type == "charge.succeeded")
    assert charged.object["amount_refunded"] == 0
    assert charged.event["request"]["id"].startswith("req_")


def test_a_fault_before_keeps_the_request_from_the_server(server, line, api):
    def fault(asked, answer):
        if answer is None:
            raise lost()

    line.fault = fault
    with pytest.raises(stripe.APIConnectionError):
        api.customers.create({})
    assert server.events == []


def test_a_fault_after_loses_the_answer_to_what_was_done(server, line, api):
    def fault(asked, answer):
        if answer is not None:
            line.fault = None
            raise lost()

    line.fault = fault
    options = {"idempotency_key": "k", "max_network_retries": 1}
    assert api.customers.create({}, options).last_response.headers["Idempotent-Replayed"] == "true"
    assert types(server) == ["customer.created"]


def test_a_fault_may_crash_us_or_say_something_else(server, line, api):
    line.fault = lambda asked, answer: said(429, "invalid_request_error", code="rate_limit")
    with pytest.raises(stripe.RateLimitError):
        api.customers.create({})

    class Crash(BaseException):
        pass

    def crash(asked, answer):
        raise Crash

    line.fault = crash
    with pytest.raises(Crash):
        api.customers.create({})
    assert server.events == []


def test_it_speaks_http_too(server):
    web = serving(server)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    base = f"http://127.0.0.1:{web.server_address[1]}"
    try:
        client = stripe.StripeClient("sk_test_x", stripe_version=API_VERSION, base_addresses={"api": base})
        customer = client.v1.customers.create({"email": "ada@example.org"})
        form = client.v1.setup_intents.create({"customer": customer.id})
        request = stripe.RequestsClient().request
        happened = request("post", f"{base}/_happen/fill_card_form", {}, json.dumps({"setup_intent": form.id}))
        assert json.loads(happened[0]) == "succeeded"
        assert client.v1.setup_intents.retrieve(form.id).status == "succeeded"
        assert json.loads(request("get", f"{base}/_violations", {})[0]) == []
    finally:
        web.shutdown()
        web.server_close()
        thread.join()


def test_the_application_talks_to_it(processor):
    customer = gateway.create_customer(email="ada@example.org", name="Ada", key="1")
    form = gateway.begin_card(customer=customer).split("_secret_")[0]
    assert gateway.finished_card(form) is None
    processor.fill_card_form(form)
    card = gateway.finished_card(form)
    assert card is not None
    assert (card.customer, card.label) == (customer, "Visa 4242")
    processor.fault = lambda asked, answer: said(500)
    with pytest.raises(ProcessorAway):
        gateway.begin_card(customer=customer)


def test_many_threads_get_each_what_they_asked_for(server, client):
    def pay() -> None:
        customer = client.v1.customers.create({}).id
        for _ in range(10):
            seen.append(paid(client.v1, server, customer).id)

    seen: list[str] = []
    threads = [threading.Thread(target=pay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 40
    assert server.balance_of("eur") == 40 * 960
