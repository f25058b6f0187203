"""What an agent says of an erasure is believed when everything about it fits, and leaves no trace otherwise."""

import hashlib
import json
from copy import deepcopy
from datetime import timedelta

import pytest

from accounts.models import OutgoingMail
from bookings.errors import BookingError
from bookings.lifecycle import BookingStatus
from bookings.models import Booking, BookingEvent, DataWipe, ErasureCertificate, WipeEvidence, WipeMethod, WipeStatus
from bookings.services import erasure, run
from bookings.services.evidence import MOST_EVIDENCE_BYTES, MOST_LOG_BYTES
from bookings.services.servers import progress
from common import files
from machines.models import Node, Work, WorkKind, WorkState
from machines.services.errors import Implausible
from tests.agents import (
    LOGS,
    REPORT,
    canonical,
    erase,
    make_agent,
    make_agent_over,
    make_key,
    moment,
    take,
    wipe_of,
)
from tests.people import HOUR, make_machine, make_paid, minute, record_wipe

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def agent(machine):
    return make_agent(machine)


@pytest.fixture
def over(listing, buyer, agent, now) -> Booking:
    return make_agent_over(listing, buyer, agent, end=now - 10 * MINUTE)


@pytest.fixture
def work(over, agent, now) -> Work:
    return wipe_of(agent, now=now)


def stored(settings) -> list[str]:
    return sorted(path.name for path in (settings.MEDIA_ROOT / "wipes").rglob("*") if path.is_file())


def nothing_kept(booking: Booking, events: int) -> None:
    booking.refresh_from_db()
    assert booking.wiped_at is None
    assert booking.status == BookingStatus.ACTIVE
    assert not WipeEvidence.objects.exists()
    assert not DataWipe.objects.exists()
    assert not ErasureCertificate.objects.exists()
    assert booking.events.count() == events


# Good evidence ----------------------------------------------------------------------------------------


def test_good_evidence_completes_the_booking_and_gives_a_certificate(over, agent, work, now, settings):
    result = agent.evidence(work, now=now)

    row = take(work, result, now=now)

    over.refresh_from_db()
    assert over.status == BookingStatus.COMPLETED
    assert over.wiped_at == over.completed_at == now
    assert row.is_complete
    assert not row.is_simulated
    assert files.read(row.document.name).decode() == result["evidence"]
    assert files.read(row.logs.name).decode() == LOGS
    assert row.sha256 == hashlib.sha256(result["evidence"].encode()).hexdigest()
    assert row.logs_sha256 == hashlib.sha256(LOGS.encode()).hexdigest()
    assert row.document.name == f"wipes/{over.machine_id}/{row.pk}.json"
    assert stored(settings)[-2:] == [f"{row.pk}.json", f"{row.pk}.log"]

    wipes = list(over.wipes.all())
    assert [wipe.method for wipe in wipes] == WipeMethod.values
    for wipe in wipes:
        assert (wipe.status, wipe.signed, wipe.recorded_by) == (WipeStatus.SUCCESS, row, None)
        assert wipe.evidence_sha256 == row.sha256
        assert wipe.note

    certificate = ErasureCertificate.objects.get(booking=over)
    assert list(certificate.evidence.all()) == [row]
    mail = OutgoingMail.objects.get(key=f"booking-completed:{over.pk}")
    assert f"/erasure/{certificate.pk}/" in mail.text


def test_the_next_booking_starts_once_the_machine_has_signed(over, agent, other_buyer, now):
    waiting = make_paid(over.listing, other_buyer, start=over.blocked_until, hours=2, asked=now - 12 * HOUR)
    assert not run.start_booking(booking_id=waiting.pk, now=waiting.start)
    erase(agent, now=now)
    assert Booking.objects.due_to_start(now=waiting.start).filter(pk=waiting.pk).exists()


def test_evidence_of_an_earlier_lease_of_the_same_order_counts(over, agent, work, now):
    """The work was done, the report got lost, and the lease ran out meanwhile."""
    result = agent.evidence(work, now=now)
    later = now + 5 * MINUTE
    again = wipe_of(agent, now=later)
    assert again.pk == work.pk
    assert again.attempt == 2
    assert take(again, result, now=later).is_complete


def test_what_a_clock_may_be_off_is_forgiven(over, agent, work, now):
    end = over.end - 4 * MINUTE
    steps = [{**step, "at": moment(end + SECOND)} for step in agent.document(work, now=now)["steps"]]
    times = {"started_at": moment(end), "steps": steps, "finished_at": moment(now + 4 * MINUTE)}
    assert take(work, agent.evidence(work, now=now, **times), now=now).is_complete


# Evidence that is wrong -------------------------------------------------------------------------------


def without(key):
    def change(document):
        del document[key]

    return change


def into(key, value):
    def change(document):
        document[key] = value

    return change


def steps(change):
    def changed(document):
        change(document["steps"])

    return changed


def in_step(number, **values):
    return steps(lambda all_of_them: all_of_them[number].update(values))


OTHER = "00000000-0000-7000-8000-000000000000"

#: What is changed in the document before it is signed by the right key, and a word of the answer.
WRONG = {
    "another booking": (into("booking", OTHER), "another booking"),
    "another reference": (into("reference", "00000000"), "another reference"),
    "another machine": (into("machine", OTHER), "another machine"),
    "another agent": (into("agent", OTHER), "another agent"),
    "another account": (into("account", "root"), "another account"),
    "another nonce": (into("nonce", "0" * 32), "another nonce"),
    "a later attempt": (into("attempt", 2), "another attempt"),
    "attempt nought": (into("attempt", 0), "another attempt"),
    "attempt that is no number": (into("attempt", True), "another attempt"),
    "another type": (into("type", "rsm-something"), "version 1"),
    "another version": (into("version", 2), "version 1"),
    "a part missing": (without("standard"), "parts"),
    "a part too many": (into("buyer", "Bea Buyer"), "parts"),
    "standard that is no text": (into("standard", 800), "standard"),
    "host with more": (into("host", {"hostname_sha256": "", "os": "", "kernel": "", "users": "bea"}), "host"),
    "host that is no object": (into("host", "node-1"), "host"),
    "nothing looked at": (into("checked", {}), "looked at"),
    "left that is no list": (
        lambda document: document["checked"].update(left=None),
        "looked at",
    ),
    "left with the file's name": (
        lambda document: document["checked"].update(left=[{"kind": "file", "count": 1, "where": "/", "name": "x"}]),
        "looked at",
    ),
    "objects below nought": (lambda document: document["checked"].update(objects_looked_at=-1), "looked at"),
    "no steps": (into("steps", []), "each step"),
    "steps that are no list": (into("steps", {}), "what was done"),
    "a step missing": (steps(lambda them: them.pop()), "each step"),
    "a step twice": (steps(lambda them: them.append(them[-1])), "each step"),
    "steps out of order": (steps(lambda them: them.reverse()), "each step"),
    "an unknown step": (in_step(0, method="prayer"), "each step"),
    "an unknown status": (in_step(0, status="probably"), "what was done"),
    "a summary that is none": (in_step(0, summary=None), "what was done"),
    "a summary without end": (in_step(0, summary="x" * 2001), "what was done"),
    "counts that are texts": (in_step(0, counts={"files": "secret.txt"}), "what was done"),
    "a step with more": (in_step(0, user="bea"), "what was done"),
    "a moment that is none": (into("started_at", "yesterday"), "moment"),
    "a moment with a fraction": (into("started_at", "2026-11-21T14:00:00.5Z"), "moment"),
    "a moment in another zone": (in_step(0, at="2026-11-21T14:00:00+01:00"), "moment"),
    "other logs": (into("logs_sha256", "0" * 64), "logs"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_evidence_that_is_wrong_is_refused_and_nothing_is_kept(over, agent, work, now, settings, case):
    change, word = WRONG[case]
    document = deepcopy(agent.document(work, now=now))
    change(document)
    text = canonical(document)
    before, there = over.events.count(), stored(settings)
    result = {"evidence": text, "evidence_signature": agent.key.sign(text, "rsm-erasure"), "logs": LOGS}
    with pytest.raises(Implausible, match=word):
        take(work, result, now=now)
    nothing_kept(over, before)
    assert stored(settings) == there


def test_times_that_do_not_fit_are_refused(over, agent, work, now):
    before = over.events.count()
    good = agent.document(work, now=now)
    early = over.end - 6 * MINUTE
    late = now + 6 * MINUTE
    swapped = deepcopy(good["steps"])
    swapped[1]["at"], swapped[2]["at"] = swapped[2]["at"], swapped[1]["at"]
    for changes, word in (
        ({"started_at": moment(early)}, "before the booking was over"),
        ({"finished_at": moment(late)}, "in the future"),
        ({"started_at": moment(now)}, "in order"),
        ({"finished_at": moment(now - HOUR)}, "in order"),
        ({"steps": swapped}, "in order"),
    ):
        with pytest.raises(Implausible, match=word):
            take(work, agent.evidence(work, now=now, **changes), now=now)
    nothing_kept(over, before)


def signed_by_another(agent, work, now):
    return agent.evidence(work, now=now, key=make_key())


def signed_for_another_purpose(agent, work, now):
    result = agent.evidence(work, now=now)
    return result | {"evidence_signature": agent.key.sign(result["evidence"], REPORT)}


def changed_after_signing(agent, work, now):
    result = agent.evidence(work, now=now)
    return result | {"evidence": result["evidence"].replace("123456", "123457")}


def not_canonical(agent, work, now):
    text = json.dumps(agent.document(work, now=now), indent=1)
    return {"evidence": text, "evidence_signature": agent.key.sign(text, "rsm-erasure"), "logs": LOGS}


def no_json(agent, work, now):
    return {"evidence": "done", "evidence_signature": agent.key.sign("done", "rsm-erasure"), "logs": LOGS}


def with_other_logs(agent, work, now):
    return agent.evidence(work, now=now) | {"logs": "nothing happened\n"}


def without_signature(agent, work, now):
    result = agent.evidence(work, now=now)
    del result["evidence_signature"]
    return result


def too_large(agent, work, now):
    return agent.evidence(work, now=now, agent_version="x" * (MOST_EVIDENCE_BYTES + 1))


def logs_too_large(agent, work, now):
    return agent.evidence(work, now=now, logs="x" * (MOST_LOG_BYTES + 1))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (signed_by_another, "not signed by this machine"),
        (signed_for_another_purpose, "not signed by this machine"),
        (changed_after_signing, "not signed by this machine"),
        (not_canonical, "canonical"),
        (no_json, "canonical"),
        (with_other_logs, "logs"),
        (without_signature, "signature and logs"),
        (too_large, "256 kB"),
        (logs_too_large, "2 MB"),
        (lambda agent, work, now: {}, "signature and logs"),
    ],
)
def test_evidence_that_is_not_signed_as_it_stands_is_refused(over, agent, work, now, make, word):
    before = over.events.count()
    with pytest.raises(Implausible, match=word):
        take(work, make(agent, work, now), now=now)
    nothing_kept(over, before)


def test_done_is_not_said_of_a_wipe_that_left_something(over, agent, work, now):
    before = over.events.count()
    left = {"file_systems": ["/"], "objects_looked_at": 1, "left": [{"kind": "file", "count": 1, "where": "/tmp"}]}
    for result, status in (
        (agent.failing(work, "home_directory_purge", now=now), "done"),
        (agent.evidence(work, now=now, checked=left), "done"),
        (agent.evidence(work, now=now), "failed"),
    ):
        with pytest.raises(Implausible, match="says otherwise"):
            take(work, result, now=now, status=status)
    nothing_kept(over, before)


def test_evidence_of_the_booking_before_is_not_evidence_of_this_one(listing, buyer, agent, now):
    first = make_agent_over(listing, buyer, agent, end=now - 10 * HOUR)
    old = wipe_of(agent, now=now - 9 * HOUR)
    result = agent.evidence(old, now=now - 9 * HOUR)
    take(old, result, now=now - 9 * HOUR)
    second = make_agent_over(listing, buyer, agent, end=now - 10 * MINUTE)
    with pytest.raises(Implausible, match="another booking"):
        take(wipe_of(agent, now=now), result, now=now)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.wiped_at, second.wiped_at) == (now - 9 * HOUR, None)


def test_another_machine_does_not_speak_for_this_one(over, agent, work, now, other_provider):
    other = make_agent(make_machine(other_provider, "gpu-9"))
    with pytest.raises(Implausible, match="not signed"):
        take(work, other.evidence(work, now=now), now=now)


def test_a_booking_that_is_not_over_has_nothing_to_erase(running, now):
    agent = make_agent(running.machine)
    work = Work.objects.create(
        agent=agent.row, kind=WorkKind.WIPE, key="wipe:early:1", booking_id=running.pk, nonce="n", attempt=1,
        payload={
            "booking": running.reference, "booking_id": str(running.pk), "machine": str(running.machine_id),
            "account": running.account,
        },
    )  # fmt: skip
    with pytest.raises(Implausible, match="nothing to erase"):
        take(work, agent.evidence(work, now=now), now=now)


# Files ------------------------------------------------------------------------------------------------


def test_files_of_a_report_that_fails_afterwards_are_deleted_again(over, agent, work, now, settings):
    there = stored(settings)

    def taken_and_then_undone() -> None:
        with files.kept_with_rows():
            take(work, agent.evidence(work, now=now), now=now)
            assert len(stored(settings)) == len(there) + 2
            raise RuntimeError("an observer of another room")

    with pytest.raises(RuntimeError, match="of another room"):
        taken_and_then_undone()
    assert stored(settings) == there


def test_while_the_storage_is_away_the_agent_is_asked_to_send_it_again(over, agent, work, now, settings):
    before = over.events.count()
    folder = settings.MEDIA_ROOT / "wipes" / f"{over.machine_id}"
    kept = list(folder.glob("*"))
    assert kept == []
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where the folder should be")
    try:
        with pytest.raises(files.StorageAway):
            take(work, agent.evidence(work, now=now), now=now)
        nothing_kept(over, before)
    finally:
        folder.unlink()
    again = Work.objects.select_related("agent__machine", "agent__node").get(pk=work.pk)
    assert take(again, agent.evidence(again, now=now), now=now).is_complete


# Clusters ---------------------------------------------------------------------------------------------


@pytest.fixture
def nodes(machine):
    machine.kind = "cluster"
    machine.save(update_fields=["kind"])
    facts = {"machine": machine, "gpu_count": 4, "cpu_cores": 48, "ram_gb": 768, "disk_size_gb": 3840}
    return [make_agent(machine, Node.objects.create(name=name, **facts)) for name in ("node-1", "node-2")]


def test_a_cluster_is_clean_when_every_node_is(listing, buyer, nodes, now):
    over = make_agent_over(listing, buyer, *nodes, end=now - 10 * MINUTE)
    one, two = nodes

    first = erase(one, now=now)
    over.refresh_from_db()
    assert over.wiped_at is None
    assert [(state.name, state.evidence) for state in progress_of(over)] == [("node-1", first), ("node-2", None)]

    second = erase(two, now=now + MINUTE)
    over.refresh_from_db()
    assert over.wiped_at == now + MINUTE
    assert set(over.certificate.evidence.all()) == {first, second}
    assert over.wipes.count() == 2 * len(WipeMethod)


def test_a_node_found_wanting_keeps_the_whole_cluster(listing, buyer, nodes, now):
    over = make_agent_over(listing, buyer, *nodes, end=now - 10 * MINUTE)
    one, two = nodes
    work = wipe_of(one, now=now)
    take(work, one.failing(work, "user_deletion", now=now), now=now, status="failed")
    erase(two, now=now)
    over.refresh_from_db()
    assert over.wiped_at is None
    erase(one, now=now + HOUR)
    over.refresh_from_db()
    assert over.wiped_at == now + HOUR


def progress_of(booking):
    return progress(Booking.objects.get(pk=booking.pk))


def test_a_server_that_was_enrolled_anew_answers_for_the_one_it_was(listing, buyer, machine, agent, now):
    over = make_agent_over(listing, buyer, agent, end=now - 10 * MINUTE)
    agent.row.revoked_at = now
    agent.row.save(update_fields=["revoked_at"])
    successor = make_agent(machine)
    erasure.retry_wipe(booking_id=over.pk, by=machine.provider, now=now)
    erase(successor, now=now)
    over.refresh_from_db()
    assert over.wiped_at == now


# Beside it --------------------------------------------------------------------------------------------


def test_asking_twice_asks_once(over, agent):
    (work,) = Work.objects.filter(kind=WorkKind.WIPE)
    assert work.payload == {
        "booking": over.reference,
        "booking_id": str(over.pk),
        "account": f"rsm-{over.reference}",
        "access": "agent",
        "machine": str(over.machine_id),
        "scratch": [],
    }
    assert erasure.ask_for_wipe(over, now=over.end + MINUTE) == [work]
    assert Work.objects.filter(kind=WorkKind.WIPE).count() == 1


def test_nobody_records_by_hand_what_the_machine_signs(over, now):
    with pytest.raises(BookingError, match="erases itself"):
        record_wipe(over, now=now)
    assert not DataWipe.objects.exists()


def test_evidence_after_the_machine_was_shown_to_be_clean_changes_nothing(over, agent, work, now):
    take(work, agent.evidence(work, now=now), now=now)
    certificate = ErasureCertificate.objects.get()
    events = BookingEvent.objects.filter(what="Erased and completed").count()
    Work.objects.filter(pk=work.pk).update(state=WorkState.LEASED, lease_until=now)
    take(wipe_of(agent, now=now + MINUTE), agent.evidence(work, now=now), now=now + MINUTE)
    over.refresh_from_db()
    assert over.wiped_at == now
    assert ErasureCertificate.objects.get() == certificate
    assert BookingEvent.objects.filter(what="Erased and completed").count() == events == 1
    assert minute(over.wiped_at) <= now


# Over the wire ----------------------------------------------------------------------------------------


def test_a_wipe_that_is_reported_as_the_protocol_says_is_believed(client, over, agent, work, now):
    body = agent.report(work, agent.evidence(work, now=now))
    address = f"/agent/v1/work/{work.pk}/report"
    for already in (False, True):
        answer = client.post(address, body, content_type="application/json", headers=agent.headers)
        assert answer.status_code == 200, answer.content
        assert answer.json() == {"accepted": True, "already": already}
        body = agent.report(work, agent.evidence(work, now=now))
    over.refresh_from_db()
    assert over.is_completed
    assert WipeEvidence.objects.count() == ErasureCertificate.objects.count() == 1


def test_a_lie_on_the_wire_is_kept_for_the_administrator_and_the_wipe_is_asked_for_anew(client, over, agent, work, now):
    lie = agent.evidence(work, now=now, account="root")
    answer = client.post(
        f"/agent/v1/work/{work.pk}/report",
        agent.report(work, lie),
        content_type="application/json",
        headers=agent.headers,
    )
    assert (answer.status_code, answer.json()["error"]) == (403, "implausible")
    assert agent.row.refusals.get().code == "implausible"
    over.refresh_from_db()
    assert over.wiped_at is None
    assert not WipeEvidence.objects.exists()
    states = list(Work.objects.filter(kind=WorkKind.WIPE).order_by("created_at", "pk").values_list("state", flat=True))
    assert states == [WorkState.FAILED, WorkState.WAITING]


def test_while_the_storage_is_away_the_wire_says_when_to_come_again(client, over, agent, work, now, settings):
    folder = settings.MEDIA_ROOT / "wipes" / f"{over.machine_id}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where the folder should be")
    try:
        answer = client.post(
            f"/agent/v1/work/{work.pk}/report",
            agent.report(work, agent.evidence(work, now=now)),
            content_type="application/json",
            headers=agent.headers,
        )
    finally:
        folder.unlink()
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    work.refresh_from_db()
    assert work.is_open
