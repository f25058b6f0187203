"""Every change: of one's own account, and of all that concerns an organization; and what tokens did for it."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.loading import organization_of
from accounts.models import ApiToken, ApiTokenUse, Organization, User
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from common.history.export import KINDS, rows_as_file
from common.history.pages import A_PAGE, answered
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
    """Members by the names that they have among themselves: to others they may all be their institute."""

    def label_from_instance(self, obj: User) -> str:
        return obj.known_as


class WhoAndWhenForm(forms.Form):
    """What of an organization's record is asked for. Empty: all of it."""

    person = PersonField(User.objects.none(), required=False, label=_("Who"), empty_label=_("Everybody"), blank=True)
    since = forms.DateField(required=False, label=_("From"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label=_("To"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, data: object, organization: Organization) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        person = self.fields["person"]
        assert isinstance(person, forms.ModelChoiceField)
        # Those who left, too: what they did stays.
        person.queryset = (
            User.objects.filter(memberships__organization=organization).distinct().order_by("name", "email")
        )

    def asked(self) -> dict[str, Any]:
        """What is asked for; nothing of a form that makes no sense."""
        return self.cleaned_data if self.is_bound and self.is_valid() else {}


def bounds(asked: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    """From the first day's beginning to the last one's end, where the person is."""
    since, until = asked.get("since"), asked.get("until")
    return _midnight(since) if since else None, _midnight(until + timedelta(days=1)) if until else None


class AuditForm(WhoAndWhenForm):
    kind = forms.ChoiceField(required=False, label=_("What"))

    def __init__(self, data: object, organization: Organization) -> None:
        super().__init__(data, organization)
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        about = [(one.label, capfirst(one.words)) for one in kinds() if one.organization]
        kind.choices = [("", _("Everything")), *about]


class TokenUsesForm(WhoAndWhenForm):
    token = forms.ModelChoiceField(ApiToken.objects.none(), required=False, label=_("Token"), empty_label=_("All"))

    def __init__(self, data: object, organization: Organization) -> None:
        super().__init__(data, organization)
        token = self.fields["token"]
        assert isinstance(token, forms.ModelChoiceField)
        token.queryset = organization.api_tokens.order_by("name", "created_at")


@never_cache
@login_required
@require_GET
def organization_history(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    """The audit page: the organization, its members, policy, projects, budgets, approvals, bookings, machines, keys."""
    organization, powers = organization_of(request, pk, OrganizationAction.SEE_HISTORY)
    form = AuditForm(request.GET or None, organization)
    asked = form.asked()
    since, until = bounds(asked)
    history = History(
        scopes_of_organization(organization),
        request.user,
        person=asked["person"].pk if asked.get("person") else None,
        kind=asked.get("kind", ""),
        since=since,
        until=until or timezone.now(),
    )
    context = {"organization": organization, "powers": powers, "form": form}
    name = f"organization-{organization.pk}"
    return answered(request, history, template="organizations/history.html", name=name, context=context)


#: Of a use of a token, in files.
USE_COLUMNS = ("at", "token", "token_id", "who", "who_id", "method", "path", "status", "address")


@never_cache
@login_required
@require_GET
def organization_token_uses(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    """The other half of the audit page: each request of a program with a token that acts for the organization."""
    organization, powers = organization_of(request, pk, OrganizationAction.SEE_HISTORY)
    form = TokenUsesForm(request.GET or None, organization)
    asked = form.asked()
    since, until = bounds(asked)
    wanted = {
        "token__user": asked.get("person"),
        "token": asked.get("token"),
        "at__gte": since,
        "at__lt": until,
    }
    uses = ApiTokenUse.objects.of_organization(organization).filter(**{path: of for path, of in wanted.items() if of})
    kind = request.GET.get("as", "")
    if kind in KINDS:
        rows = _as_rows(uses.iterator(chunk_size=1000))
        return rows_as_file(USE_COLUMNS, rows, name=f"organization-{pk}-tokens", kind=kind)
    page = Paginator(uses, A_PAGE).get_page(request.GET.get("page"))
    context = {"organization": organization, "powers": powers, "form": form, "page": page}
    return render(request, "organizations/token_uses.html", context)


def _as_rows(uses: Iterator[ApiTokenUse]) -> Iterator[dict[str, str]]:
    for use in uses:
        yield {
            "at": use.at.isoformat(),
            "token": use.token.name,
            "token_id": str(use.token_id),
            "who": use.token.user.known_as,
            "who_id": str(use.token.user_id),
            "method": use.method,
            "path": use.path,
            "status": str(use.status),
            "address": use.address or "",
        }


def _midnight(day: date) -> datetime:
    """Where the person is."""
    return timezone.make_aware(datetime.combine(day, time.min))
