"""The ledger, chargebacks and reconciliation, as platform administrators see them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.models import (
    Chargeback,
    ChargebackState,
    Difference,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Reconciliation,
)
from billing.services.reconcile import EVERY_DAY
from common import formats
from common.administration import ShownAdmin, ShownInline, link_to, linked, links_to
from common.queue import soon

NEWEST = 50

#: What a person does about a chargeback, by its state.
TO_DO = {
    ChargebackState.INQUIRY: "The bank only asks: nothing has been taken. Answer it in the processor's dashboard with "
    "the evidence below, or give the money back there, which ends it.",
    ChargebackState.OPEN: "The money is with the bank. Hand the evidence below in at the processor's dashboard before "
    "the day given here, or accept the loss there. What the provider earned waits meanwhile.",
    ChargebackState.WON: "Nothing: the money is back, and payouts go on.",
    ChargebackState.LOST: "Nothing more can be had from the bank. What had been earned was taken back, and the buyer has "
    "a credit note. Look whether this buyer is still welcome.",
    ChargebackState.CLOSED: "Nothing: the question was closed, and no money was taken.",
}


def _movement(amount: Any, currency: str) -> str:
    side = "debit" if amount > 0 else "credit"
    return f"{formats.money(abs(amount), currency)} {side}"


class EntryInline(ShownInline):
    model = LedgerEntry
    fields = ["account_link", "debit", "credit", "booking_link"]
    show_change_link = False
    account_link = linked("account")
    booking_link = linked("booking")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("account__owner", "booking")

    @admin.display(description="debit")
    def debit(self, entry: LedgerEntry) -> str:
        return formats.money(entry.amount, entry.currency) if entry.amount > 0 else ""

    @admin.display(description="credit")
    def credit(self, entry: LedgerEntry) -> str:
        return formats.money(-entry.amount, entry.currency) if entry.amount < 0 else ""


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ShownAdmin):
    """Accounts with their balances: debits less credits."""

    list_display = ["kind", "owner_link", "currency", "balance", "entry_count", "created_at"]
    list_filter = ["kind", "currency"]
    list_select_related = ["owner"]
    search_fields = ["id", "owner__email", "owner__name", "owner__organization_name"]
    fields = ["id", "kind", "owner_link", "currency", "balance", "entry_count", "created_at", "newest_entries"]
    owner_link = linked("owner")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(total=Sum("entries__amount"), count=Count("entries"))

    @admin.display(description="balance", ordering="total")
    def balance(self, account: Any) -> str:
        return _movement(account.total, account.currency) if account.total else formats.money(0, account.currency)

    @admin.display(description="entries", ordering="count")
    def entry_count(self, account: Any) -> Any:
        return account.count

    @admin.display(description="newest entries")
    def newest_entries(self, account: LedgerAccount) -> SafeString | str:
        entries = account.entries.select_related("transaction").order_by("-id")[:NEWEST]
        return _lines((link_to(e.transaction), _movement(e.amount, e.currency)) for e in entries)


def _lines(pairs: Any) -> SafeString | str:
    rows = [format_html("{}: {}", first, second) for first, second in pairs]
    return SafeString("<br>").join(rows) if rows else formats.NOTHING


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ShownAdmin):
    """What was posted, with both its sides. Never changed: a mistake is put right by another transaction."""

    list_display = ["at", "kind", "booking_link", "payment_link", "about", "key"]
    list_filter = ["kind", "at"]
    list_select_related = ["booking", "payment", "refund", "chargeback", "payout", "subscription_payment"]
    search_fields = ["id", "key", "booking__id", "payment__id", "payment__stripe_payment_intent"]
    date_hierarchy = "at"
    inlines = [EntryInline]
    fields = ["id", "at", "kind", "key", "booking_link", "payment_link", "about", "note"]
    booking_link = linked("booking")
    payment_link = linked("payment")

    @admin.display(description="about")
    def about(self, posted: LedgerTransaction) -> SafeString | str:
        return link_to(posted.refund or posted.chargeback or posted.payout or posted.subscription_payment)


class UndecidedFilter(admin.SimpleListFilter):
    """The states, and *undecided*, to which the first page of the administration links."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("undecided", "Undecided"), *ChargebackState.choices]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "undecided":
            return queryset.undecided()
        return queryset.filter(state=self.value()) if self.value() else queryset


class NewestFilter(admin.SimpleListFilter):
    title = "run"
    parameter_name = "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("newest", "The newest")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.newest() if self.value() == "newest" else queryset


@admin.register(Chargeback)
class ChargebackAdmin(ShownAdmin):
    """What banks ask and take back, what there is to do about it, and what shows that the buyer had the machine."""

    list_display = [
        "opened_at",
        "money",
        "state",
        "reason",
        "evidence_due_by",
        "payment_link",
        "booking_link",
        "buyer_link",
        "provider_link",
        "closed_at",
    ]
    list_filter = [UndecidedFilter, "currency", "reason", "opened_at"]
    list_select_related = ["payment__booking", "payment__payer", "payment__provider"]
    search_fields = ["id", "stripe_dispute", "payment__stripe_payment_intent", "payment__booking__id"]
    date_hierarchy = "opened_at"
    fields = [
        "id",
        "state",
        "to_do",
        "money",
        "reason",
        "evidence_due_by",
        "payment_link",
        "booking_link",
        "buyer_link",
        "provider_link",
        "evidence",
        "opened_at",
        "funds_taken_at",
        "closed_at",
        "posting_links",
        "credit_note_links",
        "stripe_dispute",
        "stripe_status",
    ]
    payment_link = linked("payment")
    booking_link = linked("payment__booking")
    buyer_link = linked("payment__payer", "buyer")
    provider_link = linked("payment__provider")

    @admin.display(description="amount", ordering="amount")
    def money(self, chargeback: Chargeback) -> str:
        return formats.money(chargeback.amount, chargeback.currency)

    @admin.display(description="what to do")
    def to_do(self, chargeback: Chargeback) -> str:
        return TO_DO[ChargebackState(chargeback.state)]

    @admin.display(description="evidence we hold")
    def evidence(self, chargeback: Chargeback) -> SafeString | str:
        booking = chargeback.payment.booking
        page = format_html('<a href="{}">{}</a>', reverse("booking_detail", args=[booking.pk]), booking)
        held: list[tuple[str, SafeString | str]] = [("The booking and its history", page)]
        if booking.started_at:
            held.append(("Handed over", formats.when_both(booking.started_at)))
        access = getattr(booking, "access", None)
        if access is not None:
            held.append(("The log-in that the buyer was given", link_to(access)))
        certificate = getattr(booking, "certificate", None)
        if certificate is not None:
            held.append(("The certificate that their data was erased", link_to(certificate)))
        held += [("Invoice", link_to(invoice)) for invoice in chargeback.payment.invoices.all()]
        return _lines(held)

    @admin.display(description="in the ledger")
    def posting_links(self, chargeback: Chargeback) -> SafeString | str:
        return links_to(chargeback.postings.all())

    @admin.display(description="credit notes")
    def credit_note_links(self, chargeback: Chargeback) -> SafeString | str:
        return links_to(chargeback.invoices.order_by("issued_at", "sequence"))


@admin.register(Difference)
class DifferenceAdmin(ShownAdmin):
    list_display = ["reconciliation_link", "kind", "what", "ours", "theirs"]
    list_filter = [NewestFilter, "kind"]
    list_select_related = ["reconciliation"]
    search_fields = ["ours", "theirs", "what"]
    fields = ["reconciliation_link", "kind", "what", "ours", "theirs"]
    reconciliation_link = linked("reconciliation")


@admin.register(Reconciliation)
class ReconciliationAdmin(ShownAdmin):
    """Comparisons with the processor. One runs every day; the button on the list runs another."""

    change_list_template = "admin/reconciliations.html"
    list_display = ["began_at", "since", "finished_at", "found", "error"]
    list_filter = ["began_at"]
    search_fields = ["id"]
    date_hierarchy = "began_at"
    fields = ["id", "began_at", "since", "finished_at", "compared_shown", "error", "found", "differences_shown"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(difference_count=Count("differences"))

    def get_urls(self) -> list[URLPattern]:
        run = path("run/", self.admin_site.admin_view(self.run), name="billing_reconciliation_run")
        return [run, *super().get_urls()]

    def run(self, request: HttpRequest) -> HttpResponse:
        """Have a worker compare the last days, or with ``all`` everything."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_operate_permission(request):
            messages.error(request, "You may look at reconciliations, and not run them.")
        else:
            soon("billing.tasks.reconcile", "all" if "all" in request.POST else "")
            messages.success(request, "A worker begins it. The run appears in this list, with what it finds.")
        return redirect("admin:billing_reconciliation_changelist")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        more = {"may_run": self.has_operate_permission(request), "days": EVERY_DAY.days}
        return super().changelist_view(request, more | (extra_context or {}))

    @admin.display(description="differences", ordering="difference_count")
    def found(self, run: Any) -> SafeString | str:
        if not run.difference_count:
            return "none" if run.finished_at and not run.error else formats.NOTHING
        url = reverse("admin:billing_difference_changelist")
        return format_html('<a href="{}?reconciliation__id__exact={}">{}</a>', url, run.pk, run.difference_count)

    @admin.display(description="compared")
    def compared_shown(self, run: Reconciliation) -> SafeString | str:
        return _lines(run.compared.items())

    @admin.display(description="differences, the first of them")
    def differences_shown(self, run: Reconciliation) -> SafeString | str:
        return _lines((link_to(row, row.kind), row.what) for row in run.differences.all()[:NEWEST])
