"""Cards that people let us keep. Their numbers stay with the processor."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.ids import uuid7


class SavedCardQuerySet(models.QuerySet["SavedCard"]):
    def kept(self) -> "SavedCardQuerySet":
        return self.filter(removed_at=None)


class SavedCard(models.Model):
    """A payment method of the person's Customer that may be charged again, also when they are not there."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="saved_cards", db_column="customer_id"
    )
    stripe_payment_method = models.CharField(max_length=80, unique=True)
    brand = models.CharField(max_length=30)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = SavedCardQuerySet.as_manager()

    class Meta:
        db_table = "saved_cards"
        ordering = ["-is_default", "-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(is_default=True, removed_at=None), name="saved_cards_one_default"
            ),
            models.CheckConstraint(condition=Q(exp_month__gte=1, exp_month__lte=12), name="saved_cards_month"),
        ]

    def __str__(self) -> str:
        return f"{self.label}, until {self.exp_month:02}/{self.exp_year % 100:02}"

    @property
    def label(self) -> str:
        """As in “Visa 4242”."""
        return f"{self.brand} {self.last4}".strip()
