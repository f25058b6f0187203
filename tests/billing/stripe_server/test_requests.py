"""The small Stripe of the tests: what it lets pass, keys, lists, errors, events, and a bad line to it."""

import json
import threading
from datetime import timedelta

import pytest
import stripe

from billing import gateway
from billing.errors import ProcessorAway
from tests.billing.stripe_server.asking import CARD, NOON, intent, paid, types
from tests.stripe_server import cards, objects, operations
from tests.stripe_server.__main__ import serving
from tests.stripe_server.client import lost, said
from tests.stripe_server.names import hints
from tests.stripe_server.world import ANSWERS, API_VERSION

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
