"""Hearing from the payment processor."""

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import gateway
from billing.services import webhooks
from common.queue import soon


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Check the signature, store once, answer 200; the rest is a task's. What we do not know is 200 too."""
    try:
        event = gateway.verified_event(request.body, request.headers.get("Stripe-Signature", ""))
    except ValueError as error:
        return HttpResponseBadRequest(str(error))
    row = webhooks.store_event(event, now=timezone.now())
    if row is not None:
        soon("billing.tasks.process_webhook", str(row.pk))
    return HttpResponse(status=200)
