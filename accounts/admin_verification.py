"""The review queue: requests to be verified, the oldest first, each on one page with what there is to decide by."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.decisions import OVERRIDE_VERIFICATION, override_arguments
from accounts.models import Verification, VerificationDocument
from accounts.review import checks_of
from accounts.services import decisions
from accounts.services.verifications import ask_for_more, decide_verification
from common.administration import NOTHING, ShownAdmin, decide, linked, links_to
from common.formats import when

LINE = SafeString("<br>")
#: What can be done with a request that waits: on its own page, too.
DECISIONS = ("approve", "ask", "reject")


class ValidFilter(admin.SimpleListFilter):
    title = _("validity")
    parameter_name = "valid"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("now", _("Counts now")), ("ended", _("Has ended"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Verification]) -> QuerySet[Verification]:
        counts = Q(status=Verification.Status.APPROVED, valid_until__gt=timezone.now())
        if self.value() == "now":
            return queryset.filter(counts)
        return queryset.approved().exclude(counts) if self.value() == "ended" else queryset  # type: ignore[attr-defined]


@admin.register(Verification)
class VerificationAdmin(ShownAdmin):
    """What waits is decided in the order in which it came. What a person has not sent yet is nobody's business."""

    change_form_template = "admin/verification.html"
    ordering = ["submitted_at"]
    list_display = [
        "legal_name",
        "user_link",
        "kind",
        "country",
        "status",
        "submitted_at",
        "decided_at",
        "valid_until",
        "decider_link",
    ]
    list_filter = ["status", ValidFilter, "kind", "submitted_at"]
    list_select_related = ["user", "decided_by"]
    search_fields = ["legal_name", "user__email", "user__name", "user__organization_name"]
    date_hierarchy = "submitted_at"
    fields = [
        "legal_name",
        "kind",
        "country",
        "acts_as",
        "statement",
        "user_link",
        "documents_shown",
        "checks_shown",
        "questions_shown",
        "earlier_links",
        "status",
        "reason",
        "submitted_at",
        "decided_at",
        "decider_link",
        "valid_until",
    ]
    actions = ["approve", "ask", "reject", "turn_around"]
    user_link = linked("user")
    decider_link = linked("decided_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Verification]:
        return super().get_queryset(request).exclude(status=Verification.Status.DRAFT)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        shown = self.get_object(request, object_id)
        offered: dict[str, Any] = self.get_actions(request)
        context = {
            "can_decide": shown is not None
            and shown.status in (Verification.Status.PENDING, Verification.Status.MORE)
            and shown.user_id != request.user.pk
            and self.has_operate_permission(request),
            "decisions": [(name, words) for name, (_do, _called, words) in offered.items() if name in DECISIONS],
            "is_own": shown is not None and shown.user_id == request.user.pk,
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    # What there is to decide by.

    @admin.display(description=_("documents"))
    def documents_shown(self, row: Verification) -> SafeString | str:
        documents = row.documents.prefetch_related("openings__by")
        return format_html_join(LINE, "{}", ((_document(one),) for one in documents)) or NOTHING

    @admin.display(description=_("checks"))
    def checks_shown(self, row: Verification) -> SafeString:
        return format_html_join(
            LINE, '<b class="check {}">{}</b>: {}', ((one.tone, one.verdict, one.words) for one in checks_of(row))
        )

    @admin.display(description=_("asked and answered"))
    def questions_shown(self, row: Verification) -> SafeString | str:
        said = (
            (when(one.asked_at), one.asked_by, one.text, one.answer or _("Not answered yet."))
            for one in row.questions.select_related("asked_by")
        )
        return format_html_join(LINE, "{}, {}: {}<br>→ {}", said) or NOTHING

    @admin.display(description=_("earlier requests of this person"))
    def earlier_links(self, row: Verification) -> SafeString | str:
        return links_to(Verification.objects.sent().filter(user=row.user_id).exclude(pk=row.pk))

    # Deciding.

    @admin.action(description=_("Turn the decision around, with a second administrator…"), permissions=["operate"])
    def turn_around(self, request: HttpRequest, queryset: QuerySet[Verification]) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("user"),
            title=str(_("Turn these decisions around: a second administrator confirms it")),
            done="asked for: a second administrator confirms it",
            columns=["user_link", "kind", "country", "status", "decided_at"],
            needs_reason=True,
            service=lambda row, reason, by: decisions.ask(
                action=OVERRIDE_VERIFICATION,
                arguments=override_arguments(row, approve=not row.is_approved),
                reason=reason,
                by=by,
                now=timezone.now(),
            ),
        )

    @admin.action(description=_("Approve…"), permissions=["operate"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Verification]) -> HttpResponse | None:
        return self._decide(request, queryset, approve=True)

    @admin.action(description=_("Ask for more…"), permissions=["operate"])
    def ask(self, request: HttpRequest, queryset: QuerySet[Verification]) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("user"),
            title="Ask these people for more",
            done="asked for more",
            columns=["user_link", "kind", "country", "statement", "status"],
            needs_reason=True,
            service=lambda row, question, by: ask_for_more(
                verification=row, question=question, by=by, now=timezone.now()
            ),
        )

    @admin.action(description=_("Reject…"), permissions=["operate"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Verification]) -> HttpResponse | None:
        return self._decide(request, queryset, approve=False)

    def _decide(self, request: HttpRequest, queryset: QuerySet[Verification], *, approve: bool) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("user"),
            title="Approve these verifications" if approve else "Reject these verifications",
            done="approved" if approve else "rejected",
            columns=["user_link", "kind", "country", "statement", "status"],
            needs_reason=not approve,
            service=lambda row, reason, by: decide_verification(
                verification=row, approve=approve, by=by, reason=reason, now=timezone.now()
            ),
        )


def _document(document: VerificationDocument) -> SafeString:
    """A link that makes a fresh one of a few minutes, and who has opened it; of one that is deleted, that it was there."""
    kind = document.get_kind_display()
    if document.deleted_at is not None:
        return format_html(
            "{}: {} <small>SHA-256 {}</small>", kind, _("deleted %s") % when(document.deleted_at), document.sha256
        )
    opened = format_html_join(", ", "{} {}", ((one.by, when(one.at)) for one in document.openings.all()))
    return format_html(
        '{}: <a href="{}"{}>{}</a> ({}, {}) <small>{}: {}</small>',
        kind,
        reverse("verification_document", args=[document.pk]),
        SafeString(' target="_blank" rel="noopener noreferrer"' if document.is_image else ""),
        document.name,
        document.media_type,
        filesizeformat(document.size),
        _("opened by"),
        opened or NOTHING,
    )
