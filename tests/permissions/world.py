"""What is theirs: a thing of each kind, in a state in which it can be asked for, by the names that the tables use.

``other_…`` is another buyer's or another provider's, ``rival…`` another organization's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession

from accounts import unsubscribing
from accounts.models import DataExport, EmailDomain, Organization, Scope, SingleSignOn, User, WebhookEndpoint
from accounts.services.invitations import digest, invite
from accounts.services.notifications import notify
from accounts.services.ssh_keys import add_key, add_shared_key
from accounts.services.tokens import make_token, renew_feed
from accounts.services.verification_documents import add_documents, link_token
from billing.models import Invoice, Payout
from billing.services import cards, printing
from bookings.models import Budget
from bookings.services.maintenance import announce
from common.ids import uuid7
from common.sealing import seal
from machines.models import AccessKind, Machine, Node, Work
from tests.agents import erase, make_agent, make_agent_over
from tests.earning import IBAN, OTHER_IBAN, make_iban
from tests.organizations import (
    book,
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
    make_benchmark,
    make_hold,
    make_listing,
    make_machine,
    make_over,
    make_paid,
    make_user,
    minute,
    record_wipe,
)
from tests.permissions.asking import Person
from tests.permissions.people import RIVAL, everybody, make_institute, make_users
from tests.stripe_server.fixtures import Processor
from tests.verifying import make_draft, make_request, png, upload

Things = dict[str, Any]

#: What is nobody's.
CONSTANTS: Things = {
    "zero": "0",
    "no_key": "no-such-key",
    "nothing": uuid7(),
    "evidence_file": "evidence.json",
    "tier": "professional",
    "app": "accounts",
    "kind": "1",
    "protocol": "oidc",
}
KEYS = [f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJ{last} key" for last in "lmno"]


@dataclass(frozen=True)
class World:
    now: datetime
    people: dict[str, Person]
    things: Things


def make_world(processor: Processor, now: datetime) -> World:
    users = make_users(now)
    institute = make_institute(users)
    things: Things = {**CONSTANTS, "month": now.date(), **users}
    things |= _rented(users["provider"], users["buyer"], users["administrator"], "", IBAN, now)
    things |= _rented(users["other_provider"], users["other_buyer"], users["administrator"], RIVAL, OTHER_IBAN, now)
    things |= _kept(users["buyer"], processor, KEYS[0], "", now)
    things |= _kept(users["other_buyer"], processor, KEYS[1], RIVAL, now)
    things |= _organized(
        institute, users["organization_administrator"], users["member"], KEYS[2], things["listing"], now
    )
    rival = make_organization(users["other_administrator"], f"{RIVAL} laboratory")
    make_organization_details(rival)
    other = make_user(f"member@{RIVAL}.example", name=f"{RIVAL} member")
    make_member(rival, other)
    things["rival_person"] = other
    things |= {
        f"{RIVAL}_{name}" if name != "institute" else RIVAL: thing
        for name, thing in _organized(
            rival, users["other_administrator"], other, KEYS[3], things["other_listing"], now
        ).items()
    }
    things |= _own(users, now)
    for name in ("invoice", "team_invoice"):
        printing.print_invoice(invoice=things[name])
    return World(now, everybody(users), things)


def _named(prefix: str, things: Things) -> Things:
    return {f"other_{name}" if prefix else name: thing for name, thing in things.items()}


def _rented(provider: User, buyer: User, administrator: User, prefix: str, iban: str, now: datetime) -> Things:
    """A machine with its agent and its offer, and the buyer's bookings of it, each in another state."""
    machine = make_machine(provider, f"{prefix}gpu-1")
    make_benchmark(machine, by=administrator, now=now)
    listing = make_listing(machine, max_hours=24 * 40)
    staged = make_paid(
        make_listing(make_machine(provider, f"{prefix}long"), max_hours=24 * 40),
        buyer, start=now + 2 * DAY, hours=24 * 30, asked=now,
    )  # fmt: skip
    held = make_hold(listing, buyer, start=now + 2 * DAY, asked=now)
    paid = make_paid(listing, buyer, start=now + 3 * DAY, asked=now)
    erased = make_over(listing, buyer, end=now - 2 * DAY)
    (wipe, *_) = record_wipe(erased, now=now - DAY)
    signed = make_agent_over(listing, buyer, agent := make_agent(machine), end=now - 3 * DAY)
    evidence = erase(agent, now=now - 2 * DAY - HOUR)
    Machine.objects.filter(pk=machine.pk).update(access_kind=AccessKind.MANUAL)
    over = make_over(listing, buyer, end=now - HOUR)
    begin = minute(now) + 9 * DAY
    upkeep = announce(machine=machine, by=provider, kind="power", start=begin, end=begin + DAY, now=now)
    cluster = make_machine(provider, f"{prefix}cluster", kind="cluster")
    account = make_iban(provider, now=now, iban=iban)
    payout = Payout.objects.create(
        provider=provider, account=account, method="sepa", currency="EUR", amount=1, status="received", sent_at=now,
        received_at=now,
    )  # fmt: skip
    return _named(
        prefix,
        {
            "machine": machine,
            "listing": listing,
            "cluster": cluster,
            "node": Node.objects.create(machine=cluster, name=f"{prefix}n", cpu_cores=1, ram_gb=1, disk_size_gb=1),
            "agent": agent.row,
            "work": Work.objects.filter(agent=agent.row)[0],
            "upkeep": upkeep,
            "account": account,
            "payout": payout,
            "staged": staged,
            "first": staged.charges.get(number=1),
            "stage": staged.charges.get(number=2),
            "held": held,
            "paid": paid,
            "payment": paid.payments.get(),
            "invoice": Invoice.objects.get(booking=paid),
            "erased": erased,
            "wipe": wipe,
            "signed": signed,
            "evidence": evidence,
            "certificate": signed.certificate,
            "over": over,
        },
    )


def _kept(buyer: User, processor: Processor, key: str, prefix: str, now: datetime) -> Things:
    """What somebody has in their account: keys, cards, tokens, messages, papers."""
    forms = [cards.begin_card(user=buyer).split("_secret_")[0] for _ in range(2)]
    for form in forms:
        processor.fill_card_form(form)
    notify(user=buyer, key="told", title=f"{prefix} told", now=now)
    hook = _hook(user=buyer, name=f"{prefix} CI")
    token, secret = make_token(
        user=buyer, name=f"{prefix} backup", scopes=[Scope.BILLING_READ, Scope.BOOKINGS_READ], days=30, now=now
    )
    papers = make_request(buyer, now=now).documents.get()
    return _named(
        prefix,
        {
            "key": add_key(user=buyer, text=key, name=f"{prefix} laptop"),
            "card": cards.add_card(user=buyer, setup_intent=forms[0], now=now),
            "card_form": forms[1],
            "told": buyer.notifications.get(key="told"),
            "hook": hook,
            "delivery": _delivery(hook),
            "token": token,
            "secret": secret,
            "feed": renew_feed(user=buyer, now=now)[1],
            "document": papers,
            "link": link_token(papers, viewer=buyer),
            "export": DataExport.objects.create(user=buyer, file=f"exports/{buyer.pk}.zip"),
            "session": UserSession.objects.create(user=buyer, ip="127.0.0.1", session_key=f"x{prefix}"),
            "unsubscribing": unsubscribing.link(buyer, "booking.changed").split("/")[-2],
            "passkey": Authenticator.objects.create(
                user=make_user(f"{prefix}keyed@example.com"), type="webauthn", data={"name": f"{prefix} key"}
            ),
        },
    )


def _hook(**owner: Any) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        url="https://93.184.215.14/in", events=["booking.access"], sealed_secret=seal("x"), **owner
    )


def _delivery(hook: WebhookEndpoint) -> Any:
    return hook.deliveries.create(key=f"sent-{hook.pk}", event="test", title="Test", body="{}", status="delivered")


def _organized(institute: Organization, boss: User, colleague: User, key: str, listing: Any, now: datetime) -> Things:
    """What an organization has, and what one of its members booked for it."""
    where = boss.email.partition("@")[2]
    slug = where.replace(".", "-")
    (letter,) = invite(organization=institute, by=boss, emails=[f"new@{where}"], role="member", now=now)
    letter.token_hash = digest(f"no-secret-of-{slug}")
    letter.save(update_fields=["token_hash"])
    member = institute.memberships.get(user=colleague)
    prefix = RIVAL if RIVAL in institute.name else ""
    machine = make_machine(boss, f"{prefix}own")
    Machine.objects.filter(pk=machine.pk).update(organization=institute)
    centre, project = make_cost_centre(institute, f"{prefix}4711"), make_project(institute, f"{prefix} protein")
    booked = book_for(institute, colleague, listing, start=now + 12 * DAY, asked=now, cost_centre=centre.code)
    budget = Budget.objects.create(organization=institute, amount=1000, currency="EUR", created_by=boss)
    institute.approval_above = 0
    institute.save(update_fields=["approval_above"])
    waiting = book(listing, member, now, start=now + 20 * DAY, reason="A deadline.", cost_centre=centre.code).approval
    hook = _hook(organization=institute, name=f"{prefix} chat")
    token, secret = make_token(
        user=boss, name="accounts", scopes=[Scope.BILLING_READ, Scope.BOOKINGS_READ], days=30, organization=institute,
        now=now,
    )  # fmt: skip
    SingleSignOn.objects.create(
        organization=institute, slug=slug, issuer="https://login.invalid", client_id="marketplace",
        sealed_secret=seal("x"),
    )  # fmt: skip
    return {
        "slug": slug,
        "domain": EmailDomain.objects.create(organization=institute, domain=where, asked_by=boss),
        "institute": institute,
        "colleague": member,
        "letter": letter,
        "letter_secret": f"no-secret-of-{slug}",
        "project": project,
        "centre": centre,
        "centre_code": centre.code,
        "shared_key": add_shared_key(organization=institute, by=boss, text=key, now=now),
        "offered": machine,
        "spare": make_machine(boss, f"{prefix}spare"),
        "booked": booked,
        "team_invoice": Invoice.objects.get(booking=booked),
        "budget": budget,
        "waiting": waiting,
        "team_hook": hook,
        "team_delivery": _delivery(hook),
        "team_token": token,
        "team_secret": secret,
        "team_feed": renew_feed(user=boss, organization=institute, now=now)[1],
    }


def _own(users: dict[str, User], now: datetime) -> Things:
    """What only some of them have."""
    make_draft(users["member"], now=now, papers=False)
    paper = add_documents(user=users["member"], kind="other", uploads=[upload("other.png", png())], now=now).documents[
        0
    ]
    return {
        "draft_document": paper,
        "machine_feed": renew_feed(user=users["provider"], now=now)[1],
    }
