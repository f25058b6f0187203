"""What is believed of an agent and what is not: attacks on the protocol, each with what comes of it.

Real keys, real signatures by ``ssh-keygen``, real requests; every refusal is there for the administrator to see.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from common.ids import uuid7
from machines.models import Agent, Refusal, Report, Work, WorkKind, WorkState
from machines.services.work import ask_for, next_work
from tests.agents import SigningAgent, canonical, make_agent, make_key
from tests.machines.inventories import inventory
from tests.people import make_machine
from tests.racing import at_once

pytestmark = pytest.mark.django_db

INVENTORY = inventory()


@pytest.fixture
def agent(machine):
    return make_agent(machine)


@pytest.fixture
def other(other_provider):
    return make_agent(make_machine(other_provider, "gpu-2"))


def asked(agent: SigningAgent, *, name: str = "1") -> Work:
    """An inventory that the agent has been handed out."""
    now = timezone.now()
    ask_for(agent=agent.row, kind=WorkKind.INVENTORY, key=f"inventory:{agent.row.pk}:{name}", payload={}, now=now)
    work = next_work(agent=agent.row, have=(), now=now)
    assert work is not None
    return work


def send(client, agent: SigningAgent, path: str, body: Any, **headers: str):
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(path, data, content_type="application/json", headers=agent.headers | headers)


def report(client, agent: SigningAgent, work: Work, body: Any = None):
    body = agent.report(work, {"inventory": INVENTORY}) if body is None else body
    return send(client, agent, f"/agent/v1/work/{work.pk}/report", body)


def test_an_honest_report_is_believed_and_kept_as_it_was_signed(client, agent):
    work = asked(agent)
    body = agent.report(work, {"inventory": INVENTORY})

    answer = report(client, agent, work, body)

    assert (answer.status_code, answer.json()) == (200, {"accepted": True, "already": False})
    work.refresh_from_db()
    assert work.state == WorkState.DONE
    kept = Report.objects.get(work=work)
    assert (kept.message, kept.signature) == (body["message"], body["signature"])
    assert Agent.objects.get(pk=agent.row.pk).inventory["hostname"] == INVENTORY["hostname"]
    assert not Refusal.objects.exists()


def changed(body: dict[str, str], **changes: Any) -> dict[str, str]:
    """The message altered after it was signed, its signature as it was."""
    return {**body, "message": canonical(json.loads(body["message"]) | changes)}


Attack = Callable[[SigningAgent, SigningAgent, Work], Any]
LATE, EARLY = timedelta(minutes=5, seconds=10), timedelta(minutes=-5, seconds=-10)
RESULT = {"inventory": INVENTORY}

#: name: (what is sent in the machine's name with its token, status, code)
ATTACKS: dict[str, tuple[Attack, int, str]] = {
    "signed by somebody else's key": (
        lambda agent, other, work: agent.signed(_message(agent, work), key=make_key()), 403, "bad_signature",
    ),
    "signed by another machine's key": (
        lambda agent, other, work: agent.signed(_message(agent, work), key=other.key), 403, "bad_signature",
    ),
    "a result that was changed afterwards": (
        lambda agent, other, work: changed(agent.report(work, RESULT), result={"inventory": INVENTORY | {"hostname": "x"}}),
        403, "bad_signature",
    ),
    "a status that was changed afterwards": (
        lambda agent, other, work: changed(agent.report(work, RESULT), status="failed"), 403, "bad_signature",
    ),
    "a signature for something else (an erasure)": (
        lambda agent, other, work: _in_namespace(agent, work, "rsm-erasure"), 403, "bad_signature",
    ),
    "no signature at all": (
        lambda agent, other, work: {**agent.report(work, RESULT), "signature": ""}, 403, "bad_signature",
    ),
    "garbage for a signature": (
        lambda agent, other, work: {**agent.report(work, RESULT), "signature": "x" * 100_000}, 403, "bad_signature",
    ),
    "a signature of another message": (
        lambda agent, other, work: {
            **agent.report(work, RESULT), "signature": agent.report(work, RESULT)["signature"],
        }, 403, "bad_signature",
    ),
    "signed more than five minutes ago": (
        lambda agent, other, work: agent.report(work, RESULT, now=timezone.now() - LATE), 403, "bad_time",
    ),
    "signed more than five minutes ahead": (
        lambda agent, other, work: agent.report(work, RESULT, now=timezone.now() - EARLY), 403, "bad_time",
    ),
    "a sequence that was used": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"sequence": agent.row.sequence or 0 + 1}),
        403, "bad_sequence",
    ),
    "a sequence of zero": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"sequence": 0}), 400, "malformed",
    ),
    "a sequence that is true": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"sequence": True}), 400, "malformed",
    ),
    "a sequence beyond all counting": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"sequence": 2**63}), 400, "malformed",
    ),
    "another nonce": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"nonce": "0" * 32}), 403, "bad_nonce",
    ),
    "no nonce": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"nonce": ""}), 403, "bad_nonce",
    ),
    "about another piece of work": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"work": str(uuid7())}), 403, "bad_nonce",
    ),
    "about another kind of work": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"work_kind": "wipe"}), 403, "bad_nonce",
    ),
    "in another agent's name": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"agent": str(other.row.pk)}), 403, "not_yours",
    ),
    "another agent's message, signed by it": (
        lambda agent, other, work: other.signed(_message(other, work)), 403, "not_yours",
    ),
    "another kind of message": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"kind": "rotate"}), 400, "malformed",
    ),
    "a status that there is not": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"status": "great"}), 400, "malformed",
    ),
    "a result that is no object": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"result": "all fine"}), 400, "malformed",
    ),
    "not canonical JSON": (
        lambda agent, other, work: _not_canonical(agent, work), 400, "malformed",
    ),
    "one key twice": (
        lambda agent, other, work: _twice(agent, work), 400, "malformed",
    ),
    "no JSON": (lambda agent, other, work: b"\xff\xfe", 400, "malformed"),
    "a list": (lambda agent, other, work: "[]", 400, "malformed"),
    "nested without end": (lambda agent, other, work: "[" * 100_000, 400, "malformed"),
    "a moment that is none": (
        lambda agent, other, work: agent.signed(_message(agent, work) | {"sent_at": "yesterday"}), 400, "malformed",
    ),
    "an inventory that is none": (
        lambda agent, other, work: agent.report(work, {"inventory": "eight GPUs"}), 400, "malformed",
    ),
}  # fmt: skip


def _message(agent: SigningAgent, work: Work) -> dict[str, Any]:
    return {
        "kind": "report",
        "work": str(work.pk),
        "work_kind": work.kind,
        "attempt": work.attempt,
        "nonce": work.nonce,
        "status": "done",
        "error": "",
        "result": RESULT,
    }


def _in_namespace(agent: SigningAgent, work: Work, namespace: str) -> dict[str, str]:
    body = agent.report(work, RESULT)
    return {**body, "signature": agent.key.sign(body["message"], namespace)}


def _resigned(agent: SigningAgent, text: str) -> dict[str, str]:
    return {"message": text, "signature": agent.key.sign(text, "rsm-report")}


def _not_canonical(agent: SigningAgent, work: Work) -> dict[str, str]:
    return _resigned(agent, json.dumps(json.loads(agent.report(work, RESULT)["message"]), indent=1))


def _twice(agent: SigningAgent, work: Work) -> dict[str, str]:
    text = agent.report(work, RESULT)["message"]
    return _resigned(agent, text.replace('"status":"done"', '"status":"done","status":"failed"'))


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_to_be_believed_is_refused_and_changes_nothing(client, agent, other, attack):
    forge, status, code = ATTACKS[attack]
    work = asked(agent)
    Agent.objects.filter(pk=agent.row.pk).update(sequence=1)
    agent.row.refresh_from_db()

    answer = report(client, agent, work, forge(agent, other, work))

    assert (answer.status_code, answer.json()["error"]) == (status, code), answer.content
    work.refresh_from_db()
    assert work.state == WorkState.LEASED
    assert not Report.objects.exists()
    agent.row.refresh_from_db()
    assert (agent.row.sequence, agent.row.inventory) == (1, {})
    refusal = Refusal.objects.get()
    assert (refusal.agent_id, refusal.code, refusal.path) == (agent.row.pk, code, f"/agent/v1/work/{work.pk}/report")
    # And the honest report is still taken.
    assert report(client, agent, work).status_code == 200


def test_a_message_that_was_taken_is_refused_when_it_is_replayed(client, agent):
    work = asked(agent)
    body = agent.report(work, RESULT)
    assert report(client, agent, work, body).status_code == 200

    answer = report(client, agent, work, body)

    assert (answer.status_code, answer.json()["error"]) == (403, "bad_sequence")
    assert answer.json()["sequence"] == json.loads(body["message"])["sequence"]
    assert Report.objects.count() == 1


def test_an_older_message_is_refused_after_a_newer_one(client, agent):
    first, second = asked(agent, name="1"), asked(agent, name="2")
    older = agent.report(first, RESULT)
    assert report(client, agent, second).status_code == 200

    assert report(client, agent, first, older).json()["error"] == "bad_sequence"


def test_a_report_that_is_sent_again_with_a_new_sequence_is_known_already(client, agent):
    work = asked(agent)
    assert report(client, agent, work).json() == {"accepted": True, "already": False}
    finished = Work.objects.get(pk=work.pk).finished_at

    assert report(client, agent, work).json() == {"accepted": True, "already": True}
    assert Work.objects.get(pk=work.pk).finished_at == finished


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/agent/v1/work/{work}/report", None),
        ("/agent/v1/work/{work}/ack", {"attempt": 1}),
    ],
)
def test_a_machine_never_touches_the_work_of_another(client, agent, other, path, body):
    work = asked(agent)

    answer = send(client, other, path.format(work=work.pk), body or other.report(work, RESULT))

    assert (answer.status_code, answer.json()["error"]) == (404, "not_yours")
    assert Work.objects.get(pk=work.pk).state == WorkState.LEASED
    assert Refusal.objects.get().agent_id == other.row.pk


def test_a_machine_is_never_given_the_work_of_another(client, agent, other):
    work = asked(agent)

    answer = send(client, other, "/agent/v1/work/next", {"wait": 0, "have": [str(work.pk)]})

    assert answer.json()["work"] is None


@pytest.mark.parametrize("path", ["work/next", "heartbeat", "rotate", "self-test", "unenroll", "speed/"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}])
def test_without_a_token_nobody_is_heard(client, agent, path, headers):
    answer = client.post(f"/agent/v1/{path}", "{}", content_type="application/json", headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")


@pytest.mark.parametrize("path", ["work/next", "heartbeat", "rotate", "self-test"])
def test_a_revoked_agent_is_not_heard(client, agent, path):
    Agent.objects.filter(pk=agent.row.pk).update(revoked_at=timezone.now())

    answer = send(client, agent, f"/agent/v1/{path}", {})

    assert answer.status_code == 401
    assert Refusal.objects.filter(code__in=["revoked", "unauthorized"]).exists()


def test_tokens_and_codes_are_kept_as_hashes_only(client, agent):
    row = Agent.objects.get(pk=agent.row.pk)
    answer = send(client, agent, "/agent/v1/rotate", agent.signed({"kind": "rotate"}))

    for secret in (agent.token, answer.json()["token"]):
        stored = json.dumps(list(Agent.objects.filter(pk=row.pk).values()), default=str)
        assert secret not in stored


def test_both_tokens_work_until_the_new_one_has_been_used(client, agent):
    new = send(client, agent, "/agent/v1/rotate", agent.signed({"kind": "rotate"})).json()["token"]
    renewed = {"Authorization": f"Bearer {new}"}

    def status(**headers: str) -> int:
        return send(client, agent, "/agent/v1/work/next", {"wait": 0}, **headers).status_code

    assert status() == 200
    assert status(**renewed) == 200
    assert status() == 401
    assert status(**renewed) == 200


def test_of_a_flood_of_forgeries_only_the_first_are_kept(client, agent):
    work = asked(agent)
    for _ in range(40):
        assert report(client, agent, work, "[]").status_code == 400

    assert Refusal.objects.count() == 30


def test_an_agent_that_asks_too_often_is_told_to_wait(client, agent, settings):
    settings.MARKETPLACE_AGENT_RATE = "2/minute"
    answers = [send(client, agent, "/agent/v1/work/next", {"wait": 0}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1]["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)
def test_one_message_sent_many_times_at_once_is_taken_once(client, machine):
    agent = make_agent(machine)
    work = asked(agent)
    body = agent.report(work, RESULT)

    answers = at_once([lambda: report(client, agent, work, body).status_code] * 6)

    assert sorted(answers) == [200, 403, 403, 403, 403, 403]
    assert Report.objects.count() == 1
