"""What tells who somebody is: everywhere, and in rows that are about them."""

from allauth.account.models import EmailAddress

from accounts.models import BillingDetails, BillingKind, Organization, SSHKey, User, Verification
from accounts.scrubbing import Traces


def addresses_of(person: User) -> set[str]:
    """Their addresses of e-mail, as they were written and in small letters."""
    found = {person.email, *EmailAddress.objects.filter(user=person).values_list("email", flat=True)}
    return found | {address.lower() for address in found}


def traces_of(person: User) -> Traces:
    """What in others' texts can mean nobody else: addresses of e-mail, keys, and names of two words or more.

    Names of one word, companies, streets and VAT ids are words of the language or others' as well, and so is a name that
    somebody else bears: they stay.
    """
    found = addresses_of(person) | _invoice_addresses(person) | _full_names(person)
    for key in SSHKey.objects.filter(user=person):
        found |= {key.public_key, key.fingerprint}
    return Traces.among(found)


def words_of(person: User) -> set[str]:
    """Every word that is theirs where it stands in a row about them."""
    found = {person.name, person.organization_name, *addresses_of(person), *person.name.split()}
    found |= {*Verification.objects.filter(user=person).values_list("legal_name", flat=True)}
    for details in BillingDetails.objects.filter(user=person):
        found |= {details.name, *details.name.split(), details.street, details.invoice_email, details.vat_id}
    return found - {""}


def _invoice_addresses(person: User) -> set[str]:
    mine = {*BillingDetails.objects.filter(user=person).values_list("invoice_email", flat=True)} - {""}
    others = BillingDetails.objects.exclude(user=person).filter(invoice_email__in=mine)
    accounts = EmailAddress.objects.exclude(user=person).filter(email__in={address.lower() for address in mine})
    theirs = {*others.values_list("invoice_email", flat=True), *accounts.values_list("email", flat=True)}
    return {address for address in mine if address not in theirs and address.lower() not in theirs}


def _full_names(person: User) -> set[str]:
    """Of a human being, in two words or more, and nobody else's."""
    checked = Verification.objects.filter(user=person, kind=Verification.Kind.INDIVIDUAL)
    billed = BillingDetails.objects.filter(user=person, kind=BillingKind.INDIVIDUAL)
    found = {person.name, *checked.values_list("legal_name", flat=True), *billed.values_list("name", flat=True)}
    names = {name for name in found if len(name.split()) > 1}
    others = User.objects.exclude(pk=person.pk)
    for rows, column in (
        (others, "name"),
        (others, "organization_name"),
        (Organization.objects.all(), "name"),
        (BillingDetails.objects.exclude(user=person), "name"),
    ):
        names -= {*rows.filter(**{f"{column}__in": names}).values_list(column, flat=True)}
    return names
