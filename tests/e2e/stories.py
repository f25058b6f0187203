"""The agent in trouble: killed in the middle, cut off, left with a file that cannot be removed, followed at once.

Each story has a disposable machine of its own and runs beside the others, because each takes minutes of real time: a
booking ends when its minute has come. ``test_agent_stories.py`` then asks how each of them went.
"""

import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import Site
from tests.e2e.hosted import Hosted

#: From a booking's end to a machine without a trace of it (the issue's number).
SECONDS = 60
#: Beside five others on two cores.
LOADED = 3 * SECONDS


def lived_through(hosted: Hosted) -> None:
    """Nothing special happens: the story that the others differ from in one thing."""
    booking = hosted.book()
    hosted.wait_for_access(booking)
    uid = hosted.uid(booking)
    hosted.leave_things(booking)
    hosted.until(booking["end"])
    finish(hosted, booking, uid)


def finish(hosted: Hosted, booking: dict, uid: int) -> None:
    """Locked out, erased, completed, certified."""
    hosted.wait_for_refusal(booking, LOADED)
    hosted.wait_for_the_wipe(booking, LOADED)
    hosted.assert_nothing_is_left(booking, uid)
    assert hosted.row(booking)["booking_status"] == "completed"
    site = hosted.site
    assert site.sql("SELECT 1 FROM erasure_certificates WHERE booking_id = %s", booking["booking"])
    (wipes,) = site.sql(
        "SELECT count(DISTINCT wipe_method_executed) AS steps FROM data_wipes WHERE booking_id = %s AND status = 'success'",
        booking["booking"],
    )
    assert wipes["steps"] == 5


def killed_in_provision(hosted: Hosted) -> None:
    hosted.kill_agent()  # until the booking is known here: it would have been too quick
    booking = hosted.book(end=3)
    hosted.agent = hosted.start_agent()
    hosted.watch("the account to be made", lambda: hosted.has_account(booking))
    hosted.kill_agent()
    assert not hosted.site.sql("SELECT 1 FROM booking_accesses WHERE booking_id = %s", booking["booking"])
    hosted.agent = hosted.start_agent()
    hosted.wait_for_access(booking, 120)
    uid = hosted.uid(booking)
    hosted.leave_things(booking)
    hosted.until(hosted.row(booking)["end_timestamp"].timestamp())
    finish(hosted, booking, uid)


def killed_in_wipe(hosted: Hosted) -> None:
    booking = hosted.book()
    hosted.wait_for_access(booking)
    uid = hosted.uid(booking)
    hosted.leave_things(booking)
    many = "mkdir -p ~/many && cd ~/many && for d in $(seq 60); do mkdir $d; (cd $d && touch $(seq 500)); done"
    assert hosted.ssh(booking, many).returncode == 0
    hosted.until(booking["end"])
    hosted.site.wait("the wipe to have begun", lambda: not hosted.disposable.processes_of(uid), LOADED)
    hosted.kill_agent()
    assert hosted.has_account(booking)  # it was in the middle
    assert hosted.row(booking)["wiped_at"] is None
    hosted.agent = hosted.start_agent()
    finish(hosted, booking, uid)


def network_cut(hosted: Hosted) -> None:
    """The agent lives and reaches nobody: it locks the account by its own clock."""
    booking = hosted.book()
    hosted.wait_for_access(booking)
    uid = hosted.uid(booking)
    hosted.leave_things(booking)
    hosted.line.cut()
    assert hosted.ssh(booking, "true").returncode == 0
    hosted.until(booking["end"])
    assert hosted.wait_for_refusal(booking, 10) < 10
    hosted.site.wait("the buyer's processes to end", lambda: not hosted.disposable.processes_of(uid), 30)
    assert hosted.row(booking)["wiped_at"] is None
    hosted.line.mend()
    finish(hosted, booking, uid)


def agent_away(hosted: Hosted) -> None:
    """Nobody is there to lock anything: the keys themselves expire."""
    booking = hosted.book()
    hosted.wait_for_access(booking)
    uid = hosted.uid(booking)
    hosted.leave_things(booking)
    hosted.kill_agent()
    assert hosted.ssh(booking, "true").returncode == 0
    hosted.until(booking["end"])
    assert hosted.wait_for_refusal(booking, 5) < 5
    hosted.agent = hosted.start_agent()
    finish(hosted, booking, uid)


def immutable_file(hosted: Hosted) -> None:
    """A file that even root cannot remove just so."""
    booking = hosted.book()
    hosted.wait_for_access(booking)
    uid = hosted.uid(booking)
    hosted.leave_things(booking)
    for path, flag in ((f"/home/{booking['account']}/model.bin", "+i"), ("/var/tmp/left/more", "+a")):
        assert hosted.disposable.run("chattr", flag, path).returncode == 0
    hosted.until(booking["end"])
    finish(hosted, booking, uid)


def next_booking_right_after(hosted: Hosted) -> None:
    """A file that cannot be removed at all, and somebody waiting: nobody enters before it is gone."""
    booking = hosted.book()
    following = hosted.book(start=2, end=62, buyer=f"{hosted.name}-next")
    hosted.wait_for_access(booking)
    uid = hosted.uid(booking)
    place = "/scratch/stuck"
    for command in (
        f"mkdir {place}",
        f"mount -t tmpfs -o size=1m stuck {place}",
        f"touch {place}/file",
        f"chown {uid} {place}/file",
        f"mount -o remount,ro {place}",
    ):
        assert hosted.disposable.run(*command.split()).returncode == 0, command
    hosted.until(booking["end"])
    site = hosted.site
    site.wait(
        "a step of the wipe that fails",
        lambda: site.sql("SELECT 1 FROM data_wipes WHERE booking_id = %s AND status = 'failed'", booking["booking"]),
        LOADED,
    )
    for _ in range(20):
        assert hosted.row(following)["booking_status"] == "pending"
        assert not hosted.has_account(following)
        assert hosted.row(booking)["wiped_at"] is None
        time.sleep(0.5)
    assert hosted.disposable.run("mount", "-o", "remount,rw", place).returncode == 0
    hosted.wait_for_the_wipe(booking, LOADED)
    hosted.assert_nothing_is_left(booking, uid)
    hosted.wait_for_access(following, LOADED)
    assert hosted.row(following)["started_at"] >= hosted.row(booking)["wiped_at"]
    assert hosted.uid(following) != uid
    assert hosted.ssh(following, "true").returncode == 0


STORIES: dict[str, Callable[[Hosted], None]] = {
    "lived-through": lived_through,
    "killed-in-provision": killed_in_provision,
    "killed-in-wipe": killed_in_wipe,
    "network-cut": network_cut,
    "agent-away": agent_away,
    "immutable-file": immutable_file,
    "next-right-after": next_booking_right_after,
}


def tell(name: str, site: Site, folder: Path) -> None:
    """One of them on a machine of its own, made in ``folder`` and gone afterwards."""
    hosted = Hosted(site, folder, name)
    try:
        STORIES[name](hosted)
    except BaseException as error:
        error.add_note(f"The agent of {name} said:\n{hosted.agents_log()[-6000:]}")
        raise
    finally:
        hosted.close()
