"""Every change: of one's own account, and of all that concerns an organization."""

from datetime import datetime, time, timedelta
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.loading import organization_of
from accounts.models import Organization, User
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from common.history.pages import answered
from common.history.reading import History, scope_of, scopes_around, scopes_of_organization
from common.history.tracking import kinds

#: The times that administrators looked at somebody's account, shown on their page.
ACTINGS = 20


@never_cache
@login_required
@require_GET
def own_history(request: AuthenticatedRequest) -> HttpResponseBase:
    """Of one's roles, verification, billing details, keys, tokens and accounts; and who has looked at it."""
    scopes = [scope_of(request.user), *scopes_around(request.user, "user")]
    history = History(scopes, request.user, until=timezone.now())
    context = {"actings": request.user.looked_at.all()[:ACTINGS]}
    return answered(request, history, template="accounts/history.html", name="account", context=context)


class PersonField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """People by the names that others know them by."""

    def label_from_instance(self, obj: User) -> str:
        return obj.public_name


class AuditForm(forms.Form):
    """What of an organization's history is asked for. Empty: all of it."""

    person = PersonField(User.objects.none(), required=False, label=_("Who"), empty_label=_("Everybody"), blank=True)
    kind = forms.ChoiceField(required=False, label=_("What"))
    since = forms.DateField(required=False, label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label=_("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: object, organization: Organization) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        person, kind = self.fields["person"], self.fields["kind"]
        assert isinstance(person, forms.ModelChoiceField)
        assert isinstance(kind, forms.ChoiceField)
        # Those who left, too: what they did stays.
        person.queryset = (
            User.objects.filter(memberships__organization=organization).distinct().order_by("name", "email")
        )
        about = [(one.label, capfirst(one.words)) for one in kinds() if one.organization]
        kind.choices = [("", _("Everything")), *about]


@never_cache
@login_required
@require_GET
def organization_history(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    """The audit page: the organization, its members, policy, projects, budgets, approvals, bookings, machines, keys."""
    organization, powers = organization_of(request, pk, OrganizationAction.SEE_HISTORY)
    form = AuditForm(request.GET or None, organization)
    asked = form.cleaned_data if form.is_bound and form.is_valid() else {}
    until = asked.get("until")
    history = History(
        scopes_of_organization(organization),
        request.user,
        person=asked["person"].pk if asked.get("person") else None,
        kind=asked.get("kind", ""),
        since=_midnight(asked["since"]) if asked.get("since") else None,
        until=_midnight(until + timedelta(days=1)) if until else timezone.now(),
    )
    context = {"organization": organization, "powers": powers, "form": form}
    name = f"organization-{organization.pk}"
    return answered(request, history, template="organizations/history.html", name=name, context=context)


def _midnight(day: datetime) -> datetime:
    """Where the person is."""
    return timezone.make_aware(datetime.combine(day, time.min))
