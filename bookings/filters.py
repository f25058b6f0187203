"""The browse page's query parameters: every filter is in the URL, so that a search can be shared.

``start`` and ``end`` mean the same to everybody: they carry their offset, or ``tz`` names the zone in which they were
typed (:mod:`bookings.moments`). A parameter that makes no sense is left out of the search and named in a note; it never breaks the page.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.db.models import F, Q, QuerySet
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django_countries import countries

from bookings.moments import MomentField, MomentsForm
from common.money import Currency
from machines.models import Listing, ListingQuerySet

SORTS = [
    ("price", _("Total price")),
    ("tflops", _("Price per TFLOPS")),
    ("reliability", _("Reliability")),
    ("newest", _("Newest")),
]
#: Within how many days a flexible search looks for a gap, unless it says so itself.
WITHIN_DAYS = 14
MOST_DAYS = 90
#: No window begins or ends further away than this; what does would not survive being written in another time zone.
FAR = timedelta(days=2 * 366)


@dataclass(frozen=True)
class Wish:
    """When the buyer wants it: ``start`` to ``end``, or any ``length`` that begins and ends ``within`` from now."""

    start: datetime | None = None
    end: datetime | None = None
    length: timedelta | None = None
    within: timedelta | None = None

    @property
    def duration(self) -> timedelta | None:
        return self.end - self.start if self.start and self.end else self.length


class MomentFilter(django_filters.Filter):  # type: ignore[misc]
    field_class = MomentField


class WholeNumberFilter(django_filters.NumberFilter):  # type: ignore[misc]
    field_class = forms.IntegerField


def every_country() -> list[tuple[str, str]]:
    """A function and not a list: forms copy their choices each time they are made, and there are 249 countries."""
    return list(countries)


class ListingFilter(django_filters.FilterSet):  # type: ignore[misc]
    """What a listing is. When it is free is :mod:`bookings.search`'s."""

    q = django_filters.CharFilter(method="by_words", label=_("Words"), max_length=100)
    gpu = django_filters.MultipleChoiceFilter(
        field_name="machine__gpu__slug",
        label="GPU",
        choices=[],
        error_messages={"invalid_choice": _("is not offered here.")},
    )
    gpu_count = WholeNumberFilter(
        field_name="machine__gpu_count", lookup_expr="gte", label=_("GPUs at least"), min_value=0, max_value=10_000
    )
    vram_gb = WholeNumberFilter(
        field_name="machine__gpu_memory_gb",
        lookup_expr="gte",
        label=_("Memory each, GB"),
        min_value=0,
        max_value=100_000,
    )
    ram_gb = WholeNumberFilter(
        field_name="machine__ram_gb", lookup_expr="gte", label=_("RAM, GB"), min_value=0, max_value=10_000_000
    )
    cpu = django_filters.CharFilter(method="by_cpu", label=_("CPU cores or model"), max_length=60)
    disk_gb = WholeNumberFilter(
        field_name="machine__disk_size_gb", lookup_expr="gte", label=_("Disk, GB"), min_value=0, max_value=100_000_000
    )
    country = django_filters.MultipleChoiceFilter(
        field_name="machine__country",
        label=_("Country"),
        choices=every_country,
        error_messages={"invalid_choice": _("is not the code of a country.")},
    )
    price_max = django_filters.NumberFilter(
        method="noted", label=_("At most"), min_value=0, max_value=1_000_000_000, decimal_places=2
    )
    currency = django_filters.ChoiceFilter(choices=Currency.choices, label=_("Currency"), empty_label=_("any"))
    start = MomentFilter(method="noted", label=_("Free from"))
    end = MomentFilter(method="noted", label=_("until"))
    days = django_filters.NumberFilter(
        method="noted", label=_("For days"), min_value=Decimal("0.04"), max_value=MOST_DAYS
    )
    within = django_filters.NumberFilter(method="noted", label=_("within days"), min_value=1, max_value=365)
    verified = django_filters.ChoiceFilter(
        method="by_proof",
        label=_("Proof"),
        choices=[("any", _("Also those not yet verified"))],
        empty_label=_("Verified only"),
    )
    reliability = django_filters.NumberFilter(
        method="by_reliability", label=_("Online at least, %"), min_value=0, max_value=100
    )
    sort = django_filters.ChoiceFilter(method="noted", label=_("Sort"), choices=SORTS, empty_label=None)

    class Meta:
        model = Listing
        fields: list[str] = []
        form = MomentsForm

    def __init__(self, *args: Any, gpus: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["gpu"].extra["choices"] = gpus

    def noted(self, listings: QuerySet[Listing], name: str, value: Any) -> QuerySet[Listing]:
        """Read by :mod:`bookings.search`, which knows about windows and prices."""
        return listings

    def by_words(self, listings: QuerySet[Listing], name: str, value: str) -> QuerySet[Listing]:
        for word in value.split()[:8]:
            listings = listings.filter(
                Q(machine__gpu_model__icontains=word)
                | Q(machine__cpu_model__icontains=word)
                | Q(machine__name__icontains=word)
                | Q(machine__region__icontains=word)
                | Q(machine__provider__organization_name__icontains=word)
            )
        return listings

    def by_cpu(self, listings: QuerySet[Listing], name: str, value: str) -> QuerySet[Listing]:
        """A number is the least count of cores, words are part of the model's name."""
        if value.isascii() and value.isdigit():
            return listings.filter(machine__cpu_cores__gte=min(int(value), 1_000_000))
        return listings.filter(machine__cpu_model__icontains=value)

    def by_proof(self, listings: QuerySet[Listing], name: str, value: str) -> QuerySet[Listing]:
        return listings

    def by_reliability(self, listings: QuerySet[Listing], name: str, value: Decimal) -> QuerySet[Listing]:
        """In percent, always: 1 is one of a hundred."""
        return listings.filter(machine__reliability__gte=float(value / 100))


def order(listings: ListingQuerySet, sort: str) -> ListingQuerySet:
    """Sorted, with the newest first among equals. Prices are compared within one currency."""
    keys: dict[str, list[Any]] = {
        "price": ["currency", "price"],
        "tflops": ["currency", F("price_per_tflops").asc(nulls_last=True)],
        "reliability": [F("machine__reliability").desc(nulls_last=True)],
        "newest": ["-created_at"],
    }
    return listings.order_by(*keys[sort], "-pk")


def without_nonsense(query: QueryDict, gpus: list[tuple[str, str]]) -> tuple[ListingFilter, list[str]]:
    """The filter with every parameter that can be understood, and a sentence on each that was left out."""
    data = query.copy()
    for name, values in query.lists():  # a choice that was left at "any" is none
        data.setlist(name, [value for value in values if value])
    left_out = []
    listing_filter = ListingFilter(data, Listing.objects.all(), gpus=gpus)
    for name, errors in listing_filter.form.errors.items():
        shown = ", ".join(query.getlist(name))[:60]
        left_out.append(f"{listing_filter.filters[name].label} “{shown}”: {errors[0]}")
        data.pop(name, None)
    if left_out:
        listing_filter = ListingFilter(data, Listing.objects.all(), gpus=gpus)
        listing_filter.form.is_valid()
    return listing_filter, left_out
