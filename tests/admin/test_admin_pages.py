"""The administration: every page renders for administrators, for nobody else, at a bounded price."""

from decimal import Decimal
from itertools import chain

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import timezone

from accounts.models import (
    Acting,
    DataExport,
    Decision,
    DeletionRequest,
    MessagePreferences,
    OutgoingMail,
    Scope,
    SSHKey,
    WebhookEndpoint,
)
from accounts.services.tokens import make_token, record_use
from billing.models import (
    Chargeback,
    Difference,
    Invoice,
    InvoiceCounter,
    LedgerAccount,
    LedgerTransaction,
    Payment,
    Payout,
    PayoutAccount,
    PayoutHold,
    Reconciliation,
    Refund,
    RefundReason,
    SavedCard,
    SepaFile,
    StripeCustomer,
    Subscription,
    SubscriptionPayment,
    WebhookEvent,
)
from billing.services import postings
from bookings.models import Access, Booking, BookingEvent, Charge, DataWipe, ErasureCertificate, WipeEvidence
from common.administration import MadeHere
from common.ids import uuid7
from machines.models import (
    Benchmark,
    Challenge,
    EnrollmentCode,
    GPUModel,
    HardwarePassport,
    Machine,
    Node,
    Refusal,
    Report,
)  # fmt: skip
from machines.services.work import ask_for
from tests.agents import erase, make_agent, make_agent_over
from tests.organizations import make_cost_centre, make_organization, make_organization_details, make_project
from tests.people import DAY, HOUR, make_billing_details, make_listing, make_machine, make_user
from tests.single_sign_on import connect_oidc

OURS = sorted(
    (
        model
        for model in admin.site._registry
        if model._meta.app_label in ("accounts", "machines", "bookings", "billing")
    ),
    key=lambda model: model._meta.label,
)
UNTOUCHABLE = [
    Booking, BookingEvent, DataWipe, WipeEvidence, ErasureCertificate, Access, WebhookEvent, Payment, Refund,
    StripeCustomer, Invoice, InvoiceCounter, Payout, PayoutAccount, LedgerAccount, LedgerTransaction, Chargeback,
    Reconciliation, Difference, Charge, SavedCard,
    Acting, Decision, Subscription, SubscriptionPayment, Benchmark, Report, HardwarePassport, Refusal, Challenge, EnrollmentCode,
]  # fmt: skip


def address(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def one_more_payout(listing, number):
    """Paid by a file, with an account, and a hold."""
    provider, now = listing.machine.provider, timezone.now()
    booking = Booking.objects.filter(machine__provider=provider).first()
    file = SepaFile.objects.create(
        message_id=f"m{number}", execute_on=now.date(), count=1, total=1, file="x.xml", sha256="0" * 64
    )
    account = PayoutAccount.objects.create(
        user=provider, method="connect", stripe_account=f"acct_{number}", replaced_at=now
    )
    payout = Payout.objects.create(
        provider=provider, account=account, method="sepa", currency="EUR", amount=1, status="sent", sent_at=now,
        sepa_file=file,
    )  # fmt: skip
    payout.lines.create(booking=booking, amount=1)
    PayoutHold.objects.create(booking=booking, amount=1, reason="Disputed.")


def one_more_chargeback(number):
    """Lost, posted and compared with the processor, which does not know it."""
    payment = Payment.objects.filter(status="paid").first()
    chargeback = payment.chargebacks.create(
        stripe_dispute=f"du_{number}", amount=Decimal("0.01"), currency="EUR", state="lost", stripe_status="lost"
    )
    postings.chargeback_moved(chargeback, now=timezone.now())
    what = f"Dispute du_{number} of 0.01 EUR (lost here) is not at the processor"
    Reconciliation.objects.create(finished_at=timezone.now(), compared={"Dispute": 0}).differences.create(
        kind="chargeback_missing_there", ours=str(chargeback.pk), theirs=f"du_{number}", what=what
    )


def one_more_subscription(number):
    """A plan with its first month paid."""
    now = timezone.now()
    row = Subscription.objects.create(
        user=make_user(f"planned-{number}@example.com"), tier="individual", stripe_subscription_id=f"sub_{number}"
    )
    row.payments.create(
        stripe_invoice=f"in_{number}",
        stripe_payment_intent=f"pi_plan_{number}",
        amount="19.00",
        currency="EUR",
        tier="individual",
        period_start=now,
        period_end=now + 30 * DAY,
        paid_at=now,
    )


def one_more_organization(owner, number):
    """With what it books for, and somebody invited."""
    organization = make_organization(owner, f"Institute {number}")
    make_organization_details(organization)
    make_project(organization)
    make_cost_centre(organization)
    organization.invitations.create(
        email=f"new-{number}@example.com", token_hash=f"{number:064}", invited_by=owner, expires_at=timezone.now()
    )
    connect_oidc(organization, slug=f"i{number}")
    organization.email_domains.create(domain=f"i{number}.example", asked_by=owner)
    organization.sign_on_uses.create(user=owner, outcome="signed_in")


def one_more_of_each(listing, number):
    """Another machine and what hangs on it."""
    one_more_subscription(number)
    one_more_payout(listing, number)
    one_more_chargeback(number)
    provider = listing.machine.provider
    machine = make_machine(provider, f"more-{number}", kind="cluster")
    Node.objects.create(machine=machine, name="n", cpu_cores=1, ram_gb=1, disk_size_gb=1)
    Benchmark.objects.create(machine=machine, cpu_score=1)
    asker, other = (make_user(f"{who}-{number}@example.com") for who in ("asks", "other"))
    Decision.objects.create(
        action="set-administrator", about=str(other.pk), shown=[["Person", "Other"]], reason="New", asked_by=asker,
        expires_at=timezone.now() + DAY,
    )  # fmt: skip
    Acting.objects.create(administrator=asker, user=other, reason="Look", ends_at=timezone.now() + HOUR)
    GPUModel.objects.create(slug=f"g{number}", name=f"G {number}", manufacturer="M", memory_gb=1)
    SavedCard.objects.create(
        user=provider, stripe_payment_method=f"pm_{number}", brand="Visa", last4="4242", exp_month=1, exp_year=2040
    )
    token, _secret = make_token(
        user=provider, name=f"t{number}", scopes=[Scope.BILLING_READ], days=7, now=timezone.now()
    )
    record_use(token=token, method="GET", path="/", status=200, address="203.0.113.1", now=timezone.now())
    SSHKey.objects.create(user=provider, name="k", public_key="ssh-ed25519 A", key_type="x", fingerprint=f"f{number}")
    WebhookEvent.objects.create(event_id=f"evt_{number}", type="payment_intent.succeeded", payload={})
    make_billing_details(make_user(f"billed-{number}@example.com", name="Bill"), vat_id="DE136695976")
    one_more_organization(make_user(f"boss-{number}@example.com", name="Boss"), number)
    OutgoingMail.objects.create(user=provider, key=f"more-{number}", subject="Hello", text="Hello")
    endpoint = WebhookEndpoint.objects.create(user=provider, name="CI", url="https://ci.example.org/in", events=[])
    endpoint.deliveries.create(key=f"more-{number}", event="test", title="Test", body="{}")
    MessagePreferences.objects.create(user=make_user(f"chooses-{number}@example.com"))
    Payment.objects.filter(status="paid").first().refunds.create(
        amount="0.01", currency="EUR", reason=RefundReason.PAID_TWICE
    )
    now = timezone.now()
    erased = make_listing(make_machine(provider, f"erased-{number}"))
    agent = make_agent(erased.machine)
    make_agent_over(erased, Booking.objects.first().buyer, agent, end=now - DAY)
    erase(agent, now=now - HOUR)
    EnrollmentCode.objects.create(
        machine=machine, code_hash=f"{number:064}", made_by=provider, expires_at=now, agent=agent.row
    )
    HardwarePassport.objects.create(machine=machine, version=1, facts={}, sha256="0" * 64)
    Refusal.objects.create(agent=agent.row, code=Refusal.Code.BAD_TIME, detail="Signed 600 s ago.")
    Report.objects.create(
        agent=agent.row,
        work=agent.row.work.first(),
        kind="report",
        sequence=1,
        sent_at=now,
        message="{}",
        signature="x",
    )
    asking = make_user(f"asking-{number}@example.com")
    DataExport.objects.create(user=asking, file=f"exports/{number}.zip")
    DeletionRequest.objects.create(user=asking, asked_by=asking, asked_at=now, due_at=now + DAY)
    challenge = Challenge.objects.create(provider=provider, made_by=provider)
    ask_for(agent=agent.row, kind="benchmark", key=f"benchmark:{number}",
            payload={"challenge": str(challenge.pk), "benchmark": str(uuid7())}, now=now)  # fmt: skip


@pytest.fixture
def everything(listing, completed, paid, buyer):
    StripeCustomer.objects.create(user=buyer, stripe_id="cus_1")
    one_more_of_each(listing, 1)
    return listing


@pytest.fixture
def admin_page(client, administrator):
    client.force_login(administrator)
    return client


def test_every_entity_is_there():
    for model in (*UNTOUCHABLE, Machine, GPUModel, OutgoingMail, SSHKey):
        assert model in admin.site._registry
    assert any(model._meta.label == "account.EmailAddress" for model in admin.site._registry)


def test_the_first_page_tells_what_waits(admin_page, everything):
    page = admin_page.get(reverse("admin:index")).text
    assert "What needs a decision" in page
    assert "Benchmarks to decide" in page
    assert f"{address(Benchmark, 'changelist')}?status__exact=pending" in page


# Each of these looks at every model in turn: making one of everything is what takes long.


def test_lists_and_pages_render(admin_page, everything):
    for model in OURS:
        response = admin_page.get(address(model, "changelist"), {"q": "a"})
        assert response.status_code == 200, model
        row = model._default_manager.first()
        assert row is not None, model
        page = admin_page.get(address(model, "change", row.pk))
        assert page.status_code == 200, model
        assert "<script>" not in page.text, model
        assert " style=" not in page.text, model


def test_filters_work(admin_page, everything):
    for model in OURS:
        for choice in chain.from_iterable(response_filters(admin_page, model)):
            page = address(model, "changelist") + choice["query_string"]
            assert admin_page.get(page).status_code == 200, page


def response_filters(client, model):
    changelist = client.get(address(model, "changelist")).context["cl"]
    return [list(spec.choices(changelist)) for spec in changelist.filter_specs]


def test_the_administration_is_for_administrators(client, everything, buyer, provider, stranger):
    for outsider in (None, buyer, provider, stranger):
        if outsider is not None:
            client.force_login(outsider)
        for model in OURS:
            assert client.get(address(model, "changelist")).status_code == 302, (outsider, model)


def test_a_list_costs_the_same_however_long(admin_page, everything, django_assert_max_num_queries):
    few = {}
    for model in OURS:
        with django_assert_max_num_queries(25, info=str(model)) as asked:
            admin_page.get(address(model, "changelist"))
        few[model] = len(asked)
    for number in range(2, 7):
        one_more_of_each(everything, number)
    for model in OURS:
        with django_assert_max_num_queries(few[model], info=str(model)):
            admin_page.get(address(model, "changelist"))


def test_history_and_money_are_not_edited(admin_page, everything):
    for model in UNTOUCHABLE:
        row = model._default_manager.first()
        if not isinstance(admin.site._registry[model], MadeHere):  # a form of a service's is no typed row
            assert admin_page.get(address(model, "add")).status_code == 403, model
        assert admin_page.post(address(model, "change", row.pk), {}).status_code == 403, model
        assert admin_page.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403, model
        assert "delete_selected" not in admin_page.get(address(model, "changelist")).text, model


def test_state_is_not_typed(admin_page, everything):
    listing = everything
    page = admin_page.get(address(type(listing), "change", listing.pk)).text
    assert 'name="status"' not in page
    machine_page = admin_page.get(address(Machine, "change", listing.machine.pk)).text
    assert 'name="verified_benchmark"' not in machine_page
    assert 'name="reliability"' not in machine_page


def test_a_new_user_can_be_added(admin_page, django_user_model):
    response = admin_page.post(
        address(django_user_model, "add"),
        {
            "email": "made@example.com",
            "name": "Made",
            "usable_password": "true",
            "password1": "a-long-enough-password",
            "password2": "a-long-enough-password",
        },
    )
    assert response.status_code == 302
    made = django_user_model.objects.get(email="made@example.com")
    assert made.check_password("a-long-enough-password")
    page = admin_page.get(address(django_user_model, "change", made.pk)).text
    assert "Organizational Administrator" in page


def test_roles_are_given_here(admin_page, buyer):
    page = admin_page.get(address(type(buyer), "change", buyer.pk))
    data = {
        name: value
        for name, value in page.context["adminform"].form.initial.items()
        if name in ("email", "name", "organization_name", "timezone") and value
    }
    data |= {"roles": ["buyer", "organizational_administrator"], "is_active": "on", "country": ""}
    assert admin_page.post(address(type(buyer), "change", buyer.pk), data).status_code == 302
    buyer.refresh_from_db()
    assert buyer.roles == ["buyer", "organizational_administrator"]


def test_a_booking_links_to_what_belongs_to_it(admin_page, everything, completed):
    page = admin_page.get(address(Booking, "change", completed.pk)).text
    for row in (completed.machine, completed.listing, completed.buyer, completed.payments.get()):
        assert address(type(row), "change", row.pk) in page
    assert completed.events.first().what in page
    assert completed.access.command in page


def test_a_row_that_is_not_there_is_no_failure(admin_page, everything):
    assert admin_page.get(address(Booking, "change", uuid7())).status_code == 302
