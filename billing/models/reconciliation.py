"""What a comparison with the payment processor found."""

from django.db import models
from django.utils import timezone

from common.ids import uuid7


class Reconciliation(models.Model):
    """One comparison of our rows with the processor's objects, both ways."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    began_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    since = models.DateTimeField(null=True, blank=True, help_text="Objects from then on; empty: all of them.")
    compared = models.JSONField(default=dict, blank=True, help_text="How many of each kind were compared.")
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        db_table = "reconciliations"
        ordering = ["-began_at"]

    def __str__(self) -> str:
        return f"{self.began_at:%Y-%m-%d %H:%M} UTC"


class DifferenceQuerySet(models.QuerySet["Difference"]):
    def newest(self) -> "DifferenceQuerySet":
        """Those of the newest comparison that was finished: what is still so."""
        finished = Reconciliation.objects.filter(finished_at__isnull=False).order_by("-began_at")
        return self.filter(reconciliation=models.Subquery(finished.values("pk")[:1]))


class Difference(models.Model):
    """Something on which our rows and the processor's objects do not agree."""

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.CASCADE, related_name="differences")
    kind = models.CharField(max_length=40)
    ours = models.CharField(max_length=100, blank=True, help_text="Our row's id.")
    theirs = models.CharField(max_length=100, blank=True, help_text="The processor's id.")
    what = models.CharField(max_length=500)

    objects = DifferenceQuerySet.as_manager()

    class Meta:
        db_table = "reconciliation_differences"
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.what
