"""One place where events become messages: in the page, by mail, at once, later or never, as the person has chosen."""

import re
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path

import pytest
from django.core import mail

from accounts import outbox, unsubscribing
from accounts.event_kinds import NATURES, EventGroup, EventKind, kinds_of
from accounts.models import DigestPace, MailWish, MessagePreferences, OutgoingMail
from accounts.services import digests
from accounts.services.preferences import PreferencesError, Wishes, save_preferences, stop_mails
from accounts.services.telling import tell
from tests.racing import twice_at_once

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parent.parent.parent
#: 03:30 in Berlin, in winter.
NIGHT = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
MORNING = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
EIGHT = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)

WAITS, NEVER_WAITS = EventKind.CHANGED, EventKind.ACCESS


def told(user, event, now, key="k", **more):
    tell(
        user=user,
        event=event,
        key=f"{event}:{key}",
        subject=f"About {event}",
        paragraphs=["What <happened>.", ""],
        action=("Look", "/bookings/"),
        now=now,
        **more,
    )
    return OutgoingMail.objects.filter(user=user, key=f"{event}:{key}").first()


def wish(user, now, **wishes):
    return save_preferences(user=user, wishes=Wishes(**wishes), now=now)


@pytest.fixture
def berliner(buyer):
    buyer.timezone = "Europe/Berlin"
    buyer.save(update_fields=["timezone"])
    return buyer


# The catalogue --------------------------------------------------------------------------------------------


def test_every_event_has_a_nature_and_a_group():
    assert set(NATURES) == set(EventKind)
    assert {event for group in EventGroup for event in kinds_of(group)} == set(EventKind)
    assert all(nature.page or nature.mail for nature in NATURES.values())


def test_what_must_reach_people_cannot_be_switched_off():
    fixed = {EventKind.SECURITY, EventKind.UNPAID, EventKind.ACCESS, EventKind.WIPE_WANTED, EventKind.INVOICE}
    assert all(NATURES[event].fixed and NATURES[event].mail for event in fixed)
    assert all(nature.mail for nature in NATURES.values() if nature.fixed)


def test_everything_that_happens_to_people_is_told_here():
    """Whoever writes past it takes the choice away. Only what is below this may."""
    below = {"accounts/services/telling.py", "accounts/outbox.py", "accounts/services/notifications.py"}
    # A letter to an address that need not be anybody's yet, and a word in the page beside it.
    below |= {"accounts/services/organization_news.py"}
    found = []
    for room in ("accounts", "bookings", "billing", "machines"):
        for path in (ROOT / room).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name not in below and re.search(r"\b(write_mail|notify)\(", path.read_text()):
                found.append(name)
    assert found == []


# Where ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EventKind)
def test_by_itself_each_event_goes_where_the_catalogue_says(buyer, now, event):
    sent = told(buyer, event, now)
    assert (sent is not None) == event.nature.mail
    assert buyer.notifications.filter(event=event).exists() == event.nature.page


def test_told_again_it_is_told_once(buyer, now):
    for _ in range(2):
        told(buyer, WAITS, now)
    assert OutgoingMail.objects.filter(user=buyer).count() == buyer.notifications.count() == 1


@pytest.mark.django_db(transaction=True)
def test_told_by_two_at_once_it_is_told_once(buyer, now):
    twice_at_once(partial(told, buyer, WAITS, now))
    assert OutgoingMail.objects.filter(user=buyer).count() == buyer.notifications.count() == 1


@pytest.mark.parametrize("page", [True, False])
@pytest.mark.parametrize("by_mail", [MailWish.AT_ONCE, MailWish.NEVER])
def test_what_was_chosen_is_what_happens(buyer, other_buyer, now, page, by_mail):
    wish(buyer, now, page={WAITS: page}, mail={WAITS: by_mail})
    sent = told(buyer, WAITS, now)
    assert (sent is not None) == (by_mail == MailWish.AT_ONCE)
    assert buyer.notifications.exists() == page
    assert told(other_buyer, WAITS, now) is not None


def test_only_what_differs_from_the_defaults_is_kept(buyer, now):
    wish(buyer, now, page={WAITS: False}, mail={WAITS: MailWish.NEVER})
    row = wish(buyer, now, page={WAITS: True}, mail={WAITS: MailWish.AT_ONCE})
    assert (row.page, row.mail) == ({}, {})


@pytest.mark.parametrize("chosen", [MailWish.NEVER, MailWish.DIGEST])
def test_a_row_that_says_otherwise_does_not_stop_what_is_always_sent(buyer, now, chosen):
    MessagePreferences.objects.create(user=buyer, mail={NEVER_WAITS.value: chosen.value}, digest="daily")
    assert not told(buyer, NEVER_WAITS, now).is_for_digest
    with pytest.raises(PreferencesError):
        wish(buyer, now, mail={NEVER_WAITS: chosen})


def test_the_page_may_say_it_in_other_words(buyer, now):
    told(buyer, WAITS, now, title="Short", text="Shorter", link="/elsewhere/")
    row = buyer.notifications.get()
    assert (row.title, row.text, row.link) == ("Short", "Shorter", "/elsewhere/")


# When -----------------------------------------------------------------------------------------------------

QUIET = {"quiet_from": time(22), "quiet_until": time(7)}


@pytest.mark.parametrize("event", EventKind)
def test_in_quiet_hours_what_can_wait_waits_for_their_end(berliner, event):
    wish(berliner, NIGHT, **QUIET)
    sent = told(berliner, event, NIGHT)
    if sent is not None:
        assert (sent.next_attempt_at == MORNING) == (not event.nature.urgent)


def test_it_is_sent_when_they_end(berliner):
    wish(berliner, NIGHT, **QUIET)
    told(berliner, WAITS, NIGHT)
    assert outbox.send_due(now=MORNING - timedelta(minutes=1)) == 0
    assert outbox.send_due(now=MORNING) == 1


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [(time(22), None, "quiet_until"), (None, time(7), "quiet_from"), (time(7), time(7), "quiet_until")],
)
def test_quiet_hours_that_are_none(buyer, now, start, end, field):
    with pytest.raises(PreferencesError) as refused:
        wish(buyer, now, quiet_from=start, quiet_until=end)
    assert refused.value.field == field


# The digest -----------------------------------------------------------------------------------------------

DAILY = {"digest": DigestPace.DAILY, "mail": {WAITS: MailWish.DIGEST, EventKind.ERASED: MailWish.DIGEST}}


def test_what_was_chosen_for_the_digest_comes_in_one_mail_at_eight(berliner):
    wish(berliner, NIGHT, **DAILY)
    for key in ("one", "two"):
        told(berliner, WAITS, NIGHT, key)
    told(berliner, EventKind.ERASED, NIGHT)
    told(berliner, NEVER_WAITS, NIGHT)
    assert outbox.send_due(now=datetime.max.replace(tzinfo=UTC) - timedelta(days=1)) == 1, "the one that never waits"
    assert digests.gather_due(now=EIGHT - timedelta(minutes=1)) == 0
    assert digests.gather_due(now=EIGHT) == 1
    assert digests.gather_due(now=EIGHT) == 0
    assert outbox.send_due(now=EIGHT) == 1
    digest = mail.outbox[-1]
    html = digest.alternatives[0].content
    assert digest.subject == "3 messages for you"
    assert digest.body.count("What <happened>.") == 3
    assert html.count("What &lt;happened&gt;.") == 3
    assert "/bookings/" in digest.body
    assert digest.body.index("About booking.changed") < digest.body.index("About booking.erased")
    assert unsubscribing.link(berliner, unsubscribing.DIGEST) in digest.body
    assert unsubscribing.link(berliner, unsubscribing.DIGEST) in html


@pytest.mark.django_db(transaction=True)
def test_gathered_by_two_at_once_there_is_one_digest(berliner):
    wish(berliner, NIGHT, **DAILY)
    told(berliner, WAITS, NIGHT)
    twice_at_once(partial(digests.gather_due, now=EIGHT))
    assert OutgoingMail.objects.filter(event=unsubscribing.DIGEST).count() == 1


def test_without_a_digest_what_waits_for_it_is_sent(berliner):
    wish(berliner, NIGHT, **DAILY)
    told(berliner, WAITS, NIGHT)
    wish(berliner, NIGHT, digest=DigestPace.OFF)
    assert digests.gather_due(now=EIGHT) == 0
    assert outbox.send_due(now=NIGHT) == 1
    assert not told(berliner, WAITS, NIGHT, "later").is_for_digest


def test_another_pace_moves_what_waits(berliner):
    wish(berliner, NIGHT, **DAILY)
    waiting = told(berliner, WAITS, NIGHT)
    wish(berliner, NIGHT, digest=DigestPace.WEEKLY)
    waiting.refresh_from_db()
    assert waiting.next_attempt_at == EIGHT + timedelta(days=2)


# Stopping mails -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EventKind)
def test_each_mail_that_can_be_stopped_says_how_in_both_versions_and_in_its_headers(buyer, now, event):
    sent = told(buyer, event, now)
    if sent is None:
        return
    link = unsubscribing.link(buyer, event.value)
    assert (link in sent.text) == (link in sent.html) == event.can_be_stopped
    headers = unsubscribing.headers(sent)
    if event.can_be_stopped:
        assert headers == {
            "List-Unsubscribe": f"<{link}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    else:
        assert headers == {}


def test_the_headers_are_on_the_mail_that_goes_out(buyer, now):
    told(buyer, WAITS, now)
    outbox.send_due(now=now + timedelta(minutes=1))
    assert mail.outbox[0].extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_stopped_mails_stop_also_those_that_wait(berliner):
    wish(berliner, NIGHT, **QUIET)
    told(berliner, WAITS, NIGHT)
    for _ in range(2):
        stop_mails(user=berliner, what=WAITS.value)
    assert outbox.send_due(now=MORNING) == 0
    assert told(berliner, WAITS, NIGHT, "later") is None
    assert berliner.notifications.count() == 2, "in the page it is told as before"


def test_stopping_the_digest_stops_the_kinds_that_it_is_made_of(berliner):
    wish(berliner, NIGHT, **DAILY)
    told(berliner, WAITS, NIGHT)
    stop_mails(user=berliner, what=unsubscribing.DIGEST)
    assert digests.gather_due(now=EIGHT) == 0
    assert told(berliner, EventKind.ERASED, NIGHT) is None
    assert told(berliner, EventKind.MAINTENANCE, NIGHT) is not None


@pytest.mark.parametrize("what", [NEVER_WAITS.value, "nonsense"])
def test_no_link_stops_what_is_always_sent(buyer, what):
    token = unsubscribing.link(buyer, what).split("/")[-2]
    with pytest.raises(unsubscribing.BadLink):
        unsubscribing.opened(token)
