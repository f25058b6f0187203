"""Which SSH keys are let in on a booking."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.lookups import IsNull

from accounts.models import SSHKey
from accounts.permissions import OrganizationAction, memberships_for
from common.ids import uuid7


class KeyChoice(models.Model):
    """The keys of theirs that a buyer wants to have let in on a booking. Without a choice all of them are.

    One that is made stays made: keys that the buyer adds to the account later are not let in by it, and when the last
    chosen key is removed from the account, none of the buyer's is.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.OneToOneField("bookings.Booking", on_delete=models.CASCADE, related_name="key_choice")
    keys = models.ManyToManyField(SSHKey, related_name="+", blank=True)
    counts_from = models.DateTimeField(
        help_text="From when on the buyer could be let in by it: when it was made, if nobody could before."
    )
    chosen_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        db_table = "booking_key_choices"

    def __str__(self) -> str:
        return f"{self.keys.count()} keys of {self.booking}"


def let_in(*, booking: Any, buyer: Any, organization: Any) -> QuerySet[SSHKey]:
    """The keys for a booking, in the order in which agents are told of them: the buyer's and its organization's.

    The arguments are ids, or all three ``OuterRef`` for a subquery. A key that both have is the organization's. The buyer's
    own are let in for as long as they may book for it: not those of somebody who has left, or has another role by now.
    """
    chosen = KeyChoice.objects.filter(booking=_within(booking))
    theirs = Q(user=buyer) & _may_book(buyer, organization)
    theirs &= ~Exists(chosen) | Exists(chosen.filter(keys=OuterRef("pk")))
    # Not just organization=…: to None that would be every person's keys.
    shared = Q(organization__isnull=False, organization=organization)
    twice = SSHKey.objects.filter(
        organization__isnull=False, organization=_within(organization), fingerprint=OuterRef("fingerprint")
    )
    return SSHKey.objects.filter(shared | theirs & ~Exists(twice)).order_by("created_at", "pk")


def _may_book(buyer: Any, organization: Any) -> Q:
    if organization is None:
        return Q()
    allowing = memberships_for(OrganizationAction.BOOK)
    may = Q(Exists(allowing.filter(user=_within(buyer), organization=_within(organization))))
    return Q(IsNull(organization, True)) | may if isinstance(organization, OuterRef) else may


def _within(value: Any) -> Any:
    """The same value in a query one level further in."""
    return OuterRef(value) if isinstance(value, OuterRef) else value
