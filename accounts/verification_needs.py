"""What a request to be verified has to consist of. One table: the guided form shows it, sending checks it."""

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import DocumentKind, Verification

Kind = Verification.Kind
Shows = DocumentKind


@dataclass(frozen=True)
class Need:
    """One document at least of these kinds."""

    kinds: frozenset[str]
    words: str | Promise


IDENTITY = Need(
    frozenset({Shows.IDENTITY}),
    gettext_lazy("An identity card or passport of yours: the page with your name and photo."),
)
REGISTER = Need(
    frozenset({Shows.REGISTER, Shows.REGISTER_AND_AUTHORITY}),
    gettext_lazy("An extract from the register, the statutes, or another paper that shows that it exists."),
)
AUTHORITY = Need(
    frozenset({Shows.AUTHORITY, Shows.REGISTER_AND_AUTHORITY}),
    gettext_lazy("A paper that shows that you may act for it, unless the register extract names you."),
)

NEEDS: dict[str, tuple[Need, ...]] = {Kind.INDIVIDUAL: (IDENTITY,), Kind.INSTITUTION: (REGISTER, AUTHORITY)}
#: The kinds of documents that its person can choose between, the usual one first.
KINDS: dict[str, tuple[DocumentKind, ...]] = {
    Kind.INDIVIDUAL: (Shows.IDENTITY, Shows.OTHER),
    Kind.INSTITUTION: (Shows.REGISTER, Shows.AUTHORITY, Shows.REGISTER_AND_AUTHORITY, Shows.IDENTITY, Shows.OTHER),
}


def needs_met(verification: Verification) -> list[tuple[Need, bool]]:
    """What documents are needed, and of each whether it is there."""
    there = {document.kind for document in verification.documents.all() if document.deleted_at is None}
    return [(need, is_met(need, there)) for need in NEEDS[verification.kind]]


def is_met(need: Need, there: Collection[str]) -> bool:
    return bool(need.kinds.intersection(there))


def missing(verification: Verification) -> list[str]:
    """What still has to be added before it can be sent, in words. Empty: nothing."""
    lacks = []
    written = [verification.legal_name, verification.country.code, verification.statement]
    if verification.is_institution:
        written.append(verification.acts_as)
    if not all(written):
        lacks.append(_("Say who you are, in the second step."))
    lacks += [
        _("A document is missing: %(what)s") % {"what": need.words}
        for need, is_there in needs_met(verification)
        if not is_there
    ]
    return lacks
