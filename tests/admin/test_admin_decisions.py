"""Deciding in the administration: approving and rejecting with a reason, by the services that everyone uses."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import OutgoingMail, Verification
from billing.models import Payment, WebhookEvent
from machines.models import Benchmark, BenchmarkStatus, GPUModel, ListingStatus
from tests.people import DAY, make_listing, make_machine, make_user
from tests.verifying import approve, make_draft, make_request

BENCHMARKS = "admin:machines_benchmark_changelist"
VERIFICATIONS = "admin:accounts_verification_changelist"
LISTINGS = "admin:machines_listing_changelist"


def act(client, page, action, *rows, **data):
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(reverse(page), chosen | data, follow=True)


@pytest.fixture
def admin_page(client, administrator):
    client.force_login(administrator)
    return client


@pytest.fixture
def run(provider):
    sheet = GPUModel.objects.create(
        slug="h100", name="H100 SXM", manufacturer="NVIDIA", memory_gb=80, fp32_tflops=66.9, fp16_tflops=1000
    )
    machine = make_machine(provider, gpu=sheet)
    return Benchmark.objects.create(machine=machine, gpu_throughput_fp16=6000, source="by hand")


@pytest.fixture
def asked(buyer, now):
    return make_request(buyer, now=now)


def test_values_stand_beside_what_the_data_sheet_allows(admin_page, run):
    page = admin_page.get(reverse(BENCHMARKS)).text
    assert "75\N{NO-BREAK SPACE}%, 6,000 of 8,000\N{NO-BREAK SPACE}TFLOPS" in page
    page = admin_page.get(reverse("admin:machines_benchmark_change", args=[run.pk])).text
    assert "75\N{NO-BREAK SPACE}%" in page
    assert "8,000\N{NO-BREAK SPACE}TFLOPS" in page


def test_approving_asks_first(admin_page, run):
    page = act(admin_page, BENCHMARKS, "approve", run).text
    assert "Approve these benchmarks" in page
    assert run.machine.name in page
    assert 'name="reason"' in page
    run.refresh_from_db()
    assert run.status == BenchmarkStatus.PENDING


def test_approving_needs_no_reason(admin_page, run, administrator):
    page = act(admin_page, BENCHMARKS, "approve", run, decided="yes", reason="").text
    assert "1 approved." in page
    run.refresh_from_db()
    run.machine.refresh_from_db()
    assert (run.status, run.decided_by) == (BenchmarkStatus.APPROVED, administrator)
    assert run.machine.verified_benchmark == run
    assert OutgoingMail.objects.filter(user=run.machine.provider).exists()


def test_rejecting_needs_a_reason(admin_page, run):
    response = act(admin_page, BENCHMARKS, "reject", run, decided="yes", reason="  ")
    assert "This field is required." in response.text
    run.refresh_from_db()
    assert run.status == BenchmarkStatus.PENDING
    act(admin_page, BENCHMARKS, "reject", run, decided="yes", reason="Measure it idle.")
    run.refresh_from_db()
    assert (run.status, run.reason) == (BenchmarkStatus.REJECTED, "Measure it idle.")


def test_rows_that_cannot_be_decided_are_named_and_the_others_done(admin_page, run, administrator, now):
    impossible = Benchmark.objects.create(machine=run.machine, gpu_throughput_fp16=99_000)
    page = act(admin_page, BENCHMARKS, "approve", run, impossible, decided="yes", reason="").text
    assert "1 approved." in page
    assert "more than 8 × H100 SXM can reach" in page
    impossible.refresh_from_db()
    assert impossible.status == BenchmarkStatus.PENDING


def test_the_same_decision_twice_is_quiet(admin_page, run):
    for _ in range(2):
        page = act(admin_page, BENCHMARKS, "approve", run, decided="yes", reason="").text
        assert "1 approved." in page
    assert OutgoingMail.objects.filter(key__startswith="benchmark-").count() == 1


def test_a_verification_is_approved(admin_page, asked, buyer):
    page = act(admin_page, VERIFICATIONS, "approve", asked).text
    assert "HRB 1, Hamburg" in page
    act(admin_page, VERIFICATIONS, "approve", asked, decided="yes", reason="")
    assert buyer.is_verified


def test_a_verification_is_rejected_with_a_reason(admin_page, asked):
    act(admin_page, VERIFICATIONS, "reject", asked, decided="yes", reason="")
    asked.refresh_from_db()
    assert asked.status == Verification.Status.PENDING
    act(admin_page, VERIFICATIONS, "reject", asked, decided="yes", reason="The page does not name you.")
    asked.refresh_from_db()
    assert (asked.status, asked.reason) == (Verification.Status.REJECTED, "The page does not name you.")
    page = act(admin_page, VERIFICATIONS, "approve", asked, decided="yes", reason="").text
    assert "decided already" in page


def test_a_verification_shows_everything_to_decide_by(admin_page, asked, buyer, administrator, other_buyer, now):
    approve(asked, by=administrator, now=now - DAY)
    Verification.objects.filter(pk=asked.pk).update(submitted_at=now - 9 * DAY)
    renewal = make_request(other_buyer, now=now)
    document = renewal.documents.get()
    page = admin_page.get(reverse("admin:accounts_verification_change", args=[renewal.pk])).text
    assert reverse("verification_document", args=[document.pk]) in page
    assert "Nobody else has asked under this name." in page
    assert "look at this" in page  # somebody has: both are the Institute of Things
    for words in ("Approve…", "Ask for more…", "Reject…"):
        assert f'value="{words}"' in page
    admin_page.get(reverse("verification_document", args=[document.pk]), follow=True)
    page = admin_page.get(reverse("admin:accounts_verification_change", args=[renewal.pk])).text
    assert administrator.email in page.partition("opened by")[2]


def test_the_queue_begins_with_the_oldest_and_has_no_drafts(admin_page, asked, other_buyer, member, now):
    make_draft(member, now=now)
    older = make_request(other_buyer, now=now - 3 * DAY)
    Verification.objects.filter(pk=older.pk).update(submitted_at=now - 3 * DAY)
    listed = admin_page.get(f"{reverse(VERIFICATIONS)}?status__exact=pending").context["cl"].result_list
    assert [row.pk for row in listed] == [older.pk, asked.pk]
    draft = member.verifications.get()
    assert admin_page.get(reverse("admin:accounts_verification_change", args=[draft.pk])).status_code == 302


def test_more_is_asked_for_from_the_page_of_the_request(admin_page, asked):
    assert "Ask these people for more" in act(admin_page, VERIFICATIONS, "ask", asked).text
    act(admin_page, VERIFICATIONS, "ask", asked, decided="yes", reason="The back of the card.")
    asked.refresh_from_db()
    assert asked.needs_more
    page = admin_page.get(reverse("admin:accounts_verification_change", args=[asked.pk])).text
    assert "The back of the card." in page
    assert "Not answered yet." in page


def test_ones_own_request_is_decided_by_somebody_else(admin_page, administrator, now):
    own = make_request(administrator, now=now)
    page = admin_page.get(reverse("admin:accounts_verification_change", args=[own.pk])).text
    assert "Another administrator decides it." in page
    assert "Approve…" not in page
    assert (
        "cannot decide about yourself" in act(admin_page, VERIFICATIONS, "approve", own, decided="yes", reason="").text
    )
    own.refresh_from_db()
    assert own.is_pending


def test_looking_is_not_deciding(client, run, asked):
    clerk = make_user("clerk@example.com", is_staff=True)
    names = ["view_benchmark", "view_verification"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(clerk)
    assert client.get(reverse(BENCHMARKS)).status_code == 200
    act(client, BENCHMARKS, "approve", run, decided="yes", reason="")
    act(client, VERIFICATIONS, "approve", asked, decided="yes", reason="")
    run.refresh_from_db()
    asked.refresh_from_db()
    assert (run.status, asked.status) == ("pending", "pending")


def test_listings_go_on_offer_and_off(admin_page, machine, other_provider):
    ready = make_listing(machine, status=ListingStatus.PAUSED)
    unready = make_listing(make_machine(other_provider, "gpu-2"), status=ListingStatus.PAUSED)
    page = act(admin_page, LISTINGS, "activate", ready, unready).text
    assert "no approved benchmark yet" in page
    assert "1 on offer." in page
    act(admin_page, LISTINGS, "pause", ready)
    act(admin_page, LISTINGS, "archive", unready)
    ready.refresh_from_db()
    unready.refresh_from_db()
    assert (ready.status, unready.status) == (ListingStatus.PAUSED, ListingStatus.ARCHIVED)


def test_a_webhook_is_processed_again(admin_page, now):
    event = WebhookEvent.objects.create(
        event_id="evt_1", type="charge.updated", payload={}, processed_at=now, attempts=1, next_attempt_at=now
    )
    page = act(admin_page, "admin:billing_webhookevent_changelist", "process_again", event).text
    assert "1 processed again." in page
    event.refresh_from_db()
    assert event.attempts == 2
    assert event.processed_at > now


def test_asking_a_processor_that_does_not_know_the_payment_says_so(admin_page, paid, stripe):
    payment = Payment.objects.get()
    page = act(admin_page, "admin:billing_payment_changelist", "ask_the_processor", payment).text
    assert "asked after" not in page
    payment.refresh_from_db()
    assert payment.status == "paid"
