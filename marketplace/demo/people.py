"""Who is in the demonstration: the sign-ins, the hosts of the file, and buyers who fill the calendars."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django_countries import countries

from accounts.models import BillingDetails, BillingKind, Role, User, Verification
from accounts.services import ssh_keys
from machines.demo.hosted_machines import UNVERIFIED, HostedMachine

PASSWORD = "demo-password"  # noqa: S105 printed on the console on purpose

BUYER, BUYER2 = "buyer@example.com", "buyer2@example.com"
PROVIDER, PROVIDER2 = "provider@example.com", "provider2@example.com"
ORGADMIN, MEMBER, ADMIN = "orgadmin@example.com", "member@example.com", "admin@example.com"

#: The demo providers are two of the file's hosts: one with ten machines, nine of them verified, and one with
#: six, five of them verified.
SIGN_INS_OF_HOSTS = {25: PROVIDER, 48: PROVIDER2}

#: Name, group and roles of the other sign-ins.
OTHER_SIGN_INS = {
    BUYER: ("Demo buyer", "", [Role.BUYER]),
    BUYER2: ("Second demo buyer", "", [Role.BUYER]),
    ORGADMIN: ("Demo organization administrator", "Demo Institute", [Role.ORGANIZATIONAL_ADMINISTRATOR, Role.BUYER]),
    MEMBER: ("Demo member", "Demo Institute", [Role.BUYER]),
    ADMIN: ("Demo administrator", "", [Role.PLATFORM_ADMINISTRATOR]),
}
#: Buyers without a sign-in.
FURTHER_BUYERS = 24
A_BUYER_IN_THE_USA = "buyer-01@buyers.example"

INSTITUTE = {
    "kind": BillingKind.BUSINESS,
    "name": "Demo Institute",
    "street": "Beispielweg 5",
    "postal_code": "37073",
    "city": "Göttingen",
    "country": "DE",
    "vat_id": "DE700000001",
    "invoice_email": "invoices@institute.example",
}
#: Whom invoices name: one of each kind that VAT knows (accounts.tax). The ids have right digits and are nobody's; who is
#: not here has not said, and is a private person.
BILLING_DETAILS: dict[str, dict[str, str]] = {
    BUYER: {
        "kind": BillingKind.INDIVIDUAL,
        "name": "Demo Buyer",
        "street": "Beispielstraße 12",
        "postal_code": "20095",
        "city": "Hamburg",
        "country": "DE",
    },
    BUYER2: {
        "kind": BillingKind.BUSINESS,
        "name": "Second Demo Buyer GmbH",
        "street": "Mustergasse 3",
        "postal_code": "1010",
        "city": "Wien",
        "country": "AT",
        "vat_id": "ATU70000009",
        "purchase_order": "PO-2026-0815",
    },
    ORGADMIN: {**INSTITUTE, "purchase_order": "PO-4711", "cost_centre": "Computing"},
    MEMBER: {**INSTITUTE, "cost_centre": "Physics"},
    A_BUYER_IN_THE_USA: {
        "kind": BillingKind.BUSINESS,
        "name": "Buyer 01 Inc.",
        "street": "1 Example Avenue",
        "postal_code": "10001",
        "city": "New York",
        "country": "US",
    },
    PROVIDER: {
        "kind": BillingKind.BUSINESS,
        "name": "Host 025",
        "street": "1-2-3 Example",
        "postal_code": "100-0001",
        "city": "Tokyo",
        "country": "JP",
    },
    PROVIDER2: {
        "kind": BillingKind.BUSINESS,
        "name": "Host 048 B.V.",
        "street": "Voorbeeldstraat 8",
        "postal_code": "1012 AB",
        "city": "Amsterdam",
        "country": "NL",
        "vat_id": "NL700000008B01",
    },
}
#: Where the demo providers' euros go. Numbers from the banks' documentation.
IBANS = {PROVIDER: "DE97500105170000000001", PROVIDER2: "NL91ABNA0417164300"}

#: People had joined when the file's first day began.
JOINED_BEFORE = timedelta(days=30)


@dataclass
class People:
    admin: User
    hosts: dict[int, User] = field(default_factory=dict)
    buyers: list[User] = field(default_factory=list)


def create(machines: Iterable[HostedMachine], *, now: datetime) -> People:
    """Everybody, with confirmed addresses. Only the seven sign-ins have a password.

    Whoever is verified stays so as if it had been renewed just now, however old the file has become.
    """
    of_host: dict[int, list[HostedMachine]] = {}
    for machine in machines:
        of_host.setdefault(machine.host, []).append(machine)
    joined = min(machine.days[0].collected_at for theirs in of_host.values() for machine in theirs) - JOINED_BEFORE

    signed_in = {
        email: User(email=email, name=name, organization_name=group, roles=roles, password=make_password(PASSWORD))
        for email, (name, group, roles) in OTHER_SIGN_INS.items()
    }
    admin = signed_in[ADMIN]
    admin.is_staff = admin.is_superuser = True
    hosts = {number: _host(number, theirs) for number, theirs in sorted(of_host.items())}
    others = [
        User(
            email=f"buyer-{number:02d}@buyers.example",
            name=f"Buyer {number:02d}",
            roles=[Role.BUYER],
            password=make_password(None),
        )
        for number in range(1, FURTHER_BUYERS + 1)
    ]
    users = [*signed_in.values(), *hosts.values(), *others]
    for user in users:
        user.signup_date = joined
        if not user.country and user.email in BILLING_DETAILS:
            user.country = BILLING_DETAILS[user.email]["country"]
    User.objects.bulk_create(users)
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )
    BillingDetails.objects.bulk_create(_details(user) for user in users if user.email in BILLING_DETAILS)
    Verification.objects.bulk_create(
        verification
        for number, theirs in sorted(of_host.items())
        if (verification := _verification(hosts[number], theirs, admin, now=now))
    )
    buyers = [signed_in[email] for email in (BUYER, BUYER2, ORGADMIN, MEMBER)] + others
    Verification.objects.bulk_create(_approved(buyer, admin, at=joined, now=now) for buyer in buyers)
    for buyer in buyers:
        ssh_keys.add_key(user=buyer, text=_public_key(), name="laptop")
    return People(admin, hosts, buyers)


def where(machines: Iterable[HostedMachine]) -> tuple[str, str]:
    """Country (ISO) and, in words, the place that most of a host's machines are at. Empty: the file does not say."""
    places = Counter((machine.newest.country, machine.newest.region) for machine in machines)
    (country, region), _ = max(places.items(), key=lambda item: (item[1], item[0]))
    return country, region or countries.name(country)


def _host(number: int, machines: list[HostedMachine]) -> User:
    country, place = where(machines)
    email = SIGN_INS_OF_HOSTS.get(number)
    return User(
        email=email or f"host-{number:03d}@hosts.example",
        name="Demo provider" if email == PROVIDER else "Second demo provider" if email == PROVIDER2 else "",
        organization_name=f"Host {number:03d}, {place}" if place else f"Host {number:03d}",
        roles=[Role.PROVIDER],
        country=country,
        password=make_password(PASSWORD if email else None),
    )


def _details(user: User) -> BillingDetails:
    details = BillingDetails(user=user, **BILLING_DETAILS[user.email])
    details.full_clean(exclude=["user"])
    return details


def _verification(host: User, machines: list[HostedMachine], admin: User, *, now: datetime) -> Verification | None:
    """Approved for a host that the source calls verified with any machine, waiting for one it has not looked at."""
    verified = [machine.newest.collected_at for machine in machines if machine.is_verified]
    unverified = [machine for machine in machines if machine.newest.verification == UNVERIFIED]
    if not verified and not unverified:
        return None
    institution = any(machine.newest.in_data_center for machine in machines)
    verification = Verification(
        user=host,
        kind=Verification.Kind.INSTITUTION if institution else Verification.Kind.INDIVIDUAL,
        legal_name=host.organization_name,
        country=host.country,
        statement="A host of hosted_machines.csv (CCIR), which does not name it.",
        submitted_at=min(machine.days[0].collected_at for machine in machines) - timedelta(hours=6),
    )
    if verified:
        verification.status = Verification.Status.APPROVED
        verification.decided_at, verification.decided_by = min(verified), admin
        verification.valid_until = now + settings.MARKETPLACE_VERIFICATION_VALID
        verification.reason = "Has verified machines in hosted_machines.csv (CCIR)."
    return verification


def _approved(buyer: User, admin: User, *, at: datetime, now: datetime) -> Verification:
    """Buyers of the demonstration book more than somebody may whom nobody has checked."""
    institution = bool(buyer.organization_name)
    return Verification(
        user=buyer,
        kind=Verification.Kind.INSTITUTION if institution else Verification.Kind.INDIVIDUAL,
        legal_name=buyer.organization_name or buyer.name,
        country=buyer.country or "DE",
        acts_as="Member" if institution else "",
        statement="Nobody: made up for the demonstration.",
        status=Verification.Status.APPROVED,
        submitted_at=at,
        decided_at=at + timedelta(hours=6),
        decided_by=admin,
        valid_until=now + settings.MARKETPLACE_VERIFICATION_VALID,
    )


def _public_key() -> str:
    """A fresh key whose private half nobody has."""
    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
