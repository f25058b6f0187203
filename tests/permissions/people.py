"""The twelve who ask, in the order of the table's columns."""

from datetime import datetime

from accounts.models import Organization, OrganizationRole, Role, User
from tests.organizations import make_member, make_organization, make_organization_details
from tests.people import make_user, verify
from tests.permissions.asking import Person
from tests.signing_in import confirm, sign_in

#: In all that belongs to the other ones: an answer to somebody else that has this word in it tells too much.
RIVAL = "rival"


def make_users(now: datetime) -> dict[str, User]:
    """Everybody who has an account and a confirmed address."""
    administrator = make_user(
        "administrator@example.com", Role.PLATFORM_ADMINISTRATOR, is_staff=True, is_superuser=True
    )
    users = {
        "buyer": make_user("buyer@example.com", Role.BUYER, name="Bea Buyer"),
        "other_buyer": make_user(f"{RIVAL}.buyer@example.com", Role.BUYER, name=f"{RIVAL} buyer"),
        "provider": make_user("provider@example.com", Role.PROVIDER, organization_name="Provider University"),
        "other_provider": make_user(
            f"{RIVAL}.provider@example.com", Role.PROVIDER, organization_name=f"{RIVAL} data center"
        ),
        "member": make_user("member@institute.example", Role.BUYER, name="Mel Member"),
        "viewer": make_user("viewer@institute.example", Role.BUYER, name="Vic Viewer"),
        "billing": make_user("billing@institute.example", Role.BUYER, name="Bill Billing"),
        "organization_administrator": make_user("boss@institute.example", Role.BUYER, name="Oda Boss"),
        "other_administrator": make_user(f"boss@{RIVAL}.example", Role.BUYER, name=f"{RIVAL} boss"),
        "administrator": administrator,
    }
    for user in users.values():
        confirm(user)
    for name in ("provider", "other_provider"):
        verify(users[name], by=administrator, now=now)
    return users


def make_institute(users: dict[str, User]) -> Organization:
    """The one that four of them belong to, each with another role."""
    institute = make_organization(users["organization_administrator"])
    for name, role in (
        ("member", OrganizationRole.MEMBER),
        ("viewer", OrganizationRole.VIEWER),
        ("billing", OrganizationRole.BILLING),
    ):
        make_member(institute, users[name], role)
    make_organization_details(institute)
    return institute


def make_unconfirmed() -> Person:
    """Signed up, knows the password, has just given it, and is asked for the code that was mailed: not signed in."""
    user = make_user("unconfirmed@example.com", Role.BUYER, name="Una Unconfirmed")
    confirm(user, verified=False)
    person = Person("unconfirmed")
    assert sign_in(person.client, user)["Location"].endswith("/confirm-email/")
    person.keep()
    return person


def everybody(users: dict[str, User]) -> dict[str, Person]:
    people = {name: Person(name, user) for name, user in users.items()}
    return {"anonymous": Person("anonymous"), "unconfirmed": make_unconfirmed()} | people
