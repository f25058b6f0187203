"""What a person has paid and got back: the list, and all of one payment's history."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from accounts.requests import AuthenticatedRequest
from billing.history import steps
from billing.models import Payment
from billing.receipts import receipt_of


@login_required
@require_GET
def payment_list(request: AuthenticatedRequest) -> HttpResponse:
    """Everything that a person has paid and got back."""
    found = (
        Payment.objects.filter(payer=request.user)
        .select_related("booking__machine", "charge")
        .prefetch_related("refunds", "chargebacks")
        .order_by("-timestamp")
    )
    page = Paginator(found, 25).get_page(request.GET.get("page"))
    return render(request, "billing/payment_list.html", {"page": page})


@login_required
@require_GET
def payment_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """All of a payment's history: attempts, refunds, chargebacks, invoices; for administrators the ledger too."""
    is_admin = request.user.is_platform_administrator
    seen = Q() if is_admin else Q(payer=request.user)
    payment = get_object_or_404(
        Payment.objects.filter(seen)
        .select_related("booking__machine", "booking__buyer", "charge", "payer", "provider")
        .prefetch_related("refunds", "chargebacks"),
        pk=pk,
    )
    context = {
        "payment": payment,
        "booking": payment.booking,
        "steps": steps(payment),
        "receipt": receipt_of(payment) if payment.is_paid else None,
        "others": payment.charge.payments.exclude(pk=pk).order_by("timestamp"),
        "invoices": payment.invoices.order_by("issued_at", "sequence"),
        "postings": payment.postings.order_by("at", "pk").prefetch_related("entries__account__owner")
        if is_admin
        else [],
    }
    return render(request, "billing/payment_detail.html", context)
