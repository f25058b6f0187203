"""The loop: each piece of work is done, reported until it is taken, and survives whatever happens in between."""

import threading
import time
from contextlib import contextmanager

import pytest

from agent.config import Config
from agent.context import Context
from agent.errors import AgentError, WorkFailed
from agent.journal import Journal
from agent.loop import work
from agent.signing import Key
from agent.wire import Wire
from agent.worker import Pace
from tests.agent.standin import LOST, served, until

QUICK = Pace(poll=0, renew=0.1, retry_first=0.05, retry_most=0.2, revoked=0.3, expire=0.05)


class Agent:
    """An enrolled agent whose handlers note what they were called for."""

    def __init__(self, folder, marketplace, url):
        self.config = Config(folder, server=url, agent=marketplace.agent, machine_name="gpu-1", heartbeat_seconds=1)
        self.config.save()
        self.config.save_token("token")
        marketplace.key = Key.create(self.config.key_path).public
        marketplace.tokens = ["token"]
        self.journal = Journal(self.config.journal_path)
        self.done, self.undone, self.expired = [], [], 0
        self.doing = lambda context, entry: {"ok": True}

    @contextmanager
    def running(self):
        key = Key.load(self.config.key_path)
        context = Context(Config.load(self.config.folder), key, Wire(self.config, key), self.journal)
        thread = threading.Thread(target=lambda: self._work(context), daemon=True)
        thread.start()
        try:
            yield context
        finally:
            context.stopping.set()
            thread.join(10)
            assert not thread.is_alive()
            time.sleep(0.3)  # its threads notice

    def _work(self, context):
        handlers = dict.fromkeys(["provision", "revoke", "wipe", "benchmark", "inventory"], self._handle)
        work(context, handlers=handlers, undo={"provision": self._undo}, lock_expired=self._expire, pace=QUICK)

    def _handle(self, context, entry):
        self.done.append((entry.kind, entry.work["attempt"]))
        return self.doing(context, entry)

    def _undo(self, context, entry):
        self.undone.append(entry.id)

    def _expire(self, context):
        self.expired += 1
        return []


@pytest.fixture
def marketplace():
    with served() as (marketplace, url):
        marketplace.url = url
        yield marketplace


@pytest.fixture
def agent(tmp_path, marketplace):
    return Agent(tmp_path, marketplace, marketplace.url)


def reported(marketplace, number=1):
    until(lambda: len(marketplace.reports) >= number)
    return marketplace.reports[number - 1]


def closed(agent):
    until(lambda: not agent.journal.unfinished())


def test_work_is_acknowledged_done_and_reported_with_its_nonce(agent, marketplace):
    order = marketplace.order("wipe", {"booking": "1a2b3c4d"})
    with agent.running():
        report = reported(marketplace)
        closed(agent)
    assert (report["work"], report["work_kind"], report["attempt"], report["nonce"]) == (
        order["id"],
        "wipe",
        1,
        order["nonce"],
    )
    assert (report["status"], report["error"], report["result"]) == ("done", "", {"ok": True})
    parts = [path.rsplit("/", 1)[1] for path, _ in marketplace.requests if "/work/" in path]
    assert parts[:3] == ["next", "ack", "report"]


def test_the_lease_is_renewed_while_the_work_goes_on(agent, marketplace):
    agent.doing = lambda context, entry: until(lambda: len(marketplace.calls("/ack")) >= 4) or {}
    marketplace.order("benchmark")
    with agent.running():
        assert reported(marketplace)["status"] == "done"


def test_what_is_being_done_is_in_the_heartbeat(agent, marketplace):
    order = marketplace.order("benchmark")

    def is_told():
        return any(order["id"] in beat["busy"] for beat in marketplace.calls("/heartbeat"))

    agent.doing = lambda context, entry: until(is_told) or {}
    with agent.running():
        assert reported(marketplace)["status"] == "done"
    beat = marketplace.calls("/heartbeat")[-1]
    assert set(beat) == {"at", "version", "boot_id", "uptime_seconds", "busy", "health", "simulated"}


@pytest.mark.parametrize(
    ("trouble", "error", "result"),
    [
        (WorkFailed("The home is not empty.", {"evidence": "x"}), "The home is not empty.", {"evidence": "x"}),
        (RuntimeError("boom"), "The agent met something unforeseen: RuntimeError: boom", {}),
    ],
)
def test_what_goes_wrong_is_reported_in_a_sentence_and_the_next_work_is_done(
    agent, marketplace, trouble, error, result
):
    def fail_once(context, entry):
        if len(agent.done) == 1:
            raise trouble
        return {}

    agent.doing = fail_once
    marketplace.order("wipe")
    marketplace.order("inventory")
    with agent.running():
        assert reported(marketplace, 2)["status"] == "done"
    first = marketplace.reports[0]
    assert (first["status"], first["error"], first["result"]) == ("failed", error, result)


def test_a_result_that_is_no_json_is_a_failure(agent, marketplace):
    agent.doing = lambda context, entry: {"score": float("inf")}
    marketplace.order("benchmark")
    with agent.running():
        assert reported(marketplace)["status"] == "failed"


def test_a_kind_of_a_newer_version_is_a_failure(agent, marketplace):
    marketplace.order("dance")
    with agent.running():
        assert "does not know this kind of work: dance" in reported(marketplace)["error"]


def test_a_report_is_sent_until_it_is_taken_each_time_signed_anew(agent, marketplace):
    marketplace.fail("/report", (503, {"Retry-After": "0.1"}, {}), (429, {}, {}), (500, {}, b"<html>"), LOST)
    marketplace.order("provision")
    with agent.running():
        reported(marketplace)
        closed(agent)
    assert agent.done == [("provision", 1)]
    bodies = marketplace.calls("/report")
    assert len(bodies) == 2  # the one whose answer was lost, and the one that was answered "already"
    sequences = [message["sequence"] for message in marketplace.messages if message["kind"] == "report"]
    assert sequences == [4, 5]
    assert len(marketplace.reports) == 1
    assert agent.undone == []


def test_an_outcome_that_was_noted_before_a_crash_is_only_reported_again(agent, marketplace):
    order = marketplace.order("wipe")
    order["attempt"] = 1
    marketplace.leased[order["id"]] = marketplace.work.pop()
    entry = agent.journal.open({key: order[key] for key in ("id", "kind", "nonce", "attempt", "payload")})
    entry.note("outcome", status="done", error="", result={"evidence": "e"}, nonce=order["nonce"])
    with agent.running():
        assert reported(marketplace)["result"] == {"evidence": "e"}
        closed(agent)
    assert agent.done == []


def test_the_same_with_a_lease_that_went_on_meanwhile_reports_under_the_new_attempt(agent, marketplace):
    order = marketplace.order("wipe")
    marketplace.leased[order["id"]] = marketplace.work.pop()
    entry = agent.journal.open({key: order[key] for key in ("id", "kind", "nonce", "attempt", "payload")})
    entry.note("outcome", status="done", error="", result={}, nonce=order["nonce"])
    order["attempt"] = 3
    with agent.running():
        assert reported(marketplace)["attempt"] == 4
        closed(agent)
    assert marketplace.refusals == ["too_late"]
    assert agent.done == []


def test_an_outcome_of_an_older_order_is_done_anew(agent, marketplace):
    order = marketplace.order("wipe")
    marketplace.leased[order["id"]] = marketplace.work.pop()
    entry = agent.journal.open({**{key: order[key] for key in ("id", "kind", "attempt", "payload")}, "nonce": "old"})
    entry.note("outcome", status="done", error="", result={}, nonce="old")
    with agent.running():
        assert reported(marketplace)["nonce"] == order["nonce"]
    assert agent.done == [("wipe", 1)]


def test_work_without_an_outcome_is_leased_again_and_done_again(agent, marketplace):
    order = marketplace.order("provision")
    order["attempt"] = 1
    marketplace.leased[order["id"]] = marketplace.work.pop()
    agent.journal.open({key: order[key] for key in ("id", "kind", "nonce", "attempt", "payload")}).note("account")
    with agent.running():
        assert reported(marketplace)["attempt"] == 2
    assert marketplace.calls("/next")[0]["have"] == [order["id"]]
    assert agent.done == [("provision", 2)]


def test_work_that_was_taken_back_during_a_crash_is_undone(agent, marketplace):
    agent.journal.open({"id": "0b1e", "kind": "provision", "nonce": "n", "attempt": 1, "payload": {}}).note("account")
    with agent.running():
        closed(agent)
    assert agent.undone == ["0b1e"]
    assert agent.done == []


def test_work_that_was_taken_back_while_it_was_done_is_undone(agent, marketplace):
    def cancel(context, entry):
        marketplace.gone.add(entry.id)
        return {}

    agent.doing = cancel
    order = marketplace.order("provision")
    with agent.running():
        until(lambda: agent.undone)
        closed(agent)
    assert agent.undone == [order["id"]]


def test_undoing_that_fails_is_tried_again(agent, marketplace):
    tries = []

    def undo(context, entry):
        tries.append(entry.id)
        if len(tries) < 3:
            raise AgentError("The account is in use.")

    agent._undo = undo
    agent.journal.open({"id": "0b1e", "kind": "provision", "nonce": "n", "attempt": 1, "payload": {}})
    with agent.running():
        closed(agent)
    assert len(tries) == 3


def test_a_not_found_page_of_something_between_undoes_nothing(agent, marketplace):
    marketplace.fail("/report", (404, {}, b"<html>nginx</html>"), (403, {}, b"<html>WAF</html>"))
    marketplace.order("provision")
    with agent.running():
        reported(marketplace)
        closed(agent)
    assert agent.undone == []


@pytest.mark.parametrize(("status", "code"), [(413, "too_large"), (400, "malformed"), (403, "implausible")])
def test_a_result_that_is_never_taken_is_undone_and_said(agent, marketplace, status, code):
    marketplace.fail("/report", (status, {}, {"error": code, "detail": "Too large."}))
    order = marketplace.order("provision")
    with agent.running():
        report = reported(marketplace)
        closed(agent)
    assert report["status"] == "failed"
    assert "Too large." in report["error"]
    assert report["result"] == {}
    assert agent.undone == [order["id"]]


def test_a_report_that_is_always_too_late_is_not_sent_as_fast_as_can_be(agent, marketplace):
    marketplace.fail("/report", *[(409, {}, {"error": "too_late", "detail": "Late."})] * 500)
    marketplace.order("wipe")

    def sent():
        return 500 - len(marketplace.faults["/report"])

    with agent.running():
        until(lambda: agent.done)
        time.sleep(1.5)
        assert sent() < 20
        until(lambda: sent() > 3)
    assert len(agent.done) == 1


def test_work_that_is_none_does_not_end_the_loop(agent, marketplace):
    marketplace.fail("/next", (200, {}, {"work": {"id": "../../etc"}}), (200, {}, {"work": 5}))
    marketplace.order("inventory")
    with agent.running():
        reported(marketplace)


def test_expired_accounts_are_locked_at_the_start_and_while_nobody_answers(agent, marketplace):
    marketplace.fail("/heartbeat", *[(503, {}, {})] * 500)
    marketplace.fail("/next", *[(503, {}, {})] * 500)
    with agent.running():
        until(lambda: agent.expired > 3)


def test_locking_that_fails_ends_nothing(agent, marketplace):
    def fail(context):
        agent.expired += 1
        raise OSError("disk")

    agent._expire = fail
    with agent.running():
        until(lambda: agent.expired > 3)
        marketplace.order("inventory")
        reported(marketplace)


def test_an_end_that_is_just_being_moved_is_not_locked(agent, marketplace):
    seen = []

    def do(context, entry):
        before = agent.expired
        time.sleep(0.4)
        if entry.kind == "wipe":  # takes long: other accounts are locked meanwhile
            until(lambda: agent.expired - before > 2)
        seen.append(agent.expired - before)
        return {}

    agent.doing = do
    marketplace.order("provision")
    marketplace.order("wipe")
    with agent.running():
        assert reported(marketplace, 2)["status"] == "done"
    assert seen[0] <= 1  # one may have begun just before
    assert seen[1] > 2


def test_a_revoked_agent_asks_for_no_work_goes_on_locking_and_comes_back(agent, marketplace):
    marketplace.revoked = True
    with agent.running() as context:
        until(lambda: len(marketplace.calls("/heartbeat")) >= 2)
        asked = len(marketplace.calls("/next"))
        before = agent.expired
        time.sleep(0.8)
        assert len(marketplace.calls("/next")) == asked <= 1
        until(lambda: agent.expired > before)
        marketplace.revoked = False
        marketplace.order("inventory")
        reported(marketplace)
        assert context is not None


def test_the_token_is_exchanged_when_asked(agent, marketplace):
    marketplace.rotate = True
    with agent.running():
        until(lambda: agent.config.token != "token")
        marketplace.order("inventory")
        reported(marketplace)
    assert marketplace.tokens == [agent.config.token]


def test_an_exchange_whose_answer_is_lost_leaves_the_old_token_good(agent, marketplace):
    marketplace.fail("/rotate", LOST)
    marketplace.rotate = True
    with agent.running():
        until(lambda: marketplace.calls("/rotate") and not marketplace.rotate)
        marketplace.rotate = True
        until(lambda: agent.config.token == marketplace.tokens[-1] != "token")


def test_only_one_works_at_a_state(agent):
    with agent.running() as context:
        until(lambda: agent.expired)
        with pytest.raises(AgentError, match="Another"):
            work(context, handlers={}, undo={}, lock_expired=lambda _: [])


def test_a_new_pace_of_heartbeats_is_kept(agent, marketplace):
    marketplace.heartbeat_seconds = 2
    with agent.running():
        until(lambda: Config.load(agent.config.folder).heartbeat_seconds == 2)
