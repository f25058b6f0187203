"""Work for agents: asked for once, handed out on a lease, done once."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connections
from django.utils import timezone

from common.ids import uuid7
from machines.models import Work, WorkKind, WorkState
from machines.services.errors import AgentRefused
from machines.services.work import acknowledge, ask_for, cancel_open, next_work
from machines.views import agent_api
from tests.agents import make_agent
from tests.racing import at_once

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture
def agent(machine):
    return make_agent(machine)


def ask(agent, key="one", **fields):
    now = fields.pop("now", None) or timezone.now()
    return ask_for(agent=agent.row, kind=WorkKind.INVENTORY, key=key, payload={}, now=now, **fields)


def test_asking_twice_makes_one(agent):
    assert ask(agent) == ask(agent)
    assert Work.objects.count() == 1


def test_what_is_leased_is_not_handed_out_again_until_the_lease_is_over(agent, now):
    ask(agent, now=now)
    work = next_work(agent=agent.row, have=(), now=now)

    assert next_work(agent=agent.row, have=(), now=now + settings.MARKETPLACE_AGENT_LEASE - SECOND) is None
    again = next_work(agent=agent.row, have=(), now=now + settings.MARKETPLACE_AGENT_LEASE)
    assert (again.pk, again.attempt, again.nonce) == (work.pk, 2, work.nonce)


def test_an_acknowledgement_renews_the_lease(agent, now):
    ask(agent, now=now)
    work = next_work(agent=agent.row, have=(), now=now)
    later = now + settings.MARKETPLACE_AGENT_LEASE - SECOND

    acknowledge(agent=agent.row, work_id=work.pk, attempt=1, now=later)

    assert next_work(agent=agent.row, have=(), now=later + settings.MARKETPLACE_AGENT_LEASE) is None


def test_an_agent_that_has_restarted_gets_what_it_had_begun_first(agent, now):
    first = ask(agent, "one", now=now)
    assert next_work(agent=agent.row, have=(), now=now).pk == first.pk
    ask(agent, "two", now=now)

    again = next_work(agent=agent.row, have=[first.pk], now=now + SECOND)

    assert (again.pk, again.attempt) == (first.pk, 2)


def test_an_attempt_that_was_overtaken_is_too_late(agent, now):
    ask(agent, now=now)
    work = next_work(agent=agent.row, have=(), now=now)
    next_work(agent=agent.row, have=[work.pk], now=now)

    with pytest.raises(AgentRefused) as refused:
        acknowledge(agent=agent.row, work_id=work.pk, attempt=1, now=now)
    assert (refused.value.status, refused.value.code) == (409, "too_late")


def test_what_is_no_longer_wanted_is_not_handed_out_and_its_report_is_too_late(client, agent, now):
    booking = uuid7()
    ask(agent, now=now, booking_id=booking)
    work = next_work(agent=agent.row, have=(), now=now)

    assert cancel_open(booking_id=booking, kinds=[WorkKind.INVENTORY], now=now) == 1

    assert next_work(agent=agent.row, have=[work.pk], now=now) is None
    body = json.dumps(agent.report(work, {}))
    answer = client.post(
        f"/agent/v1/work/{work.pk}/report", body, content_type="application/json", headers=agent.headers
    )
    assert (answer.status_code, answer.json()["error"]) == (409, "too_late")


def test_work_for_later_waits_for_its_time(agent, now):
    ask(agent, now=now, not_before=now + SECOND)

    assert next_work(agent=agent.row, have=(), now=now) is None
    assert next_work(agent=agent.row, have=(), now=now + SECOND) is not None


@pytest.mark.django_db(transaction=True)
def test_two_questions_at_once_get_the_work_once(machine):
    agent = make_agent(machine)
    ask(agent)
    now = timezone.now()

    found = at_once([lambda: next_work(agent=agent.row, have=(), now=now)] * 4)

    assert sum(work is not None for work in found) == 1


@pytest.mark.django_db(transaction=True)
def test_a_waiting_agent_hears_of_new_work_at_once(client, machine):
    agent = make_agent(machine)
    answers = []

    def wait():
        began = time.monotonic()
        answer = client.post(
            "/agent/v1/work/next", {"wait": 15}, content_type="application/json", headers=agent.headers
        )
        answers.append((answer.json()["work"], time.monotonic() - began))
        connections.close_all()

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(1)
    asked = ask(agent)
    waiting.join(20)

    work, seconds = answers[0]
    assert work["id"] == str(asked.pk)
    assert seconds < 5


def test_a_question_that_waits_for_nothing_is_answered_after_its_time(client, agent):
    began = time.monotonic()
    answer = client.post("/agent/v1/work/next", {"wait": 1}, content_type="application/json", headers=agent.headers)

    assert answer.json()["work"] is None
    assert time.monotonic() - began >= 1


def test_where_too_many_wait_already_an_agent_is_told_to_come_again(client, agent, monkeypatch):
    places = threading.BoundedSemaphore(1)
    monkeypatch.setattr(agent_api, "_places", places)
    places.acquire()
    answer = client.post("/agent/v1/work/next", {"wait": 15}, content_type="application/json", headers=agent.headers)

    assert answer.json()["work"] is None
    assert answer.json()["retry_after"] > 0


def test_a_report_of_finished_work_leaves_it_in_the_state_it_had(client, agent, now):
    ask(agent, now=now)
    work = next_work(agent=agent.row, have=(), now=timezone.now())
    for status in ("failed", "done"):
        body = json.dumps(agent.report(work, {}, status=status, error="No such tool."))
        answer = client.post(
            f"/agent/v1/work/{work.pk}/report", body, content_type="application/json", headers=agent.headers
        )
        assert answer.status_code == 200

    work.refresh_from_db()
    assert (work.state, work.error) == (WorkState.FAILED, "No such tool.")
