"""What the marketplace itself can say about a request to be verified, beside the papers. Nobody is refused by it."""

from collections.abc import Iterator
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts.models import BillingDetails, Verification, VerificationDocument
from accounts.verification_needs import needs_met


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``fine`` is ``None`` where there is nothing to compare with."""

    words: str | Promise
    fine: bool | None

    @property
    def tone(self) -> str:
        return {True: "good", False: "bad", None: "soft"}[self.fine]

    @property
    def verdict(self) -> str:
        return {True: _("fits"), False: _("look at this"), None: _("unknown")}[self.fine]


def checks_of(verification: Verification) -> list[Check]:
    """In the order in which an administrator asks."""
    return [*_documents(verification), *_person(verification)]


def _documents(verification: Verification) -> Iterator[Check]:
    kept = [one for one in verification.documents.all() if one.deleted_at is None]
    if kept or verification.is_open:
        for need, is_there in needs_met(verification):
            yield Check(need.words, is_there)
    digests = {one.sent_sha256 for one in verification.documents.all()}
    others = (
        VerificationDocument.objects.filter(sent_sha256__in=digests, verification__isnull=False)
        .exclude(verification__user=verification.user_id)
        .exists()
    )
    if digests:
        yield Check(_("No other account has sent the same file."), not others)


def _person(verification: Verification) -> Iterator[Check]:
    user = verification.user
    confirmed = EmailAddress.objects.filter(user=user, verified=True)
    yield Check(
        _("The account's e-mail address is confirmed: %(address)s") % {"address": user.email}, confirmed.exists()
    )
    yield Check(
        _("The country is the one in the profile: %(country)s") % {"country": user.country.name or "–"},
        user.country == verification.country if user.country else None,
    )
    billed = BillingDetails.objects.filter(user=user).first()
    yield Check(
        _("The name is the one that invoices name: %(name)s") % {"name": billed.name if billed else "–"},
        _same(billed.name, verification.legal_name) if billed else None,
    )
    named_so = Verification.objects.sent().filter(legal_name__iexact=verification.legal_name).exclude(user=user)
    yield Check(_("Nobody else has asked under this name."), not named_so.exists())


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())
