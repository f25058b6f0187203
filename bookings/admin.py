"""Bookings and what happened to them, as platform administrators see them: looked at, never edited."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bookings.models import Access, Booking, BookingEvent, Charge, DataWipe, ErasureCertificate, WipeEvidence
from common import formats
from common.administration import ShownAdmin, ShownInline, link_to, linked, links_to


class EventInline(ShownInline):
    model = BookingEvent
    fields = ["at", "what", "detail", "status_before", "status_after", "actor_link"]
    actor_link = linked("actor")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BookingEvent]:
        return super().get_queryset(request).select_related("actor")


@admin.display(description="recorded by")
def recorder(wipe: DataWipe) -> SafeString | str:
    """A person, or the machine itself."""
    return link_to(wipe.signed, "by the agent, signed") if wipe.signed else link_to(wipe.recorded_by)


class WipeInline(ShownInline):
    model = DataWipe
    fields = ["timestamp", "method", "status", "evidence_name", "evidence_sha256", "note", "recorder_link"]
    recorder_link = staticmethod(recorder)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DataWipe]:
        return super().get_queryset(request).select_related("recorded_by", "signed")


class AccessInline(ShownInline):
    model = Access
    fields = ["command", "host_key_fingerprint", "note", "ready_at"]


class StageFilter(admin.SimpleListFilter):
    title = "stage"
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("unpaid", "Held, not paid"), ("confirmed", "Paid, not begun"), ("wipe", "Waits for its wipe")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "unpaid":
            return queryset.unpaid_holds()
        if self.value() == "confirmed":
            return queryset.confirmed()
        return queryset.awaiting_wipe() if self.value() == "wipe" else queryset


class ChargeInline(ShownInline):
    model = Charge
    fields = ["number", "kind", "status", "covers_from", "covers_until", "amount", "currency", "due_at", "paid_at"]


@admin.register(Charge)
class ChargeAdmin(ShownAdmin):
    list_display = ["created_at", "booking_link", "number", "kind", "status", "money", "due_at", "paid_at"]
    list_filter = ["status", "kind", "currency", "due_at"]
    list_select_related = ["booking"]
    search_fields = ["id", "booking__id", "booking__buyer__email"]
    date_hierarchy = "due_at"
    fields = [
        "id",
        "booking_link",
        "number",
        "kind",
        "status",
        "money",
        "covers_from",
        "covers_until",
        "created_at",
        "due_at",
        "expires_at",
        "paid_at",
        "dropped_at",
        "dropped_because",
        "payment_links",
    ]
    booking_link = linked("booking")

    @admin.display(description="amount", ordering="amount")
    def money(self, charge: Charge) -> str:
        return formats.money(charge.amount, charge.currency)

    @admin.display(description="payments")
    def payment_links(self, charge: Charge) -> SafeString | str:
        return links_to(charge.payments.all())


@admin.register(Booking)
class BookingAdmin(ShownAdmin):
    list_display = ["reference", "state", "machine_link", "buyer_link", "provider_link", "start", "end", "price"]
    list_filter = [StageFilter, "status", "currency", "start"]
    list_select_related = ["machine__provider", "buyer"]
    search_fields = ["id", "buyer__email", "buyer__name", "machine__name", "machine__provider__email"]
    date_hierarchy = "start"
    inlines = [ChargeInline, EventInline, WipeInline, AccessInline]
    fields = [
        "id",
        "state",
        "status",
        "machine_link",
        "listing_link",
        "buyer_link",
        "provider_link",
        "start",
        "end",
        "blocked_until",
        "price",
        "quote",
        "tax_kind",
        "tax_rate",
        "purchase_order",
        "cost_centre",
        "payment_links",
        "cancellation_terms",
        "created_at",
        "hold_expires_at",
        "paid_at",
        "started_at",
        "wipe_opened_at",
        "wiped_at",
        "completed_at",
        "canceled_at",
        "delay_told_at",
        "access_kind",
        "passport",
        "mismatch",
        "left_at",
        "booked_end",
        "late_minutes",
        "down_minutes",
        "lost_amount",
        "settled_at",
        "ended_early_at",
        "paid_minutes",
        "unused_amount",
    ]
    machine_link = linked("machine")
    listing_link = linked("listing")
    buyer_link = linked("buyer")
    provider_link = linked("machine__provider")

    @admin.display(description="state", ordering="status")
    def state(self, booking: Booking) -> str:
        return booking.state_label

    @admin.display(description="price", ordering="price_total")
    def price(self, booking: Booking) -> str:
        return formats.money(booking.price_total, booking.currency)

    @admin.display(description="quote")
    def quote(self, booking: Booking) -> str:
        return ", ".join(
            f"{line['quantity']} × {line['unit']} at {formats.money(line['rate'], booking.currency)}"
            for line in booking.lines()
        )

    @admin.display(description="payments")
    def payment_links(self, booking: Booking) -> SafeString | str:
        return links_to(booking.payments.all())


@admin.register(BookingEvent)
class BookingEventAdmin(ShownAdmin):
    list_display = ["at", "booking_link", "what", "detail", "status_before", "status_after", "actor_link"]
    list_filter = ["status_after", "at"]
    list_select_related = ["booking", "actor"]
    search_fields = ["what", "detail", "booking__id", "actor__email"]
    date_hierarchy = "at"
    fields = ["at", "booking_link", "what", "detail", "status_before", "status_after", "actor_link"]
    booking_link = linked("booking")
    actor_link = linked("actor")


@admin.register(DataWipe)
class DataWipeAdmin(ShownAdmin):
    list_display = ["timestamp", "machine_link", "booking_link", "method", "status", "recorder_link", "recorded_at"]
    list_filter = ["status", "method", "timestamp"]
    list_select_related = ["machine", "booking", "recorded_by", "signed"]
    search_fields = ["machine__name", "booking__id", "evidence_sha256", "recorded_by__email"]
    date_hierarchy = "timestamp"
    fields = [
        "machine_link",
        "booking_link",
        "method",
        "status",
        "timestamp",
        "evidence_name",
        "evidence_sha256",
        "note",
        "recorder_link",
        "recorded_at",
    ]
    machine_link = linked("machine")
    booking_link = linked("booking")
    recorder_link = staticmethod(recorder)


@admin.register(WipeEvidence)
class WipeEvidenceAdmin(ShownAdmin):
    list_display = [
        "received_at",
        "machine_link",
        "agent_link",
        "booking_link",
        "is_complete",
        "is_simulated",
        "sha256",
    ]
    list_filter = ["is_complete", "is_simulated", "received_at"]
    list_select_related = ["machine", "agent__machine", "agent__node", "booking"]
    search_fields = ["id", "sha256", "machine__name", "booking__id", "agent__id", "agent__fingerprint"]
    date_hierarchy = "received_at"
    fields = [
        "id",
        "booking_link",
        "machine_link",
        "agent_link",
        "work_link",
        "certificate_links",
        "is_complete",
        "is_simulated",
        "started_at",
        "finished_at",
        "received_at",
        "agent_version",
        "document_name",
        "sha256",
        "signature",
        "logs_name",
        "logs_sha256",
    ]
    booking_link = linked("booking")
    machine_link = linked("machine")
    agent_link = linked("agent")
    work_link = linked("work")

    @admin.display(description="certificate")
    def certificate_links(self, evidence: WipeEvidence) -> SafeString | str:
        return links_to(evidence.certificates.select_related("booking"))

    @admin.display(description="document")
    def document_name(self, evidence: WipeEvidence) -> str:
        return str(evidence.document.name)

    @admin.display(description="logs")
    def logs_name(self, evidence: WipeEvidence) -> str:
        return str(evidence.logs.name)


@admin.register(ErasureCertificate)
class ErasureCertificateAdmin(ShownAdmin):
    list_display = ["issued_at", "booking_link", "machine_link", "is_simulated", "sha256", "public_check"]
    list_filter = ["is_simulated", "issued_at"]
    list_select_related = ["booking__machine"]
    search_fields = ["id", "sha256", "booking__id", "booking__machine__name"]
    date_hierarchy = "issued_at"
    fields = [
        "id",
        "booking_link",
        "machine_link",
        "evidence_links",
        "public_check",
        "is_simulated",
        "issued_at",
        "sha256",
        "document",
        "signature",
        "platform_key",
    ]
    booking_link = linked("booking")
    machine_link = linked("booking__machine")

    @admin.display(description="evidence")
    def evidence_links(self, certificate: ErasureCertificate) -> SafeString | str:
        return links_to(certificate.evidence.select_related("agent__machine", "agent__node"))

    @admin.display(description="public check")
    def public_check(self, certificate: ErasureCertificate) -> SafeString:
        return format_html('<a href="{}">check it</a>', reverse("erasure_check", args=[certificate.pk]))


@admin.register(Access)
class AccessAdmin(ShownAdmin):
    list_display = ["command", "booking_link", "host_key_fingerprint", "ready_at"]
    list_select_related = ["booking"]
    search_fields = ["host", "username", "booking__id", "host_key_fingerprint"]
    date_hierarchy = "ready_at"
    fields = ["booking_link", "command", "host_key_fingerprint", "note", "ready_at"]
    booking_link = linked("booking")
