"""The append-only history of a booking: who, when, from, to, why. Words alone lose the name of somebody who is deleted."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from bookings.models.booking import Booking
from common.ids import uuid7


class BookingEvent(models.Model):
    """Something that happened to a booking, written in the transaction in which it happened."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="events", db_column="booking_id")
    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: the marketplace itself.",
    )
    what = models.CharField(max_length=200, help_text="A sentence for the timeline.")
    detail = models.TextField(blank=True)
    status_before = models.CharField(max_length=10, blank=True)
    status_after = models.CharField(max_length=10, blank=True)

    class Meta:
        db_table = "booking_events"
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["booking", "at"], name="booking_events_of_booking")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.what}"
