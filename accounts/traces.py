"""What tells who somebody is: everywhere, and in rows that are about them."""

import unicodedata

from allauth.account.models import EmailAddress
from django.apps import apps
from django.db.models import Model, QuerySet

from accounts import privacy
from accounts.models import BillingDetails, BillingKind, SSHKey, User, Verification
from accounts.scrubbing import Traces
from common.history.tracking import kind_of
from common.languages import is_in_our_texts


def addresses_of(person: User) -> set[str]:
    """Their addresses of e-mail, as they were written and in small letters. One that nobody confirmed may be anybody's."""
    theirs = dict(EmailAddress.objects.filter(user=person).values_list("email", "verified"))
    found = {address for address, is_confirmed in theirs.items() if is_confirmed}
    if theirs.get(person.email, True):
        found.add(person.email)
    return found | {address.lower() for address in found}


def traces_of(person: User) -> Traces:
    """What in others' texts can mean nobody else: addresses of e-mail, keys, and names of two words or more.

    Names of one word, companies, streets and VAT ids are words of the language or others' as well, and so is a name that
    somebody else bears, or that is a phrase in a text of ours: they stay. So does what anybody may type who knows it:
    addresses that were not confirmed, and keys that somebody else has had here.
    """
    return Traces.among(addresses_of(person) | _full_names(person) | _keys(person))


def without_names_of_things(traces: Traces) -> Traces:
    """The traces but those that stand in the name of something that others know by it, as a machine or a project."""
    named = {label: columns for room in privacy.rooms() for label, columns in room.names.items()}
    rows = [
        (apps.get_model(label)._base_manager.all(), column) for label, columns in named.items() for column in columns
    ]
    return Traces(frozenset(word for word in traces.words if not _stands_in(word, rows)))


def words_of(person: User) -> set[str]:
    """Every word that is theirs where it stands in a row about them."""
    found = {person.name, person.organization_name, *addresses_of(person), *person.name.split()}
    found |= {*EmailAddress.objects.filter(user=person).values_list("email", flat=True)}
    found |= {*Verification.objects.filter(user=person).values_list("legal_name", flat=True)}
    for details in BillingDetails.objects.filter(user=person):
        found |= {details.name, *details.name.split(), details.street, details.invoice_email, details.vat_id}
    return found - {""}


def _keys(person: User) -> set[str]:
    kept = kind_of(SSHKey)
    found = set()
    for key in SSHKey.objects.filter(user=person):
        others = [SSHKey.objects.exclude(user=person)]
        if kept is not None:
            others.append(kept.changes.objects.exclude(user=person.pk))
        if not any(rows.filter(fingerprint=key.fingerprint).exists() for rows in others):
            found |= {key.public_key, key.fingerprint}
    return found


def _full_names(person: User) -> set[str]:
    """Of a human being, in two words or more, and no part of anybody else's; nor what we write ourselves."""
    checked = Verification.objects.filter(user=person, kind=Verification.Kind.INDIVIDUAL)
    billed = BillingDetails.objects.filter(user=person, kind=BillingKind.INDIVIDUAL)
    found = {person.name, *checked.values_list("legal_name", flat=True), *billed.values_list("name", flat=True)}
    others = User.objects.exclude(pk=person.pk)
    borne = [
        (others, "name"),
        (others, "organization_name"),
        (BillingDetails.objects.exclude(user=person), "name"),
        (Verification.objects.exclude(user=person), "legal_name"),
    ]
    names = {name for name in found if len(name.split()) > 1 and _is_of_letters(name)}
    return {name for name in names if not _stands_in(name, borne) and not is_in_our_texts(name)}


def _is_of_letters(name: str) -> bool:
    """As names of people are. What has other signs may have been chosen for what it does to a text."""
    return all(sign in " '’.-" or unicodedata.category(sign)[0] in "LM" for sign in name)


def _stands_in(word: str, rows: "list[tuple[QuerySet[Model], str]]") -> bool:
    return any(found.filter(**{f"{column}__contains": word}).exists() for found, column in rows)
