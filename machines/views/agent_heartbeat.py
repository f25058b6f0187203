"""``POST /agent/v1/heartbeat``: the request that comes more often than all others together."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from agent import VERSION
from common.addresses import address_of
from machines.services import heartbeats
from machines.services.errors import AgentRefused
from machines.views.agent_api import answering, body_of, stamp

#: Many times what a heartbeat of a server with 64 GPUs takes.
MOST_BYTES = 64 * 1024


@answering
@require_POST
def agent_heartbeat(request: HttpRequest) -> HttpResponse:
    """An agent is alive. Its token is looked up by the very statement that writes down what it says."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise AgentRefused("unauthorized", "A token is missing.", status=401, kept=False)
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
        raise AgentRefused("too_large", f"At most {MOST_BYTES} bytes.", status=413, kept=False)
    now = timezone.now()
    beat = heartbeats.beat(token=token, body=body_of(request), address=address_of(request), now=now)
    return JsonResponse(
        {
            "server_time": stamp(now),
            "work": beat.work,
            "rotate": beat.rotate,
            "latest_version": VERSION,
            "heartbeat_seconds": int(settings.MARKETPLACE_AGENT_HEARTBEAT.total_seconds()),
        }
    )
