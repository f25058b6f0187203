"""What ``perf/organizations.py`` measures on: an organization with thousands of rows of everything, and a small one."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from accounts.models import ApiToken, Invitation, Membership, Organization, OrganizationRole, Project, Role, User
from bookings.models import Approval, ApprovalStatus, Booking, Budget
from perf.seed import cookie_of

DAY = timedelta(days=1)
#: Of the large one and of the small one.
PROJECTS = (40, 2)
BUDGETS = (40, 2)
TOKENS = (40, 2)
SMALL_MEMBERS, SMALL_BOOKINGS, SMALL_USES = 5, 20, 20
#: Others that the administrator of both belongs to, too.
OTHERS = 200
#: Every so many-th booking had to be approved.
APPROVED = 3
USES = """
INSERT INTO api_token_uses (id, token_id, at, method, path, status, address)
SELECT gen_random_uuid(), (%(tokens)s::uuid[])[1 + number %% cardinality(%(tokens)s::uuid[])],
    %(now)s - number * interval '7 minutes', 'GET', '/billing/invoices/' || number || '.pdf', 200, '203.0.113.9'
FROM generate_series(1, %(uses)s) number
"""


def fill(*, members: int, uses: int, now: datetime) -> dict[str, Any]:
    """Give what :func:`perf.seed.seed` has made to two organizations. Returns what the clients need.

    Args:
        members: of the large one, whose are nearly all bookings.
        uses: so often its tokens were used.
    """
    boss = User.objects.create(
        email="boss@institute.example",
        name="Bodil Boss",
        roles=[Role.BUYER, Role.ORGANIZATIONAL_ADMINISTRATOR],
        password="!",
    )
    others = [_organization(boss, f"Institute {number}") for number in range(OTHERS)]
    bookings = list(Booking.objects.order_by("pk"))
    small = _furnish(boss, "A small one", 1, SMALL_MEMBERS, SMALL_USES, bookings[:SMALL_BOOKINGS], now=now)
    large = _furnish(boss, "A large one", 0, members, uses, bookings[SMALL_BOOKINGS:], now=now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {
        "cookie": cookie_of(boss),
        "organizations": len(others) + 2,
        "large": str(large.pk),
        "small": str(small.pk),
        "members": members,
        "bookings": len(bookings) - SMALL_BOOKINGS,
        "uses": uses,
        "booking": {"large": str(bookings[-1].pk), "small": str(bookings[0].pk)},
        "changes": _changes(),
    }


def _organization(boss: User, name: str) -> Organization:
    made = Organization.objects.create(
        owner=boss, name=name, kind="university", country="DE", created_by=boss, approval_above=100
    )
    Membership.objects.create(organization=made, user=boss, role=OrganizationRole.ADMINISTRATOR)
    return made


def _furnish(
    boss: User, name: str, which: int, members: int, uses: int, bookings: Sequence[Booking], *, now: datetime
) -> Organization:
    draw = random.Random(name)
    made = _organization(boss, name)
    people = User.objects.bulk_create(
        User(email=f"{which}-{number}@institute.example", name=f"Member {number}", roles=[Role.BUYER], password="!")
        for number in range(members)
    )
    Membership.objects.bulk_create(
        Membership(organization=made, user=person, role=OrganizationRole.MEMBER) for person in people
    )
    projects = Project.objects.bulk_create(
        Project(organization=made, name=f"Project {number}", grant=f"DFG {number}") for number in range(PROJECTS[which])
    )
    Invitation.objects.bulk_create(
        Invitation(
            organization=made,
            email=f"new-{which}-{number}@institute.example",
            role=OrganizationRole.MEMBER,
            token_hash=f"{which}{number:063}",
            invited_by=boss,
            expires_at=now + DAY,
        )
        for number in range(members // 10)
    )
    for booking in bookings:
        booking.organization, booking.buyer, booking.project = made, draw.choice(people), draw.choice(projects)
    Booking.objects.bulk_update(bookings, ["organization", "buyer", "project"], batch_size=500)
    _ask(made, boss, bookings[::APPROVED])
    Budget.objects.bulk_create(
        Budget(
            organization=made,
            member=person,
            amount=10_000,
            currency="EUR",
            period="year",
            created_by=boss,
        )
        for person in people[: BUDGETS[which]]
    )
    tokens = ApiToken.objects.bulk_create(
        ApiToken(
            user=draw.choice(people),
            organization=made,
            name=f"Program {number}",
            prefix=f"rsm_{which}{number:07}",
            token_hash=f"{which}{number:063}",
            scopes=["billing:read"],
            created_at=now,
            expires_at=now + 90 * DAY,
        )
        for number in range(TOKENS[which])
    )
    with connection.cursor() as cursor:
        cursor.execute(USES, {"tokens": [token.pk for token in tokens], "now": now, "uses": uses})
    return made


def _ask(organization: Organization, boss: User, bookings: Sequence[Booking]) -> None:
    """An approval for each, given at once."""
    Approval.objects.bulk_create(
        Approval(
            booking=booking,
            organization=organization,
            reason="A deadline.",
            asked_at=booking.created_at,
            expires_at=booking.created_at + DAY,
            status=ApprovalStatus.APPROVED,
            decided_at=booking.created_at,
            decided_by=boss,
        )
        for booking in bookings
    )


def _changes() -> int:
    """How many changes history keeps of bookings: most of what the audit page is about."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM bookings_changes")
        return int(cursor.fetchone()[0])
