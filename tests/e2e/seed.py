"""The small world that the browser tests begin in: ``python -m tests.e2e.seed`` beside a running ``bin/serve``.

Prints what the tests have to know as JSON: the machines' listings by name, bookings by state, sessions by person.
"""

import json
import os
import sys
import time
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
django.setup()

from allauth.account.internal.flows.login import (  # noqa: E402
    _AUTHENTICATION_METHODS_USER_SESSION_KEY,
    AUTHENTICATION_METHODS_SESSION_KEY,
)
from allauth.account.models import EmailAddress  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.db import transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts import unsubscribing  # noqa: E402
from accounts.models import (  # noqa: E402
    Organization,
    Role,
    Scope,
    SignOnOutcome,
    SSHKey,
    User,
    Verification,
    WebhookEndpoint,
)
from accounts.services.invitations import digest  # noqa: E402
from accounts.services.ssh_keys import add_key  # noqa: E402
from accounts.services.tokens import make_token, record_use, renew_feed  # noqa: E402
from accounts.services.verifications import ask_for_more, decide_verification  # noqa: E402
from accounts.stepup import SIGNED_IN  # noqa: E402
from billing.gateway import MadeRefund  # noqa: E402
from billing.models import Invoice, Payment, RefundReason, SavedCard  # noqa: E402
from billing.services import payouts  # noqa: E402
from billing.services.payout_holds import place_hold  # noqa: E402
from billing.services.refunds import request_refund, write_down  # noqa: E402
from billing.services.sepa_files import make_sepa_file  # noqa: E402
from bookings.models import Booking  # noqa: E402
from bookings.services.extend import request_extension  # noqa: E402
from machines.models import GPUModel, Listing, ListingStatus, Machine, Outage, ReliabilityDebit  # noqa: E402
from machines.services.passports import take_inventory  # noqa: E402
from machines.services.reliability import charge, recompute  # noqa: E402
from tests import handing_over  # noqa: E402
from tests.agents import erase, make_agent, make_agent_over, take, wipe_of  # noqa: E402
from tests.earning import make_earned, make_iban  # noqa: E402
from tests.machines.agents import make_agent as enrolled  # noqa: E402
from tests.machines.agents import make_unread  # noqa: E402
from tests.machines.inventories import gpus, inventory  # noqa: E402
from tests.machines.measured import closed, give_agent, listed, silent  # noqa: E402
from tests.organizations import (  # noqa: E402
    book_for,
    make_cost_centre,
    make_member,
    make_organization,
    make_organization_details,
    make_project,
)
from tests.people import (  # noqa: E402
    DAY,
    HOUR,
    make_benchmark,
    make_hold,
    make_listing,
    make_machine,
    make_over,
    make_paid,
    make_running,
    make_user,
    mark_charge_paid,
    record_wipe,
    verify,
)
from tests.single_sign_on import approve, connect_saml  # noqa: E402
from tests.verifying import make_draft, make_request  # noqa: E402

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl someone@laptop"
INVITATION = "the-link-of-the-seed"
#: Whose pages are looked at that ask first, again, who somebody is.
SHOWN_AGAIN = ("boss@example.com", "provider@example.com")
#: One machine and one buyer for each test that books, so that none waits for another.
FREE_MACHINES = 40
BUYERS = 40


def person(email: str, *roles: str, **fields: object) -> User:
    user = make_user(email, *roles, **fields)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def session_of(user: User) -> str:
    """Signed in, as after the sign-in form; some have shown since that it is still them."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[SIGNED_IN] = int(time.time()) + 3600  # the tests take a while
    if user.email in SHOWN_AGAIN:
        session[_AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
        shown = {"method": "password", "at": session[SIGNED_IN], "reauthenticated": True}
        session[AUTHENTICATION_METHODS_SESSION_KEY] = [shown]
    session.create()
    return session.session_key


def not_as_booked(listing: Listing, buyer: User, *, now: datetime) -> Booking:
    """Handed over by its agent twelve minutes late, with a GPU missing, and silent for a while since."""
    SSHKey.objects.filter(user=buyer).update(created_at=now - 30 * DAY)
    agent = handing_over.with_agent(handing_over.automatic(listing.machine), status="offline")
    take_inventory(agent=agent.row, inventory=handing_over.inventory(), now=now - DAY)
    booking = handing_over.begin(listing, buyer, start=now - 2 * HOUR)
    handing_over.hand_over(agent, now=booking.start + timedelta(minutes=12), inventory=handing_over.without_a_gpu())
    gap = booking.start + HOUR
    Outage.objects.create(machine=listing.machine, agent=agent.row, began_at=gap, ended_at=gap + HOUR / 2)
    return booking


def extending(listing: Listing, buyer: User, *, now: datetime) -> Booking:
    """Extended once, and asked for to be extended once more."""
    booking = make_running(listing, buyer, start=now - HOUR, hours=30)
    for hours in (20, 100):
        booking.refresh_from_db()
        extension = request_extension(booking_id=booking.pk, by=buyer, new_end=booking.end + hours * HOUR, now=now)
        if hours == 20:
            mark_charge_paid(extension, now=now)
    return booking


def main() -> None:
    # All at once: what lies in the past is not for the sweeps, which run beside this, until it is what it is to be.
    # Marked as Django's own TestCase marks the transaction around a test: services may begin a durable one in it.
    block = transaction.atomic()
    block._from_testcase = True
    with block:
        told = make()
    json.dump(told, sys.stdout)


def make() -> dict[str, dict[str, str]]:
    now = timezone.now().replace(microsecond=0)
    administrator = person("administrator@example.com", Role.PLATFORM_ADMINISTRATOR, is_staff=True, is_superuser=True)
    provider = person("provider@example.com", Role.PROVIDER, organization_name="Provider University", country="DE")
    newcomer = person("newcomer@example.com", Role.BUYER, name="Nele New")
    buyer = person("buyer@example.com", Role.BUYER, name="Bea Buyer", country="FR")
    buyers = [person(f"buyer{n}@example.com", Role.BUYER, name=f"Buyer {n}") for n in range(BUYERS)]
    institute = person("institute@example.com", Role.PROVIDER, organization_name="Institute")
    for one in (provider, institute):
        verify(one, by=administrator, now=now)
    for one in (buyer, *buyers):
        add_key(user=one, text=KEY, name="laptop")
    make_token(user=buyer, name="Backup of invoices", scopes=[Scope.BILLING_READ], days=90, now=now)
    renew_feed(user=provider, now=now)
    gpu = GPUModel.objects.create(
        slug="h100-sxm", name="H100 SXM", manufacturer="NVIDIA", memory_gb=80, fp32_tflops=66.9, fp16_tflops=989.4
    )

    def offer(name: str, by: User = provider, **fields: object) -> Listing:
        machine = make_machine(by, name, gpu=gpu, region="Bavaria", reliability=0.9994, network_mbps=10_000)
        benchmark = make_benchmark(machine, by=administrator, now=now)
        benchmark.gpu_throughput_fp32, benchmark.source = 470.2, "agent 1.4"
        benchmark.save(update_fields=["gpu_throughput_fp32", "source"])
        return make_listing(machine, **fields)

    free = [offer(f"free-{n}") for n in range(FREE_MACHINES)]
    offer("path-1")
    make_listing(make_machine(provider, "new-1"), status=ListingStatus.PAUSED)  # waits for its first benchmark
    busy = offer("busy-1", description="Two sockets, four NVMe disks.\nNo swap.")
    second, third, fourth = (offer(f"busy-{n}", cancellation_terms="flexible") for n in (2, 3, 4))
    measured = offer("measured-1", status=ListingStatus.PAUSED)
    give_a_past(measured.machine, now=now)
    read = offer("read-1")
    half_read = let_agents_read(read.machine, now=now)
    completed = make_over(busy, buyer, end=now - 2 * DAY)
    record_wipe(completed, now=now - 2 * DAY + HOUR)
    over = make_over(second, buyer, end=now - timedelta(minutes=10))
    record_wipe(over, now=now, methods=["session_termination", "ssh_key_removal"])
    signed, failing = offer("signed-1"), offer("failing-1")
    agent = make_agent(signed.machine, status="offline")
    signed_for = make_agent_over(signed, buyer, agent, end=now - timedelta(minutes=41))
    erase(agent, now=now - timedelta(minutes=3))
    agent = make_agent(failing.machine, status="offline")
    not_erased = make_agent_over(failing, buyer, agent, end=now - timedelta(minutes=10))
    wipe = wipe_of(agent, now=now)
    take(wipe, agent.failing(wipe, "home_directory_purge", now=now), now=now, status="failed", error="Disk full.")
    bookings = {
        "mismatched": not_as_booked(offer("changed-1"), buyer, now=now),
        "signed": signed_for,
        "not_erased": not_erased,
        "completed": completed,
        "earned": make_earned(offer("institute-1", by=institute), buyer, end=now - DAY),
        "over": over,
        "running": make_running(busy, buyer, start=now - HOUR),
        "started": make_running(third, buyer, start=now - HOUR, access=False),
        "extending": extending(offer("extended-1"), buyer, now=now),
        "staged": make_paid(offer("staged-1", max_hours=90 * 24), buyer, start=now + 3 * DAY, hours=70 * 24, asked=now),
        "paid": make_paid(fourth, buyer, start=now + 2 * DAY, asked=now),
        "held": make_hold(fourth, buyer, start=now + 5 * DAY, asked=now),
    }
    keep_cards(buyer, now=now)
    payouts_made = give_earnings(offer("earning-1", max_hours=90 * 24), buyer, administrator, now=now)
    boss = person("boss@example.com", Role.BUYER, name="Bodil Boss", country="NO")
    people = [
        administrator,
        provider,
        institute,
        newcomer,
        boss,
        buyer,
        *buyers,
        *ask_to_be_verified(administrator, now=now),
    ]
    return {
        "listings": {
            listing.machine.name: str(listing.pk) for listing in (*free, busy, second, third, fourth, measured, read)
        },
        "certificates": {"signed": str(signed_for.certificate.pk)},
        "machines": {
            **{listing.machine.name: str(listing.machine_id) for listing in (*free, busy, second, measured, read)},
            "half-read-1": str(half_read.pk),
        },
        "bookings": {state: str(booking.pk) for state, booking in bookings.items()},
        "verifications": {"sent": str(Verification.objects.get(user__email="sent@example.com").pk)},
        "documents": {
            "invoice": str(Invoice.objects.get(booking=bookings["paid"]).pk),
            "stage": str(Invoice.objects.get(booking=bookings["staged"]).pk),
            "month": f"{now:%Y-%m}",
            "extension": str(bookings["extending"].charges.get(status="open").pk),
            "later_stage": str(bookings["staged"].charges.get(number=2).pk),
            "payment": str(Payment.objects.get(booking=bookings["paid"]).pk),
            "refunded": str(give_back_a_part(bookings["completed"], administrator, now=now).pk),
            **{f"{state}_payout": payout for state, payout in payouts_made.items()},
            "unsubscribe": unsubscribing.link(buyer, "booking.changed").removeprefix(settings.SITE_URL),
            "webhook": str(hears(buyer, now=now).pk),
            **department(boss, offer("department-1"), now=now),
        },
        "sessions": {user.email.partition("@")[0]: session_of(user) for user in people},
    }


def ask_to_be_verified(administrator: User, *, now: datetime) -> list[User]:
    """One in each state of being verified, beside the newcomer, who has not asked, and the provider, who is."""
    people = [
        person(f"{state}@example.com", Role.BUYER, name="Ines Insel")
        for state in ("begun", "sent", "wanted", "refused")
    ]
    begun, sent, wanted, refused = people
    make_draft(begun, now=now, kind="institution")
    make_request(sent, now=now)
    row = make_request(wanted, now=now)
    ask_for_more(verification=row, by=administrator, question="The back of the card, please.", now=now)
    row = make_request(refused, now=now)
    decide_verification(verification=row, approve=False, by=administrator, reason="The card has expired.", now=now)
    return people


def department(boss: User, listing: Listing, *, now: datetime) -> dict[str, str]:
    """An organization with everything that it can have and with what it booked, and somebody who is invited to it."""
    organization = make_organization(boss, country="NO", needs_project=True, approval_above=Decimal(250))
    make_organization_details(organization)
    colleague = make_member(organization, person("colleague@example.com", Role.BUYER, name="Carl Colleague"))
    make_member(organization, person("deputy@example.com", Role.BUYER), "administrator")
    project = make_project(organization, grant="RCN-2026-0042", grant_ends_on=(now + 90 * DAY).date())
    make_project(organization, "An older one", archived_at=now)
    make_cost_centre(organization, name="Physics")
    for email, secret, expires in (("new@fjord.example", INVITATION, now + DAY), ("late@fjord.example", "late", now)):
        organization.invitations.create(email=email, token_hash=digest(secret), invited_by=boss, expires_at=expires)
    for place, user in enumerate((colleague.user, boss, colleague.user)):
        asked, start = now - 20 * place * DAY, now + (2 + place) * DAY
        book_for(organization, user, listing, start=start, asked=asked, project=project, cost_centre="4711")
    Machine.objects.filter(pk=make_machine(boss, "fjord-1").pk).update(organization=organization)
    let_programs_in(organization, colleague.user, now=now)
    have_sign_on(organization, now=now)
    return {
        "organization": str(organization.pk),
        "organization_invoice": str(Invoice.objects.filter(organization=organization, owner=colleague.user)[0].pk),
        "colleague": str(colleague.pk),
        "project": str(project.pk),
        "invitation": INVITATION,
    }


def let_programs_in(organization: Organization, user: User, *, now: datetime) -> None:
    """A token that was used, a calendar, and a webhook."""
    scopes = [Scope.BILLING_READ, Scope.BOOKINGS_READ]
    token, _secret = make_token(
        user=user, organization=organization, name="Archive of invoices", scopes=scopes, days=90, now=now
    )
    renew_feed(user=user, organization=organization, now=now)
    for path, status in (("/billing/invoices/0d3f/pdf/", 200), ("/machines/earnings.csv", 403)):
        record_use(token=token, method="GET", path=path, status=status, address="2001:db8::1", now=now)
    organization.webhooks.create(name="Scheduler", url="https://scheduler.example.org/hooks", events=["booking.access"])


def have_sign_on(organization: Organization, *, now: datetime) -> None:
    """Its own provider, one domain that is approved and one that is asked for, and somebody who was not let in."""
    connect_saml(organization, slug="fjord", proved_at=now)
    approve(organization, "fjord.example", now=now)
    organization.email_domains.create(domain="students.fjord.example", asked_by=organization.owner, asked_at=now)
    uses = organization.sign_on_uses
    uses.create(user=organization.owner, email=organization.owner.email, outcome=SignOnOutcome.SIGNED_IN, at=now)
    uses.create(email="x@elsewhere.example", outcome=SignOnOutcome.REFUSED, reason="It is none of its addresses.")


def keep_cards(user: User, *, now: datetime) -> None:
    """Two; the first is charged by itself."""
    for place, (brand, last4, year) in enumerate([("Visa", "4242", now.year + 3), ("Mastercard", "4444", now.year)]):
        SavedCard.objects.create(
            user=user,
            stripe_payment_method=f"pm_{last4}",
            brand=brand,
            last4=last4,
            exp_month=12,
            exp_year=year,
            is_default=place == 0,
            created_at=now - place * 40 * DAY,
        )


def hears(user: User, *, now: datetime) -> WebhookEndpoint:
    """A webhook that took one message, waits with another and has given one up."""
    endpoint = WebhookEndpoint.objects.create(
        user=user,
        name="Cluster scheduler",
        url="https://scheduler.example.org/hooks/marketplace",
        events=["booking.access", "booking.erased"],
        failures=2,
        failing_since=now - HOUR,
        disabled_at=now,
        disabled_because="It answered 503.",
    )
    for number, (status, code) in enumerate([("delivered", 204), ("pending", 503), ("failed", 503)]):
        endpoint.deliveries.create(
            key=f"{number}",
            event="booking.access",
            title="Log in: busy-1",
            body="{}",
            created_at=now - number * DAY,
            status=status,
            attempts=number + 1,
            next_attempt_at=now + HOUR,
            response_code=code,
            response_excerpt="" if status == "delivered" else "upstream connect error",
            error="" if status == "delivered" else "It answered 503.",
        )
    return endpoint


def give_back_a_part(booking: Booking, administrator: User, *, now: datetime) -> Payment:
    """One refund that arrived, and one that could not be made."""
    payment = Payment.objects.get(booking=booking)
    for amount, status in (("1.25", "succeeded"), ("0.50", "failed")):
        refund = request_refund(
            payment=payment, amount=Decimal(amount), reason=RefundReason.DISPUTE, by=administrator, now=now - HOUR
        )
        made = MadeRefund(f"re_{status}", status, "The card is closed." if status == "failed" else "")
        write_down(refund.pk, made, now=now - HOUR / 2)
    return payment


def give_earnings(listing: Listing, buyer: User, administrator: User, *, now: datetime) -> dict[str, str]:
    """A payout that arrived, one that failed, one that is scheduled, and a part that is held."""
    provider = listing.machine.provider
    make_iban(provider, now=now - 90 * DAY)
    made = {}
    for state, days in {"received": 60, "failed": 30, "scheduled": 5}.items():
        booking = make_earned(listing, buyer, end=now - days * DAY, hours=days)
        if state == "scheduled":
            place_hold(booking=booking, amount=Decimal("1.50"), reason="Half an hour is disputed.", by=None, now=now)
        payout = payouts.schedule_payout(provider_id=provider.pk, currency="EUR", now=now - (days - 4) * DAY)
        made[state] = str(payout.pk)
        if state != "scheduled":
            make_sepa_file(by=administrator, now=payout.scheduled_at, execute_on=payout.scheduled_at.date())
        if state == "received":
            payouts.mark_received(payout=payout, by=administrator, now=payout.scheduled_at + DAY)
        if state == "failed":
            payouts.mark_failed(payout=payout, reason="The account is closed.", by=administrator, now=now - 20 * DAY)
    return made


def let_agents_read(machine: Machine, *, now: datetime) -> Machine:
    """One machine with a passport of two versions, and a cluster, which is returned, of which one node was read."""
    checks = [
        {"id": "ssh.port", "title": "sshd answers on its port", "actual": "22: open", "required": "open",
         "status": "pass", "why": "Buyers come in over it.", "remedy": ""},
        {"id": "tools.fio", "title": "fio is installed", "actual": "not found", "required": "installed",
         "status": "warn", "why": "It measures the disks.", "remedy": "apt-get install fio"},
        {"id": "disk.free", "title": "Room for buyers' files", "actual": "3 GB on /home", "required": "10 GB",
         "status": "fail", "why": "Buyers bring data.", "remedy": "Free space on /home."},
    ]  # fmt: skip
    agent = enrolled(machine, now=now, self_test=checks, self_test_at=now, last_heartbeat_at=now)
    take_inventory(agent=agent, inventory=inventory(), now=now - DAY)
    take_inventory(agent=agent, inventory=inventory(gpus=gpus(7), host_keys=[]), now=now)
    cluster = make_unread(machine.provider, "node-1", "node-2", "node-3", name="half-read-1")
    for node in cluster.nodes.all()[:1]:
        agent = enrolled(cluster, now=now, node=node, self_test=checks[:1], self_test_at=now)
        take_inventory(agent=agent, inventory=inventory(), now=now)
    return cluster


def give_a_past(machine: Machine, *, now: datetime) -> None:
    """Measured for 40 days, with outages and maintenance, and more of that to come."""
    agent = give_agent(machine, since=now - 40 * DAY)
    listed(machine, now - 40 * DAY, now - 12 * DAY)
    listed(machine, now - 10 * DAY)
    silent(agent, now - 20 * DAY, 43)
    silent(agent, now - 6 * DAY, 7)
    closed(machine, now - 8 * DAY, 240)
    closed(machine, now + 8 * DAY, 240, note="New fans for all GPUs.")
    reason = ReliabilityDebit.Reason.CANCELLATION
    charge(machine=machine, reason=reason, key=f"cancellation:{machine.pk}", minutes=720, now=now - 3 * DAY)
    recompute(machine, now=now)


if __name__ == "__main__":
    main()
