"""What agents call, as ``docs/agent-protocol.md`` says. JSON in, JSON out; no sessions, no cookies."""

import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import wraps
from time import monotonic, sleep
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST
from redis.exceptions import RedisError

from agent import VERSION
from common import platform_key
from common.addresses import address_of
from common.files import StorageAway
from common.history.facts import recorded
from common.rates import TooManyRequests, spend
from machines.models import Agent, Work
from machines.services import enrollment, messages, reporting, waking, work
from machines.services.errors import AgentRefused, MachineError
from machines.services.messages import MOMENT, malformed

#: The longest that an agent is kept waiting for work.
LONGEST_WAIT = 20
MOST_HAD = 100
#: What one request of a measurement of the network may carry, and how often.
MOST_SPEED_BYTES = 64 * 1024 * 1024
SPEED_RATE = "8/minute"
#: Measurements at a time in one web process: each keeps a thread for as long as the other side likes.
SPEED_PLACES = 2
#: Signed messages that are kept for good though nobody asked for them.
UNASKED_RATE = "30/hour"
CHUNK = 64 * 1024
#: Bytes that do not compress: made once, they only have to keep a line busy.
NOISE = secrets.token_bytes(CHUNK)

#: Places for agents that wait: each keeps a thread of this process.
_places = threading.BoundedSemaphore(settings.MARKETPLACE_AGENT_WAITING)
_speed_places = threading.BoundedSemaphore(SPEED_PLACES)
#: The agents that have one of the places: none has two.
_waiting: set[UUID] = set()
_waiting_lock = threading.Lock()

AgentView = Callable[..., HttpResponse | StreamingHttpResponse]


def agent_view(view: AgentView) -> AgentView:
    """A view that agents call with a token: it is given the agent. Refusals become JSON, and are kept."""
    return answering(_with_agent(view))


def answering(view: AgentView) -> AgentView:
    """Refusals become JSON, and are kept."""

    @csrf_exempt
    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | StreamingHttpResponse:
        try:
            return view(request, *args, **kwargs)
        except AgentRefused as error:
            messages.keep_refusal(
                error,
                agent=getattr(request, "agent", None),
                path=request.path,
                address=address_of(request),
                body=_seen(request),
                now=timezone.now(),
            )
            return _refusal(error.code, error.message, error.status, **error.more)
        except TooManyRequests as error:
            answer = _refusal("too_often", error.message, 429)
            answer["Retry-After"] = "30"
            return answer
        except StorageAway as error:
            answer = _refusal("away", error.message, 503)
            answer["Retry-After"] = "10"
            return answer
        except (MachineError, ValidationError) as error:
            return _refusal("malformed", " ".join(getattr(error, "messages", [str(error)])), 400)
        except RequestDataTooBig:
            return _refusal("too_large", "This is more than the marketplace takes at a time.", 413)

    return wrapper


def _with_agent(view: AgentView) -> AgentView:
    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | StreamingHttpResponse:
        agent = agent_of(request)
        request.agent = agent  # type: ignore[attr-defined]
        spend(settings.MARKETPLACE_AGENT_RATE, "agent", str(agent.pk))
        with recorded(agent=agent.pk):
            return view(request, agent, *args, **kwargs)

    return wrapper


def agent_of(request: HttpRequest) -> Agent:
    """The agent whose token came with the request. A new token that is used becomes the only one.

    Raises:
        AgentRefused: there is none, or it was revoked.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise AgentRefused("unauthorized", "A token is missing.", status=401, kept=False)
    digest = enrollment.digest(token)
    agent = (
        Agent.objects.select_related("machine", "node").filter(Q(token_hash=digest) | Q(next_token_hash=digest)).first()
    )
    if agent is None:
        raise AgentRefused("unauthorized", "There is no such token.", status=401)
    if agent.revoked_at is not None:
        raise AgentRefused("revoked", "This agent is revoked.", status=401)
    if agent.next_token_hash == digest:
        Agent.objects.filter(pk=agent.pk, next_token_hash=digest).update(
            token_hash=digest, next_token_hash=None, token_made_at=timezone.now()
        )
    return agent


def body_of(request: HttpRequest) -> dict[str, Any]:
    """
    Raises:
        AgentRefused: the body is no JSON object.
    """
    try:
        body = json.loads(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise malformed("The body is no JSON.") from error
    if not isinstance(body, dict):
        raise malformed("The body is no JSON object.")
    return body


def _seen(request: HttpRequest) -> bytes:
    # Only what has been read: a body that was too large, or streamed, is not read for this.
    return getattr(request, "_body", b"")


def _refusal(code: str, detail: str, status: int, **more: object) -> JsonResponse:
    return JsonResponse({"error": code, "detail": detail, "server_time": stamp(timezone.now()), **more}, status=status)


def stamp(moment: datetime) -> str:
    return moment.strftime(MOMENT)


@answering
@require_POST
def agent_enroll(request: HttpRequest) -> HttpResponse:
    """Take a server in by its one-time code."""
    address = address_of(request)
    spend(settings.MARKETPLACE_ENROLLMENT_RATE, "enrollment", str(address))
    now = timezone.now()
    enrolled = enrollment.enroll(envelope=body_of(request), address=address, now=now)
    agent = enrolled.agent
    machine = agent.machine
    return JsonResponse(
        {
            "agent": str(agent.pk),
            "machine": str(machine.pk),
            "machine_name": machine.name,
            "node": agent.node_name,
            "token": enrolled.token,
            "sequence": agent.sequence,
            "server_time": stamp(now),
            "heartbeat_seconds": int(settings.MARKETPLACE_AGENT_HEARTBEAT.total_seconds()),
            "page": settings.SITE_URL + reverse("machine_agent", args=[machine.pk]),
            "access_kind": machine.access_kind,
            "platform_key": platform_key.platform_public_key().text,
            "latest_version": VERSION,
        }
    )


@agent_view
@require_POST
def agent_work_next(request: HttpRequest, agent: Agent) -> HttpResponse:
    """Long poll: the next piece of work, as soon as there is one."""
    body = body_of(request)
    have = _ids(body.get("have", []))
    wait = body.get("wait", 0)
    if type(wait) not in (int, float) or not 0 <= wait <= LONGEST_WAIT:
        raise malformed(f"wait is 0 to {LONGEST_WAIT} seconds.")
    found = work.next_work(agent=agent, have=have, now=timezone.now())
    retry_after = 0
    if found is None and wait:
        with _place_of(agent) as has_place:
            if has_place:
                found = _wait(agent, wait)
            else:
                retry_after = 5
    piece = found and {
        "id": str(found.pk),
        "kind": found.kind,
        "nonce": found.nonce,
        "attempt": found.attempt,
        "lease_seconds": int(settings.MARKETPLACE_AGENT_LEASE.total_seconds()),
        "payload": found.payload,
    }
    return JsonResponse({"work": piece, "retry_after": retry_after, "server_time": stamp(timezone.now())})


@contextmanager
def _place_of(agent: Agent) -> Iterator[bool]:
    """A place to wait in, if there is one and the agent has none yet."""
    with _waiting_lock:
        has_place = agent.pk not in _waiting and _places.acquire(blocking=False)
        if has_place:
            _waiting.add(agent.pk)
    try:
        yield has_place
    finally:
        if has_place:
            with _waiting_lock:
                _waiting.discard(agent.pk)
            _places.release()


def _wait(agent: Agent, seconds: float) -> Work | None:
    """Until there is work, or the time is up. Asks the database once more at the end: a hint may have got lost."""
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0:
        try:
            waking.wait(agent.pk, max(left, 0.01))
        except RedisError:
            sleep(min(left, 1))
        if found := work.next_work(agent=agent, have=(), now=timezone.now()):
            return found
    return None


def _ids(values: Any) -> list[UUID]:
    try:
        return [UUID(value) for value in values][:MOST_HAD]
    except (TypeError, ValueError, AttributeError) as error:
        raise malformed("have is a list of ids.") from error


@agent_view
@require_POST
def agent_work_ack(request: HttpRequest, agent: Agent, pk: UUID) -> HttpResponse:
    """It is in the agent's journal, or the agent is still at it."""
    attempt = body_of(request).get("attempt")
    if type(attempt) is not int:
        raise malformed("attempt is a number.")
    work.acknowledge(agent=agent, work_id=pk, attempt=attempt, now=timezone.now())
    return JsonResponse({"lease_seconds": int(2 * settings.MARKETPLACE_AGENT_LEASE.total_seconds())})


@agent_view
@require_POST
def agent_work_report(request: HttpRequest, agent: Agent, pk: UUID) -> HttpResponse:
    """It is finished."""
    already = reporting.report_work(agent=agent, work_id=pk, envelope=body_of(request), now=timezone.now())
    return JsonResponse({"accepted": True, "already": already})


@agent_view
@require_POST
def agent_self_test(request: HttpRequest, agent: Agent) -> HttpResponse:
    spend(UNASKED_RATE, "agent-self-test", str(agent.pk))
    reporting.take_self_test(agent=agent, envelope=body_of(request), now=timezone.now())
    return JsonResponse({"accepted": True})


@agent_view
@require_POST
def agent_rotate(request: HttpRequest, agent: Agent) -> HttpResponse:
    spend(UNASKED_RATE, "agent-rotate", str(agent.pk))
    token = reporting.rotate_token(agent=agent, envelope=body_of(request), now=timezone.now())
    return JsonResponse({"token": token})


@agent_view
@require_POST
def agent_unenroll(request: HttpRequest, agent: Agent) -> HttpResponse:
    reporting.unenroll(agent=agent, envelope=body_of(request), now=timezone.now())
    return JsonResponse({"accepted": True})


@agent_view
@require_http_methods(["GET", "POST"])
def agent_speed(request: HttpRequest, agent: Agent) -> HttpResponse | StreamingHttpResponse:
    """Bytes to measure a line with: as many as are asked for, or as many as are sent."""
    spend(SPEED_RATE, "agent-speed", str(agent.pk), request.method or "")
    if request.method == "POST":
        with closing(_SpeedPlace()):
            return JsonResponse({"bytes": sum(len(chunk) for chunk in _chunks(request))})
    asked = request.GET.get("bytes", "")
    if not asked.isdecimal() or len(asked) > 9 or not 0 < int(asked) <= MOST_SPEED_BYTES:
        raise malformed(f"bytes is 1 to {MOST_SPEED_BYTES}.")
    answer = StreamingHttpResponse(_Noise(int(asked)), content_type="application/octet-stream")
    answer["Content-Length"] = asked
    return answer


def _chunks(request: HttpRequest) -> Iterator[bytes]:
    taken = 0
    while chunk := request.read(CHUNK):
        taken += len(chunk)
        if taken > MOST_SPEED_BYTES:
            raise AgentRefused("too_large", f"At most {MOST_SPEED_BYTES} bytes.", status=413, kept=False)
        yield chunk


class _SpeedPlace:
    """One of the places for measurements, until it is closed.

    Raises:
        TooManyRequests: all are taken.
    """

    def __init__(self) -> None:
        if not _speed_places.acquire(blocking=False):
            raise TooManyRequests("Other machines are being measured. Try again in a moment.")
        self._is_open = True

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            _speed_places.release()


class _Noise(_SpeedPlace):
    """So many bytes, piece by piece. Whoever answers with it closes it, whether it was sent or not."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def __iter__(self) -> Iterator[bytes]:
        while self._left:
            piece = NOISE[: min(CHUNK, self._left)]
            self._left -= len(piece)
            yield piece
