"""How a person wants to be told."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.event_kinds import EventKind
from accounts.models.user import User


class MailWish(models.TextChoices):
    AT_ONCE = "now", _("At once")
    DIGEST = "digest", _("In the digest")
    NEVER = "off", _("Not at all")


class DigestPace(models.TextChoices):
    OFF = "off", _("No digest")
    DAILY = "daily", _("Every day")
    WEEKLY = "weekly", _("Every Monday")


class MessagePreferences(models.Model):
    """What a person has chosen. Whoever has no row, and every event that a row does not name, has the defaults.

    ``page``: ``{event: true or false}``; ``mail``: ``{event: "now", "digest" or "off"}``. Only what differs from the defaults
    is kept, so that an event whose default changes, or a new one, is told as the catalogue says.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="message_preferences")
    page = models.JSONField(default=dict, blank=True)
    mail = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=10, choices=DigestPace.choices, default=DigestPace.OFF)
    quiet_from = models.TimeField(null=True, blank=True, help_text="In the person's own time zone.")
    quiet_until = models.TimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "message_preferences"
        verbose_name = "message preferences"
        verbose_name_plural = "message preferences"
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | (Q(quiet_from__isnull=False, quiet_until__isnull=False) & ~Q(quiet_from=F("quiet_until"))),
                name="message_preferences_quiet_both",
            ),
            models.CheckConstraint(condition=Q(digest__in=DigestPace.values), name="message_preferences_digest_known"),
        ]

    def __str__(self) -> str:
        return str(self.user)

    def in_page(self, event: EventKind) -> bool:
        """Whether it is told in the page."""
        return bool(self.page.get(event.value, event.nature.page))

    def by_mail(self, event: EventKind) -> MailWish:
        """Whether its mail is sent, and when. What cannot be stopped is sent, whatever the row says."""
        usual = MailWish.AT_ONCE if event.nature.mail else MailWish.NEVER
        wish = MailWish(self.mail.get(event.value, usual))
        if event.nature.fixed or (wish == MailWish.DIGEST and not event.can_be_gathered):
            return MailWish.AT_ONCE
        return MailWish.AT_ONCE if wish == MailWish.DIGEST and self.digest == DigestPace.OFF else wish
