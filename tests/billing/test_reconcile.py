"""Comparing our rows with the processor's objects: every difference, both ways, and none that is none."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from accounts.models import Notification, OutgoingMail
from billing import gateway, tasks
from billing.gateway import listing as lists
from billing.models import (
    Chargeback,
    Difference,
    Payment,
    Payout,
    Reconciliation,
    Refund,
    RefundStatus,
    SubscriptionPayment,
    WebhookEvent,
)
from billing.services import chargebacks, refunds
from billing.services.ledger import Side, post
from billing.services.reconcile import NONE_THERE, reconcile
from tests.billing.at_processor import hear, pay_at, told
from tests.billing.test_refunds import ask_back
from tests.people import DAY, HOUR
from tests.stripe_server.client import lost, said
from tests.stripe_standin import pay_by_card

pytestmark = pytest.mark.django_db


@pytest.fixture
def later(now) -> datetime:
    """When nothing of what a test has done is in flight any more."""
    return now + 2 * HOUR


@pytest.fixture
def payment(processor, held, administrator, now) -> Payment:
    """Of 8 EUR, made at the processor."""
    return pay_at(processor, held, now=now)


def found(run: Reconciliation) -> set[str]:
    assert run.error == ""
    return set(run.differences.values_list("kind", flat=True))


def run_command(capsys, *arguments: str) -> tuple[int, str]:
    """Its exit status and what it printed."""
    status = 0
    try:
        call_command("reconcile", *arguments)
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().out


def test_everything_that_can_happen_to_a_payment_agrees(processor, payment, other_listing, buyer, later, now):
    """A refund of ours, one from the dashboard, a chargeback: nothing to say."""
    ask_back(payment, "2", now)
    refunds.make_due_refunds(now=now)
    processor.dashboard_refund(payment.stripe_payment_intent, 100)
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    hear(told(processor), now=now)

    assert found(reconcile(now=later)) == set()
    processor.close_dispute(dispute["id"], won=False)
    hear(told(processor), now=now)
    run = reconcile(now=later)

    assert found(run) == set()
    assert run.compared == {"PaymentIntent": 1, "Refund": 2, "Dispute": 1, "Invoice": 0, "ledger": 0}
    assert run.finished_at
    assert not Notification.objects.filter(key__startswith="reconciliation").exists()


# What is there and not here ----------------------------------------------------------------------------


def test_a_payment_that_nobody_here_knows(processor, payment, later):
    gateway.client().v1.payment_intents.create(
        {"amount": 500, "currency": "eur", "payment_method": processor.card(), "confirm": True,
         "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    )  # fmt: skip
    run = reconcile(now=later)
    assert found(run) == {"payment_missing_here"}
    assert "5.00 EUR (succeeded) is known to nobody here" in run.differences.get().what


def test_an_attempt_that_took_nothing_and_was_left_is_no_difference(processor, payment, later):
    gateway.client().v1.payment_intents.create({"amount": 500, "currency": "eur"})
    assert found(reconcile(now=later)) == set()


def test_a_refund_that_nobody_here_knows(processor, payment, later):
    processor.dashboard_refund(payment.stripe_payment_intent, 300)
    assert found(reconcile(now=later)) == {"refund_missing_here"}


def test_a_chargeback_that_nobody_here_knows(processor, payment, later):
    processor.open_dispute(payment.stripe_payment_intent)
    assert found(reconcile(now=later)) == {"chargeback_missing_here"}


def test_a_payment_whose_maker_died_is_found_by_its_metadata(processor, payment, later):
    Payment.objects.update(stripe_payment_intent=None, status="failed", paid_at=None)
    run = reconcile(now=later)
    assert "payment_status" in found(run)
    difference = run.differences.get(kind="payment_status")
    assert difference.ours == str(payment.pk)
    assert "is succeeded at the processor, and failed here" in difference.what


# What is here and not there ----------------------------------------------------------------------------


def test_a_payment_that_the_processor_does_not_have(processor, paid, later):
    run = reconcile(now=later)
    assert found(run) == {"payment_missing_there"}
    assert run.differences.get().ours == str(paid.payments.get().pk)


def test_refunds_and_chargebacks_that_the_processor_does_not_have(processor, payment, now, later):
    Refund.objects.create(
        payment=payment, amount=1, currency="EUR", reason="outside", status="made", made_at=now, requested_at=now,
        stripe_refund="re_none",
    )  # fmt: skip
    Chargeback.objects.create(
        payment=payment,
        stripe_dispute="du_none",
        amount=1,
        currency="EUR",
        state="won",
        opened_at=now,
        stripe_status="",
    )
    kinds = found(reconcile(now=later))
    assert {"refund_missing_there", "chargeback_missing_there"} <= kinds


def test_a_refund_that_has_not_been_made_for_a_day(processor, payment, now):
    ask_back(payment, "2", now)
    assert found(reconcile(now=now + 23 * HOUR)) == set()
    run = reconcile(now=now + 25 * HOUR)
    assert found(run) == {"refund_overdue"}
    assert "the processor has no Refund for 2.00 EUR" in run.differences.get().what


def test_a_refund_that_waits_for_a_bank_is_overdue_only_a_day_after_it_has_decided(processor, payment, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    hear(told(processor, "charge.dispute."), now=now)
    ask_back(payment, "2", now)
    assert found(reconcile(now=now + 3 * DAY)) == set()

    processor.close_dispute(dispute["id"], won=True)
    hear(told(processor, "charge.dispute."), now=now + 4 * DAY)
    assert found(reconcile(now=now + 4 * DAY + HOUR)) == set()
    assert found(reconcile(now=now + 6 * DAY)) == {"refund_overdue"}


def test_a_refund_that_was_made_before_the_bank_asked_is_a_difference_all_the_same(processor, payment, now, later):
    """Whoever made it died before they wrote it down: it bears our id."""
    ours = ask_back(payment, "2", now)
    processor.dashboard_refund(payment.stripe_payment_intent, 200)
    processor.get("refund", processor.holds("refund")[0]["id"])["metadata"] = {"refund_id": str(ours.pk)}
    processor.open_dispute(payment.stripe_payment_intent, 300)
    hear(told(processor, "charge.dispute."), now=now)
    assert found(reconcile(now=later)) == {"refund_status"}


# What is not the same ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"status": "failed"}, "payment_status"),
        ({"status": "incomplete"}, "payment_status"),
        ({"amount_total": 9}, "payment_amount"),
        ({"currency": "USD"}, "payment_amount"),
    ],
)
def test_a_payment_that_is_something_else_here(processor, payment, later, wrong, kind):
    Payment.objects.update(**wrong)
    assert kind in found(reconcile(now=later))


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [({"status": "failed"}, "refund_status"), ({"amount": 3}, "refund_amount"), ({"currency": "JPY"}, "refund_amount")],
)
def test_a_refund_that_is_something_else_here(processor, payment, now, later, wrong, kind):
    ask_back(payment, "2", now)
    refunds.make_due_refunds(now=now)
    Refund.objects.update(**wrong)
    assert kind in found(reconcile(now=later))


def test_a_refund_of_another_payment(processor, payment, other_listing, buyer, now, later):
    ask_back(payment, "2", now)
    refunds.make_due_refunds(now=now)
    Payment.objects.update(stripe_payment_intent="pi_another")
    assert "refund_belongs" in found(reconcile(now=later))


def test_a_refund_that_the_bank_sent_back_and_nobody_told_us(processor, payment, now, later):
    ask_back(payment, "2", now)
    refunds.make_due_refunds(now=now)
    processor.fail_refund(processor.holds("refund")[0]["id"])
    assert found(reconcile(now=later)) == {"refund_status"}
    hear(told(processor, "refund."), now=now)
    WebhookEvent.objects.all().delete()
    assert found(reconcile(now=later)) == set()


def test_a_chargeback_whose_decision_was_never_heard(processor, payment, now, later):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    hear(told(processor, "charge.dispute."), now=now)
    processor.close_dispute(dispute["id"], won=True)
    assert found(reconcile(now=later)) == {"chargeback_status"}


def test_the_ledger_is_checked_too(processor, payment, now, later):
    sides = [Side("commission", Decimal(1)), Side("provider_payable", Decimal(-1), payment.provider)]
    post(kind="correction", key="k", currency="EUR", sides=sides, now=now, booking=payment.booking, payment=payment)
    run = reconcile(now=later)
    assert found(run) == {"ledger_payment_shares", "ledger_booking_owed"}
    assert run.compared["ledger"] == 3


# What is in flight -------------------------------------------------------------------------------------


def test_what_has_only_just_happened_is_no_difference(processor, payment, now):
    """A payment here that is not listed yet, one there that is not written down yet, a status on its way."""
    processor.dashboard_refund(payment.stripe_payment_intent, 300)
    Payment.objects.update(stripe_payment_intent="pi_not_listed_yet")
    assert found(reconcile(now=now + timedelta(minutes=1))) == set()


def test_what_an_event_has_just_told_us_of_is_no_difference(processor, payment, now, later):
    ask_back(payment, "2", now)
    refunds.make_due_refunds(now=now)
    processor.fail_refund(processor.holds("refund")[0]["id"])
    WebhookEvent.objects.create(
        event_id="evt_1", type="refund.failed", object_id=processor.holds("refund")[0]["id"], payload={},
        received_at=later - timedelta(minutes=1),
    )  # fmt: skip
    assert found(reconcile(now=later)) == set()


def test_a_run_of_some_days_looks_at_nothing_older(processor, payment, later, now):
    old = now - 30 * DAY
    Payment.objects.update(stripe_payment_intent="pi_gone", timestamp=old, paid_at=old)
    processor.get("payment_intent", processor.holds("payment_intent")[0]["id"])["created"] = int(old.timestamp())
    assert found(reconcile(now=later, since=now - 7 * DAY)) == set()
    assert found(reconcile(now=later)) == {"payment_missing_here", "payment_missing_there"}


# Payouts and plans -------------------------------------------------------------------------------------


@pytest.fixture
def payout(processor, provider, payment, settings, now) -> Payout:
    """Sent through Stripe Connect, by the processor's own objects."""
    settings.STRIPE_CONNECT = True
    stripe = gateway.client().v1
    account = stripe.accounts.create({"country": "DE", "capabilities": {"transfers": {"requested": True}}})
    processor.finish_onboarding(account.id)
    processor.top_up(100_000)
    row = provider.payouts.create(
        account=provider.payout_accounts.create(method="connect", stripe_account=account.id, payouts_enabled=True),
        method="connect", currency="EUR", amount=5, status="sent", scheduled_at=now, sent_at=now,
    )  # fmt: skip
    about = {"payout_id": str(row.pk)}
    transfer = stripe.transfers.create({"amount": 500, "currency": "eur", "destination": account.id, "metadata": about})
    sent = stripe.payouts.create({"amount": 500, "currency": "eur", "metadata": about}, {"stripe_account": account.id})
    row.stripe_transfer, row.stripe_payout = transfer.id, sent.id
    row.save()
    return row


def of_payouts(run: Reconciliation) -> set[str]:
    return {kind for kind in found(run) if "payout" in kind and not kind.startswith("ledger")}


def test_a_payout_on_its_way_agrees_and_is_counted(payout, later):
    run = reconcile(now=later)
    assert of_payouts(run) == set()
    assert (run.compared["Transfer"], run.compared["Payout"]) == (1, 1)


def test_a_payout_that_arrived_and_nobody_told_us(processor, payout, later):
    processor.pay_out(payout.stripe_payout)
    assert of_payouts(reconcile(now=later)) == {"bank_payout_status"}


def test_payouts_that_one_side_does_not_know(payout, later):
    Payout.objects.update(stripe_transfer="tr_none", stripe_payout="po_none")
    assert of_payouts(reconcile(now=later)) == {
        "payout_missing_here", "payout_missing_there", "bank_payout_missing_here", "bank_payout_missing_there",
    }  # fmt: skip


def test_a_transfer_that_was_reversed_in_the_dashboard(processor, payout, later):
    processor.fail_payout(payout.stripe_payout)
    gateway.client().v1.transfers.reversals.create(payout.stripe_transfer)
    assert of_payouts(reconcile(now=later)) == {"payout_status"}


def test_payouts_are_left_out_where_there_is_no_connect(payout, settings, later):
    settings.STRIPE_CONNECT = False
    assert "Transfer" not in reconcile(now=later).compared


def test_a_payment_for_a_plan_that_the_processor_does_not_have(processor, buyer, now, later):
    subscription = buyer.__class__.subscription.related.related_model.objects.create(user=buyer)
    SubscriptionPayment.objects.create(
        subscription=subscription, stripe_invoice="in_none", stripe_payment_intent="pi_none", amount=9, currency="EUR",
        tier="individual", period_start=now, period_end=now + 30 * DAY, paid_at=now, refunded=4,
    )  # fmt: skip
    kinds = found(reconcile(now=later))
    assert {"subscription_missing_there", "payment_missing_there", "subscription_refunded"} <= kinds


def test_what_was_made_long_before_we_heard_of_it_is_looked_up(processor, payment, now, later):
    made = processor.dashboard_refund(payment.stripe_payment_intent, 300)
    hear(told(processor, "refund."), now=now)
    thing = processor.get("refund", made["id"])
    thing["created"] = int((now - 30 * DAY).timestamp())
    assert found(reconcile(now=later, since=now - 7 * DAY)) == set()
    thing["status"] = "failed"
    assert found(reconcile(now=later, since=now - 7 * DAY)) == {"refund_status"}


def test_an_invoice_that_was_paid_weeks_after_it_was_made_is_looked_up(shop, buyer):
    shop.subscribe(buyer)
    for kind in ("invoice", "payment_intent"):
        for thing in shop.processor.holds(kind):
            shop.processor.get(kind, thing["id"])["created"] = int((shop.now - 30 * DAY).timestamp())
    assert found(reconcile(now=shop.now + 2 * HOUR, since=shop.now - 7 * DAY)) == set()
    SubscriptionPayment.objects.update(stripe_invoice="in_none")
    assert found(reconcile(now=shop.now + 2 * HOUR, since=shop.now - 7 * DAY)) == {"subscription_missing_there"}


def test_payouts_that_were_made_before_are_looked_up(processor, payout, now, later):
    processor.get("transfer", payout.stripe_transfer)["created"] = int((now - 30 * DAY).timestamp())
    assert of_payouts(reconcile(now=later, since=now - 7 * DAY)) == set()


def test_no_more_than_so_many_are_looked_up(processor, payment, now, later, monkeypatch):
    monkeypatch.setattr("billing.services.reconcile.MOST_LOOKED_UP", 0)
    processor.get("payment_intent", payment.stripe_payment_intent)["created"] = int((now - 30 * DAY).timestamp())
    assert found(reconcile(now=later, since=now - 7 * DAY)) == {"payment_missing_there"}


def test_a_dispute_about_a_plan_is_a_difference_until_its_payment_knows(shop, buyer):
    shop.subscribe(buyer)
    dispute = shop.processor.open_dispute(SubscriptionPayment.objects.get().stripe_payment_intent)
    run = reconcile(now=shop.now + 2 * HOUR)
    assert found(run) == {"subscription_disputed"}
    assert "is about a plan, whose payment says nothing of it" in run.differences.get().what
    chargebacks.take_dispute_named(dispute["id"], now=shop.now + 2 * HOUR)
    assert found(reconcile(now=shop.now + DAY)) == set()
    shop.processor.close_dispute(dispute["id"], won=False)
    assert found(reconcile(now=shop.now + 2 * DAY)) == {"subscription_disputed"}
    chargebacks.take_dispute_named(dispute["id"], now=shop.now + 2 * DAY)
    assert found(reconcile(now=shop.now + 3 * DAY)) == set()


# Running it --------------------------------------------------------------------------------------------


def test_the_command_lists_what_it_found_and_ends_with_1(processor, paid, capsys, now):
    Payment.objects.update(timestamp=now - DAY, paid_at=now - DAY)
    status, said = run_command(capsys, "--all")
    assert status == 1
    assert "payment_missing_there: PaymentIntent" in said
    assert "Reconciled: 1 difference." in said


def test_the_command_says_that_there_is_nothing_and_ends_with_0(processor, payment, capsys):
    for arguments in (["--all"], ["--since", "2026-01-01"], []):
        status, said = run_command(capsys, *arguments)
        assert (status, said.splitlines()[-1]) == (0, "Reconciled: no difference.")
        assert "PaymentIntent: 1" in said
    assert Reconciliation.objects.filter(since=datetime(2026, 1, 1, tzinfo=UTC)).exists()


def test_a_time_that_is_none_is_refused(db):
    with pytest.raises(CommandError, match="neither a date nor a time"):
        call_command("reconcile", "--since", "yesterday")


def test_administrators_are_told_once_a_run(processor, paid, administrator, now, later):
    run = reconcile(now=later)
    key = f"reconciliation:{run.pk}"
    assert Notification.objects.get(key=key).user == administrator
    assert "1 difference" in OutgoingMail.objects.get(key=key).subject


def test_the_task_of_every_day_runs_it(processor, payment):
    tasks.reconcile()
    run = Reconciliation.objects.get()
    assert run.since
    assert found(run) == set()


def test_a_processor_that_is_away_ends_the_run_with_an_error(
    processor, paid, administrator, later, monkeypatch, capsys
):
    monkeypatch.setattr(lists, "PAUSES", (0, 0))

    def away(asked, answer):
        raise lost()

    processor.fault = away
    run = reconcile(now=later)
    assert "does not answer" in run.error
    assert run.finished_at
    assert not run.differences.exists()
    assert "could not be finished" in Notification.objects.get(key=f"reconciliation:{run.pk}").title
    assert run_command(capsys)[0] == 2


def test_a_page_that_fails_is_asked_for_again(processor, payment, later, monkeypatch):
    monkeypatch.setattr(lists, "PAUSES", (0, 0))
    failed = []

    def fail_each_page_once(asked, answer):
        if answer is None and asked.path not in failed:
            failed.append(asked.path)
            return said(503)
        return None

    processor.fault = fail_each_page_once
    assert found(reconcile(now=later)) == set()


def test_many_pages_are_all_read(processor, payment, later, monkeypatch):
    monkeypatch.setattr(lists, "PAGE", 2)
    for _ in range(4):
        processor.dashboard_refund(payment.stripe_payment_intent, 100)
    run = reconcile(now=later)
    assert run.differences.filter(kind="refund_missing_here").count() == 4
    assert run.compared["Refund"] == 4


def test_it_costs_the_same_queries_however_many_there_are(processor, payment, later, django_assert_max_num_queries):
    def give_back(times: int) -> None:
        for _ in range(times):
            processor.dashboard_refund(payment.stripe_payment_intent, 100)
        hear(told(processor, "refund."), now=later - HOUR)

    give_back(1)
    with django_assert_max_num_queries(80) as few:
        reconcile(now=later)
    give_back(7)
    with django_assert_max_num_queries(len(few)):
        reconcile(now=later)


def test_administrators_see_runs_and_differences_and_begin_one(
    processor, paid, administrator, client, later, django_capture_on_commit_callbacks
):
    run = reconcile(now=later)
    client.force_login(administrator)
    changelist = reverse("admin:billing_reconciliation_changelist")
    assert "Compare everything now" in client.get(changelist).text
    page = client.get(reverse("admin:billing_reconciliation_change", args=[run.pk])).text
    assert run.differences.get().what in page.replace("&quot;", '"')
    address = reverse("admin:billing_reconciliation_run")
    assert client.get(address).status_code == 405
    with django_capture_on_commit_callbacks() as asked:
        assert client.post(address, {"all": "yes"}).status_code == 302
    assert len(asked) == 1
    assert "A worker begins it" in client.get(changelist).text
    index = client.get(reverse("admin:index")).text
    assert "Differences from the processor" in index


@pytest.mark.parametrize("who", ["buyer", "provider", "stranger", ""])
def test_nobody_else_begins_one(db, who, cast, client, django_capture_on_commit_callbacks):
    if who:
        client.force_login(getattr(cast, who))
    with django_capture_on_commit_callbacks() as asked:
        assert client.post(reverse("admin:billing_reconciliation_run")).status_code == 302
    assert not asked


def test_staff_who_may_only_look_begin_none(db, stranger, client, django_capture_on_commit_callbacks):
    stranger.is_staff = True
    stranger.save()
    client.force_login(stranger)
    with django_capture_on_commit_callbacks() as asked:
        assert client.post(reverse("admin:billing_reconciliation_run")).status_code == 302
    assert not asked


def test_the_newest_run_is_what_counts_as_open(processor, paid, later):
    reconcile(now=later)
    assert Difference.objects.newest().count() == 1
    Payment.objects.update(stripe_payment_intent=None, status="failed", paid_at=None)
    reconcile(now=later + HOUR)
    assert not Difference.objects.newest().filter(kind="payment_missing_there").exists()


# The stand-in of the demonstration ----------------------------------------------------------------------


def test_with_the_stand_in_it_finds_nothing_and_says_what_was_not_compared(stripe, held, now, capsys):
    """What the demonstration is to show: zero differences. ``localstripe`` has no disputes and cannot choose by time."""
    payment = pay_by_card(stripe, held, now=now)
    ask_back(payment, "3", now)
    refunds.make_due_refunds(now=now)
    assert Refund.objects.get().status == RefundStatus.MADE

    run = reconcile(now=now + 2 * HOUR, since=now - DAY)
    everything = reconcile(now=now + 2 * HOUR)

    ours = {"payment_status", "payment_amount", "refund_status", "refund_amount", "refund_missing_there"}
    for one in (run, everything):
        assert not found(one) & ours  # the stand-in holds what other tests did, too: unknown here
        assert one.compared["Dispute"] == NONE_THERE
        assert not one.differences.exclude(kind__endswith="_missing_here").exists()
    assert f"Dispute: {NONE_THERE}" in run_command(capsys, "--all")[1]
