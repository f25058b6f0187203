"""How many queries a page makes: never more than recorded in ``query_counts.json``, and no more for more rows.

A page that needs more for a good reason: set the number there, within the budget here, or delete its line and run
these tests once with ``RECORD_QUERY_COUNTS=1``. Fewer is always welcome.
"""

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Scope, SSHKey, User, WebhookEndpoint
from accounts.services.notifications import notify
from accounts.services.tokens import make_token, record_use, renew_feed
from billing.models import (
    Chargeback,
    Invoice,
    Payment,
    PaymentStatus,
    PayoutHold,
    Refund,
    RefundReason,
    SavedCard,
)
from billing.services import payouts
from billing.services.refunds import request_refund as give_back
from bookings.models import Approval, Booking, BookingEvent, Budget, WipeStatus
from common.ids import uuid7
from machines.services.passports import take_inventory
from machines.services.reliability import charge
from tests.agents import erase, make_agent_over
from tests.agents import make_agent as make_signing_agent
from tests.earning import make_due, make_iban
from tests.machines.agents import make_agent, make_unread
from tests.machines.inventories import gpus, inventory
from tests.machines.measured import closed, give_agent, listed, silent
from tests.organizations import (
    book_for,
    make_cost_centre,
    make_member,
    make_organization,
    make_organization_details,
    make_project,
)
from tests.people import (
    DAY,
    HOUR,
    Cast,
    enter_access,
    make_benchmark,
    make_hold,
    make_listing,
    make_machine,
    make_over,
    make_paid,
    make_running,
    make_user,
    mark_paid,
    record_wipe,
    verify,
)

FILE = Path(__file__).with_name("query_counts.json")
RECORDED: dict[str, int] = json.loads(FILE.read_text())
BUDGET = {"browse": 12, "listing": 15, "booking": 15}
OTHER_PAGES = 25

pytestmark = pytest.mark.django_db


def check(client: Client, name: str, url: str, **params: object) -> None:
    """Ask twice, count the second time: what is cached for good is in the cache by then."""
    client.get(url, params)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url, params)
    assert response.status_code == 200, url
    count = len(queries)
    if name not in RECORDED and "RECORD_QUERY_COUNTS" in os.environ:
        RECORDED[name] = count
        FILE.write_text(json.dumps(RECORDED, indent=2, sort_keys=True) + "\n")
    most = min(RECORDED[name], BUDGET.get(name.partition(",")[0], OTHER_PAGES))
    said = "\n\n".join(f"{number}. {query['sql']}" for number, query in enumerate(queries, 1))
    assert count <= most, f"{name}: {count} queries, {most} are allowed.\n\n{said}"


def offers(provider: User, administrator: User, now, count: int) -> None:
    """Machines on offer, each with a benchmark and with a booking in its calendar."""
    buyer = make_user(f"buyer{User.objects.count()}@example.com")
    for number in range(count):
        machine = make_machine(provider, f"offer-{number}", reliability=0.99)
        make_benchmark(machine, by=administrator, now=now)
        listing = make_listing(machine)
        booking = make_paid(listing, buyer, start=now + (1 + number) * DAY, asked=now)
        assert booking.is_paid


def window(now) -> dict[str, str]:
    start = now.replace(minute=0, second=0) + DAY
    return {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{start + 8 * HOUR:%Y-%m-%dT%H:%M}"}


@pytest.mark.parametrize("rows", [3, 25, 0])
def test_browse(client, provider, other_buyer, administrator, now, rows):
    offers(provider, administrator, now, rows)
    check(client, "browse, anonymous", "/listings/")
    check(client, "browse, anonymous, window", "/listings/", **window(now), sort="tflops", price_max=100_000)
    check(client, "browse, anonymous, flexible", "/listings/", days=2, within=10)
    check(client, "browse, anonymous", "/listings/", page=2)
    check(client, "home, anonymous", "/")
    client.force_login(other_buyer)
    check(client, "browse, signed in, window", "/listings/", **window(now))
    check(client, "home, signed in", "/")
    check(client, "bookings, none", "/bookings/")


def test_listing(client, listing, other_buyer, administrator, now):
    def ask() -> None:
        check(client, "listing, anonymous", f"/listings/{listing.pk}/")
        check(client, "listing, anonymous, window", f"/listings/{listing.pk}/", **window(now))
        check(client, "listing quote, anonymous", f"/listings/{listing.pk}/quote/", **window(now))
        check(client, "listing calendar, anonymous", f"/listings/{listing.pk}/availability/")

    ask()
    for number in range(8):
        make_benchmark(listing.machine, by=administrator, now=now + number * HOUR)
        make_paid(listing, other_buyer, start=now + (2 + number) * DAY, asked=now)
        make_benchmark(make_machine(listing.machine.provider, f"peer-{number}"), by=administrator, now=now)
        make_listing(listing.machine)
    ask()
    client.force_login(other_buyer)
    check(client, "listing, signed in, taken", f"/listings/{listing.pk}/", **window(now + 2 * DAY))


def test_reliability_and_maintenance(client, listing, now):
    """With a few outages and windows, and with many."""
    machine = listing.machine
    agent = give_agent(machine, since=now - 60 * DAY)
    listed(machine, now - 60 * DAY)

    def ask(first: int, last: int) -> None:
        for number in range(first, last):
            silent(agent, now - (1 + number) * DAY, 20)
            closed(machine, now + (10 + number) * DAY, 60)
            closed(machine, now - (1 + number) * DAY, 10)
            charge(machine=machine, reason="cancellation", key=f"{number}", minutes=1, now=now - DAY)
        client.logout()
        check(client, "reliability, anonymous", f"/listings/{listing.pk}/reliability/")
        check(client, "listing, anonymous", f"/listings/{listing.pk}/")
        client.force_login(machine.provider)
        check(client, "machine maintenance, provider", f"/machines/{machine.pk}/maintenance/")

    ask(0, 2)
    ask(2, 20)


def test_booking(client, listing, cast: Cast, now):
    """One with everything on it, and then with many times everything."""
    booking = make_over(listing, cast.buyer, end=now - HOUR)
    (paid,) = booking.payments.all()

    def more(times: int) -> None:
        for number in range(times):
            BookingEvent.objects.create(booking=booking, at=now, actor=cast.provider, what=f"Event {number}")
            Payment.objects.create(
                booking=booking, charge=paid.charge, machine=booking.machine, payer=cast.buyer, provider=cast.provider, amount_total=1,
                currency="EUR", status=PaymentStatus.FAILED, timestamp=now, failure="Declined", asked_at=now,
            )  # fmt: skip
            Refund.objects.create(
                payment=paid, amount=Decimal("0.01"), currency="EUR", reason=RefundReason.values[0], requested_at=now,
                next_attempt_at=now,
            )  # fmt: skip
            Chargeback.objects.create(
                payment=paid, stripe_dispute=f"du_{uuid7().hex}", amount=Decimal("0.01"), currency="EUR", state="closed",
                stripe_status="warning_closed",
            )  # fmt: skip
            SavedCard.objects.create(
                user=cast.buyer, stripe_payment_method=f"pm_{uuid7().hex}", brand="Visa", last4="4242", exp_month=1,
                exp_year=2040,
            )  # fmt: skip
            SSHKey.objects.create(user=cast.buyer, name="k", public_key="k", key_type="t", fingerprint=uuid7().hex)
            record_wipe(booking, now=now, status=WipeStatus.PARTIAL)

    def ask() -> None:
        for name in ("buyer", "provider", "administrator"):
            client.force_login(getattr(cast, name))
            check(client, f"booking, {name}", f"/bookings/{booking.pk}/")
        client.force_login(cast.provider)
        check(client, "booking wipe, provider", f"/bookings/{booking.pk}/wipe/")
        client.force_login(cast.buyer)
        check(client, "payments, buyer", "/billing/payments/")
        check(client, "payment, buyer", f"/billing/payments/{paid.pk}/")
        check(client, "cards, buyer", "/billing/cards/")
        client.force_login(cast.administrator)
        check(client, "payment, administrator", f"/billing/payments/{paid.pk}/")

    more(1)
    ask()
    more(12)
    ask()


def test_histories(client, listing, cast: Cast, now):
    """With a few changes, and with more than a page of them."""
    booking = make_over(listing, cast.buyer, end=now - HOUR)
    organization = make_organization(cast.organization_administrator)

    def more(times: int) -> None:
        for number in range(times):
            Booking.objects.filter(pk=booking.pk).update(
                purchase_order=f"PO-{times}-{number}", organization=organization
            )
            booking.charges.update(dropped_because=f"{times} {number}")
            make_member(organization, make_user(f"m{times}-{number}@example.com"))
            make_project(organization, f"Project {times} {number}")
            booking.machine.listings.update(price_hour=number + times)
            SSHKey.objects.create(user=cast.buyer, name="k", public_key="k", key_type="t", fingerprint=uuid7().hex)

    def ask() -> None:
        for name, page in {
            "buyer": f"/bookings/{booking.pk}/history/",
            "provider": f"/machines/{booking.machine_id}/history/",
            "organization_administrator": f"/organizations/{organization.pk}/history/",
        }.items():
            client.force_login(getattr(cast, name))
            check(client, f"history, {name}", page)
        client.force_login(cast.buyer)
        check(client, "history of oneself, buyer", "/accounts/history/")
        client.force_login(cast.administrator)
        check(client, "history of a payment, administrator", f"/billing/payments/{booking.payments.get().pk}/history/")

    more(1)
    ask()
    more(20)
    ask()


def test_extending_and_ending_early(client, listing, cast: Cast, now):
    """With nobody near, and with many who have booked what follows."""
    booking = make_running(listing, cast.buyer, start=now - HOUR)
    client.force_login(cast.buyer)

    def ask() -> None:
        check(client, "booking, buyer", f"/bookings/{booking.pk}/")
        check(client, "booking extend, buyer", f"/bookings/{booking.pk}/extend/")
        check(client, "booking end, buyer", f"/bookings/{booking.pk}/end/")

    ask()
    for number in range(8):
        make_paid(listing, cast.other_buyer, start=now + (1 + number) * DAY, asked=now)
    ask()


def test_booking_pay_and_cancel(client, listing, buyer, now):
    """Paid at once, and in two and in seven stages."""
    held = make_hold(listing, buyer, start=now + 2 * DAY, asked=now)
    client.force_login(buyer)
    check(client, "booking pay, buyer", f"/bookings/{held.pk}/pay/")
    check(client, "booking cancel, buyer", f"/bookings/{held.pk}/cancel/")
    for stages in (2, 7):
        long = make_listing(make_machine(listing.machine.provider, f"for-{stages}"), max_hours=24 * 28 * stages)
        held = make_hold(long, buyer, start=now + DAY, hours=24 * 28 * stages, asked=now)
        check(client, "booking pay, buyer", f"/bookings/{held.pk}/pay/")
        booking = mark_paid(held, now=now)
        stage = booking.charges.get(number=2)
        check(client, "stage pay, buyer", f"/bookings/{booking.pk}/charges/{stage.pk}/pay/")
        check(client, "cards, buyer", "/billing/cards/")


@pytest.mark.parametrize("rows", [2, 9])
def test_lists_of_a_provider(client, provider, administrator, now, rows):
    offers(provider, administrator, now, rows)
    machine = provider.machines.first()
    client.force_login(provider)
    check(client, "machines, provider", "/machines/")
    check(client, "machine, provider", f"/machines/{machine.pk}/")
    check(client, "machine calendar, provider", f"/machines/{machine.pk}/calendar/")
    check(client, "bookings, provider", "/bookings/", of="machines")
    client.force_login(Booking.objects.first().buyer)
    check(client, "bookings, buyer", "/bookings/")


def test_invoices(client, listing, buyer, now):
    """With few of them, and with many, in two months and two years."""
    client.force_login(buyer)

    def more(first: int, last: int) -> None:
        for number in range(first, last):
            booking = make_paid(listing, buyer, start=now + (2 + number) * DAY, asked=now - 40 * (number % 2) * DAY)
            with transaction.atomic():
                give_back(payment=booking.payments.get(), amount=Decimal(1), reason="goodwill", by=None, now=now)

    def ask() -> None:
        invoice = Invoice.objects.filter(series="INV").first()
        check(client, "invoices, buyer", "/billing/invoices/")
        check(client, "invoice, buyer", f"/billing/invoices/{invoice.pk}/")
        check(client, "statements, buyer", "/billing/statements/")
        check(client, "statement, buyer", f"/billing/statements/{now:%Y-%m}/")

    more(0, 2)
    ask()
    more(2, 16)
    ask()


def test_tokens_and_feeds(client, listing, provider, buyer, now):
    """With few tokens, uses, keys and bookings, and with many."""
    token, _secret = make_token(user=provider, name="first", scopes=[Scope.BILLING_READ], days=30, now=now)
    _feed, secret = renew_feed(user=provider, now=now)
    institute = make_organization(provider)
    client.force_login(provider)

    def ask(first: int, last: int) -> None:
        for number in range(first, last):
            make_paid(listing, buyer, start=now + (2 + number) * DAY, asked=now)
            closed(listing.machine, now + (30 + number) * DAY, 60)
            make_token(user=provider, name=f"{number}", scopes=[Scope.BILLING_READ], days=30, now=now)
            record_use(token=token, method="GET", path="/", status=200, address=None, now=now)
            organization = make_organization(provider, f"Institute {number}")
            renew_feed(user=provider, organization=organization, now=now)
            organization.ssh_keys.create(name="k", public_key="x", key_type="x", fingerprint="x", added_by=buyer)
            other = make_user(f"token-{number}@institute.example")
            make_member(institute, other)
            institute.email_domains.create(domain=f"{number}.example", asked_by=other)
            institute.sign_on_uses.create(user=other, outcome="signed_in")
            acts, _secret = make_token(
                user=other, organization=institute, name="x", scopes=[Scope.BILLING_READ], days=30, now=now
            )
            record_use(token=acts, method="GET", path="/", status=200, address=None, now=now)
            if number < 9:
                WebhookEndpoint.objects.create(organization=institute, name="x", url="https://x", events=["test"])
        check(client, "tokens, provider", "/accounts/tokens/")
        check(client, "token, provider", f"/accounts/tokens/{token.pk}/")
        check(client, "feeds, provider", "/feeds/")
        check(client, "feed of machines", f"/feeds/{secret}/machines.ics")
        check(client, "keys of an organization", f"/organizations/{organization.pk}/keys/")
        check(client, "tokens of an organization", f"/organizations/{institute.pk}/tokens/")
        check(client, "uses of tokens of an organization", f"/organizations/{institute.pk}/history/tokens/")
        check(client, "single sign-on of an organization", f"/organizations/{institute.pk}/sign-on/")
        check(client, "webhooks of an organization", f"/organizations/{institute.pk}/webhooks/")

    ask(0, 2)
    ask(2, 12)


def test_money_of_an_organization(client, listing, member, organization_administrator, administrator, now):
    """With few bookings, and with many, of several projects, servers and months; of few servers, and of many."""
    institute = make_organization(organization_administrator)
    make_organization_details(institute)
    make_member(institute, member)
    for person in (member, organization_administrator):
        verify(person, by=administrator, now=now)
    year = {"period": "own", "first": f"{now - 400 * DAY:%Y-%m-%d}", "last": f"{now:%Y-%m-%d}"}

    def more(first: int, last: int) -> None:
        for number in range(first, last):
            other = make_listing(make_machine(listing.machine.provider, f"for-many-{number}", gpu_model=f"G{number}"))
            make_listing(make_machine(organization_administrator, f"ours-{number}", organization=institute))
            booker = (member, organization_administrator)[number % 2]
            asked = now - 40 * (number % 2) * DAY
            project = make_project(institute, f"Project {number}")
            book_for(institute, booker, other, start=now + (2 + number) * DAY, asked=asked, project=project)
            owner, given = organization_administrator, {"amount": 9999, "currency": "EUR"}
            Budget.objects.create(organization=institute, project=project, created_by=owner, **given)
            Approval.objects.create(
                booking=Booking.objects.filter(organization=institute, approval=None).latest("created_at"),
                organization=institute,
                reason="A deadline.",
                expires_at=now,
                status="waiting" if number % 2 else "expired",
            )

    def ask() -> None:
        home = f"/organizations/{institute.pk}"
        client.force_login(organization_administrator)
        check(client, "bookings of an organization, administrator", f"{home}/bookings/")
        check(client, "machines of an organization, administrator", f"{home}/machines/")
        check(client, "spend of an organization, administrator", f"{home}/spend/", **year)
        check(client, "budgets of an organization, administrator", f"{home}/budgets/")
        check(client, "approvals of an organization, administrator", f"{home}/approvals/")
        check(client, "invoices of an organization, administrator", f"{home}/invoices/")
        check(client, "statements of an organization, administrator", f"{home}/statements/")
        check(client, "statement of an organization, administrator", f"{home}/statements/{now:%Y-%m}/")
        invoice = Invoice.objects.filter(organization=institute).first()
        check(client, "invoice of an organization, administrator", f"/billing/invoices/{invoice.pk}/")
        client.force_login(member)
        check(client, "bookings of an organization, member", f"{home}/bookings/")
        check(client, "spend of an organization, member", f"{home}/spend/", **year)

    more(0, 3)
    ask()
    more(3, 16)
    ask()


def test_earnings(client, listing, buyer, provider, administrator, now):
    """With little earned, and with much: each booking in its own payout, and as many that are not paid out yet."""
    make_iban(provider, now=now)
    others = [make_listing(make_machine(provider, f"earning-{number}")) for number in range(2)]

    def earn(first: int, last: int) -> None:
        for number in range(first, last):
            make_due(listing, buyer, now=now, days=10 + number)
            payout = payouts.schedule_payout(provider_id=provider.pk, currency="EUR", now=now)
            if number % 2:
                payouts.mark_failed(payout=payout, reason="Closed.", by=administrator, now=now)
        for number, other in enumerate(others):
            booking = make_due(other, buyer, now=now, days=first + number)
            PayoutHold.objects.create(booking=booking, reason="Disputed.")

    def ask() -> None:
        client.force_login(provider)
        check(client, "earnings, provider", "/machines/earnings/")
        check(client, "payout, provider", f"/billing/payouts/{provider.payouts.first().pk}/")
        check(client, "payout accounts, provider", "/billing/payout-accounts/")

    earn(0, 2)
    ask()
    earn(2, 14)
    ask()


@pytest.mark.parametrize("nodes", [2, 12])
def test_the_agents_of_a_machine(client, provider, now, nodes):
    """Of a cluster whose nodes all have an agent and were read several times, and of one that waits for its commands."""
    machine = make_unread(provider, *(f"node-{number}" for number in range(nodes)))
    for version in range(3):
        for node in machine.nodes.all():
            agent = node.agents.first() or make_agent(machine, now=now, node=node, self_test_at=now)
            take_inventory(agent=agent, inventory=inventory(gpus=gpus(version + 1)), now=now)
    bare = make_unread(provider, *(f"node-{number}" for number in range(nodes)))
    client.force_login(provider)
    client.post(f"/machines/{bare.pk}/agent/code/")
    check(client, "machine agent, provider", f"/machines/{machine.pk}/agent/")
    check(client, "machine agent, provider", f"/machines/{bare.pk}/agent/")
    check(client, "machine passport, provider", f"/machines/{machine.pk}/passport/")
    check(client, "machine with an agent, provider", f"/machines/{machine.pk}/")


def test_health_and_notifications(client, provider, now):
    """Of a cluster with few nodes and outages, and with many; of a person who has been told little, and much."""
    machine = make_machine(provider, "cluster", kind="cluster", access_kind="agent")

    def ask(first: int, last: int) -> None:
        for number in range(first, last):
            node = machine.nodes.create(name=f"n{number}", cpu_cores=1, ram_gb=1, disk_size_gb=1)
            agent = make_agent(machine, now=now, node=node)
            silent(agent, now - (1 + number) * HOUR, 20)
            notify(user=provider, key=f"{number}", title="Told")
        client.force_login(provider)
        check(client, "machine health, provider", f"/machines/{machine.pk}/health/")
        check(client, "machine health, provider", f"/machines/{machine.pk}/health/", span="month", node="n0")
        for number in range(first, last if last < 10 else 9):
            hears = WebhookEndpoint.objects.create(
                user=provider, name=f"{number}", url="https://x", events=["booking.access"]
            )
            hears.deliveries.create(key=f"{number}", event="test", title="Test", body="{}")
        check(client, "notifications, provider", "/accounts/notifications/")
        check(client, "what one is told, provider", "/accounts/notifications/settings/")
        check(client, "webhooks, provider", "/accounts/notifications/webhooks/")
        check(client, "webhook, provider", f"/accounts/notifications/webhooks/{hears.pk}/")

    ask(0, 2)
    ask(2, 20)


def test_an_organization(client, organization_administrator, now):
    """With few members, invitations, projects and cost centres, and with many."""
    institute = make_organization(organization_administrator)

    def ask(first: int, last: int) -> None:
        for number in range(first, last):
            make_member(institute, make_user(f"member-{number}@institute.example"))
            make_project(institute, f"Project {number}")
            make_project(institute, f"Archived {number}", archived_at=now)
            make_cost_centre(institute, f"{number}")
            make_member(make_organization(make_user(f"boss-{number}@institute.example")), organization_administrator)
            institute.invitations.create(
                email=f"new-{number}@institute.example",
                token_hash=f"{number:064}",
                invited_by=organization_administrator,
                expires_at=now + DAY,
            )
        client.force_login(organization_administrator)
        home = f"/organizations/{institute.pk}"
        check(client, "organizations, administrator", "/organizations/")
        check(client, "organization, administrator", f"{home}/")
        check(client, "organization members, administrator", f"{home}/members/")
        check(client, "organization projects, administrator", f"{home}/projects/")
        check(client, "organization settings, administrator", f"{home}/settings/")

    ask(0, 2)
    ask(2, 20)


@pytest.mark.parametrize("rows", [2, 9])
def test_lists_of_an_administrator(client, provider, administrator, now, rows):
    """Every list of the administration, with few and with many rows."""
    offers(provider, administrator, now, rows)
    for number in range(rows):
        user = make_user(f"user{number}@example.com")
        verify(user, by=administrator, now=now)
        SSHKey.objects.create(user=user, name="k", public_key="k", key_type="t", fingerprint=uuid7().hex)
    for booking in Booking.objects.all():
        enter_access(booking, now=now)
        refund = Refund(
            payment=booking.payments.get(), amount=1, currency="EUR", reason=RefundReason.values[0],
            requested_at=now, next_attempt_at=now,
        )  # fmt: skip
        refund.save()
    for number in range(rows):
        erased = make_listing(make_machine(provider, f"erased-{number}"))
        agent = make_signing_agent(erased.machine)
        make_agent_over(erased, administrator, agent, end=now - DAY)
        erase(agent, now=now - HOUR)
    client.force_login(administrator)
    check(client, "administration", reverse("admin:index"))
    for model in admin.site._registry:
        place = f"{model._meta.app_label}_{model._meta.model_name}"
        check(client, f"administration, {place}", reverse(f"admin:{place}_changelist"))
