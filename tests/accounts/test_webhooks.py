"""Webhooks: signed, delivered at least once, tried again, given up, switched off; and only to where they may go."""

import json
import re
from datetime import UTC, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from accounts.event_kinds import EventKind
from accounts.models import OutgoingMail, WebhookDelivery, WebhookEndpoint
from accounts.permissions import NotAllowed
from accounts.services import webhooks
from accounts.services.memberships import change_role
from accounts.services.preferences import Wishes, save_preferences
from accounts.services.telling import tell
from accounts.services.webhook_delivery import LONGEST_PAUSE, deliver_due
from accounts.services.webhooks import WebhookError
from common.outward import NoAnswer, TargetRefused
from common.sealing import unseal
from tests.accounts.receiver import PUBLIC, Said, played_network, receiving
from tests.organizations import make_member, make_organization
from tests.racing import at_once, twice_at_once
from tests.running import ROOT
from tests.signing_in import step_up

pytestmark = pytest.mark.django_db

EVENT = EventKind.ACCESS
PAGE = "/accounts/notifications/webhooks/"
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def receiver(settings):
    with receiving() as there:
        settings.MARKETPLACE_WEBHOOK_TRUSTED = {there.place}
        settings.MARKETPLACE_DISCORD_HOSTS = {"127.0.0.1"}
        yield there


def add(user, url, now, **fields):
    values = {"organization": None, "kind": "webhook", "name": "Ours", "events": [EVENT.value]} | fields
    return webhooks.add_endpoint(user=user, url=url, now=now, **values)


@pytest.fixture
def added(buyer, receiver, now):
    return add(buyer, f"{receiver.origin}/in", now)


@pytest.fixture
def endpoint(added):
    return added[0]


def happen(user, now, key="1", event=EVENT, **more):
    tell(
        user=user,
        event=event,
        key=key,
        subject=f"Event {key}",
        paragraphs=["It happened: ünïcode."],
        action=("Look", "/bookings/"),
        about={"booking": "b-1"},
        now=now,
        **more,
    )


# What is sent ---------------------------------------------------------------------------------------------


def as_documented(secret: str, headers, body: bytes, *, now: float) -> bool:
    """The check that ``docs/webhooks.md`` shows, run as it stands there, by a clock that shows ``now``."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "webhooks.md").read_text(), re.DOTALL)
    there: dict[str, Any] = {}
    exec(code, there)
    there["time"] = SimpleNamespace(time=lambda: now)
    return there["is_genuine"](secret, headers, body)


def test_an_event_is_posted_as_json_with_a_signature_that_holds(added, receiver, buyer, now):
    secret = added[1]
    happen(buyer, now)
    assert deliver_due(now=now) == 1
    (got,) = receiver.got
    said = json.loads(got.body)
    assert (got.path, got.headers["Content-Type"]) == ("/in", "application/json")
    assert (said["event"], said["title"], said["text"]) == ("booking.access", "Event 1", "It happened: ünïcode.")
    assert said["about"] == {"booking": "b-1"}
    assert said["url"].endswith("/bookings/")
    assert said["id"] == got.headers["Webhook-Id"] == str(WebhookDelivery.objects.get().pk)
    assert as_documented(secret, got.headers, got.body, now=now.timestamp())


def test_what_was_changed_or_is_played_again_later_does_not_hold(added, receiver, buyer, now):
    secret = added[1]
    happen(buyer, now)
    deliver_due(now=now)
    (got,) = receiver.got
    assert not as_documented(secret, got.headers, got.body + b" ", now=now.timestamp())
    assert not as_documented("another", got.headers, got.body, now=now.timestamp())
    assert not as_documented(secret, got.headers, got.body, now=now.timestamp() + 301)
    moved = {**got.headers, "Webhook-Timestamp": str(int(now.timestamp()) + 301)}
    assert not as_documented(secret, moved, got.body, now=now.timestamp() + 301)


def test_for_a_day_both_secrets_hold_after_one_was_replaced(added, receiver, buyer, now):
    endpoint, old = added
    new = webhooks.replace_secret(endpoint=endpoint, by=buyer, now=now)
    happen(buyer, now)
    deliver_due(now=now)
    happen(buyer, now + DAY, "2")
    deliver_due(now=now + DAY)
    first, second = receiver.got
    for got, holds in ((first, [old, new]), (second, [new])):
        at = int(got.headers["Webhook-Timestamp"])
        assert [secret for secret in (old, new) if as_documented(secret, got.headers, got.body, now=at)] == holds


def test_the_secret_is_kept_sealed(added, settings):
    endpoint, secret = added
    assert secret not in endpoint.sealed_secret
    assert unseal(endpoint.sealed_secret) == secret
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "x" * 50, [settings.SECRET_KEY]
    assert unseal(endpoint.sealed_secret) == secret


def test_a_secret_that_can_not_be_read_any_more_switches_it_off(endpoint, receiver, buyer, now, settings):
    settings.SECRET_KEY = "x" * 50
    happen(buyer, now)
    assert deliver_due(now=now) == 0
    endpoint.refresh_from_db()
    assert "secret" in endpoint.disabled_because
    assert receiver.got == []


def test_only_what_was_chosen_and_only_ones_own_is_sent(endpoint, receiver, buyer, other_buyer, now):
    happen(buyer, now, "1", event=EventKind.ENDED)
    happen(other_buyer, now, "2")
    assert deliver_due(now=now) == 0
    happen(buyer, now, "3")
    happen(buyer, now, "3")
    assert deliver_due(now=now) == 1


def test_an_organizations_hears_once_of_what_several_people_are_told(receiver, buyer, other_buyer, provider, now):
    organization = make_organization(provider)
    add(provider, f"{receiver.origin}/in", now, organization=organization)
    for user in (buyer, other_buyer):
        happen(user, now, "same", organization=organization)
        happen(user, now, "other")
    assert deliver_due(now=now) == 1
    assert json.loads(receiver.got[0].body)["organization"] == str(organization.pk)


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_send_it_once(endpoint, receiver, buyer, now):
    happen(buyer, now)
    assert sum(twice_at_once(partial(deliver_due, now=now))) == 1
    assert len(receiver.got) == 1


# When it is not taken -------------------------------------------------------------------------------------


def sweep(now, hours, every=MINUTE):
    """Sweeps in that time; the moments at which one of them delivered."""
    return [at for at in (now + n * every for n in range(int(hours * HOUR / every))) if deliver_due(now=at)]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Said(500), "It answered 500."),
        (Said(404), "It answered 404."),
        (Said(301, {"Location": "/there"}), "redirect (301)"),
        (Said(302, {"Location": "http://127.0.0.1/"}), "redirect (302)"),
    ],
)
def test_what_is_not_taken_comes_again_until_it_is(endpoint, receiver, buyer, now, said, error):
    receiver.answers = [said, said, Said(204)]
    happen(buyer, now)
    assert deliver_due(now=now) == 0
    row = WebhookDelivery.objects.get()
    assert error in row.error
    assert (row.response_code, row.status) == (said.status, "pending")
    assert deliver_due(now=now + SECOND) == 0
    assert deliver_due(now=row.next_attempt_at) == 0
    row.refresh_from_db()
    assert row.next_attempt_at - now > MINUTE, "the pauses grow"
    assert deliver_due(now=row.next_attempt_at) == 1
    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since) == (0, None)
    ids = {got.headers["Webhook-Id"] for got in receiver.got}
    assert (len(receiver.got), len(ids)) == (3, 1)


def test_who_does_not_answer_in_time_is_tried_again(endpoint, receiver, buyer, now, settings):
    settings.MARKETPLACE_WEBHOOK_SECONDS = 0.3
    receiver.answers = [Said(drips=True)]
    happen(buyer, now)
    assert deliver_due(now=now) == 0
    assert WebhookDelivery.objects.get().error == "It did not answer in time."


def test_what_fails_for_long_is_switched_off_with_a_mail(endpoint, receiver, buyer, now, settings):
    receiver.answers = [Said(500)]
    settings.MARKETPLACE_WEBHOOK_FAILURES, settings.MARKETPLACE_WEBHOOK_FAILING = 3, 2 * HOUR
    happen(buyer, now)
    sweep(now, 2)
    endpoint.refresh_from_db()
    assert endpoint.disabled_at is None, "not long enough yet"
    sweep(now + 2 * HOUR, 8, every=10 * MINUTE)
    endpoint.refresh_from_db()
    assert endpoint.disabled_at is not None
    (letter,) = OutgoingMail.objects.filter(user=buyer, key__startswith="webhook-disabled")
    for version in (letter.text, letter.html):
        assert "It answered 500." in version
        assert f"{PAGE}{endpoint.pk}/" in version
    tries = len(receiver.got)
    happen(buyer, now, "2")
    sweep(now + 11 * HOUR, 1)
    assert len(receiver.got) == tries, "nothing is sent while it is off"

    receiver.answers = [Said()]
    later = now + 12 * HOUR
    webhooks.enable(endpoint=endpoint, by=endpoint.user, now=later)
    assert deliver_due(now=later) == 1
    assert WebhookDelivery.objects.get().status == "delivered"


def test_the_mail_about_an_organizations_goes_to_its_administrators(receiver, provider, buyer, member, now):
    organization = make_organization(provider)
    make_member(organization, buyer, "administrator")
    make_member(organization, member)
    add(provider, f"{receiver.origin}/in", now, organization=organization)
    receiver.answers = [Said(410)]
    happen(member, now, organization=organization)
    deliver_due(now=now)
    letters = OutgoingMail.objects.filter(key__startswith="webhook-disabled")
    assert {letter.user for letter in letters} == {provider, buyer}


def test_one_that_fails_is_asked_once_a_sweep_and_keeps_nobody_waiting(endpoint, receiver, buyer, provider, now):
    with receiving() as other:
        webhooks.settings.MARKETPLACE_WEBHOOK_TRUSTED |= {other.place}
        add(provider, f"{other.origin}/in", now)
        receiver.answers = [Said(503)]
        for key in range(5):
            happen(buyer, now, f"{key}")
        happen(provider, now)
        assert deliver_due(now=now) == 1
        assert (len(receiver.got), len(other.got)) == (1, 1)
        assert deliver_due(now=now + 5 * SECOND) == 0
        assert len(receiver.got) == 1


def test_the_pauses_grow_up_to_the_longest_and_after_days_it_is_given_up(endpoint, receiver, buyer, now, settings):
    settings.MARKETPLACE_WEBHOOK_FAILING = 30 * DAY
    receiver.answers = [Said(500)]
    happen(buyer, now)
    at, moments = now, []
    while WebhookDelivery.objects.get().status == "pending":
        moments.append(at)
        deliver_due(now=at)
        at = WebhookDelivery.objects.get().next_attempt_at
    pauses = [after - before for before, after in pairwise(moments)]
    assert pauses == sorted(pauses)
    assert max(pauses) == LONGEST_PAUSE
    assert 2 * DAY < moments[-1] - now <= 3 * DAY
    webhooks.redeliver(endpoint=endpoint, delivery_id=WebhookDelivery.objects.get().pk, by=endpoint.user, now=at)
    receiver.answers = [Said()]
    assert deliver_due(now=at) == 1


def test_a_name_that_has_moved_inside_since_it_was_entered_gets_nothing(buyer, now, monkeypatch, settings):
    with receiving() as inside, played_network(monkeypatch, inside.port) as network:
        network.names["hooks.example.org"] = [[PUBLIC], ["127.0.0.1"]]
        add(buyer, "https://hooks.example.org/in", now)
        happen(buyer, now)
        assert deliver_due(now=now) == 0
        assert "not on the public Internet" in WebhookDelivery.objects.get().error
        assert (inside.got, network.connected) == ([], [])


# Discord --------------------------------------------------------------------------------------------------


@pytest.fixture
def discord(buyer, receiver, now):
    receiver.answers = [Said(204)]
    endpoint, secret = add(buyer, f"{receiver.origin}/api/webhooks/1/token", now, kind="discord")
    assert secret == ""
    return endpoint


def test_discord_gets_an_embed_that_mentions_nobody(discord, receiver, buyer, now):
    tell(user=buyer, event=EVENT, key="1", subject="@everyone " + "x" * 400, paragraphs=["Text"], tone="bad", now=now)
    assert deliver_due(now=now) == 1
    said = json.loads(receiver.got[0].body)
    assert said["allowed_mentions"] == {"parse": []}
    (embed,) = said["embeds"]
    assert (len(embed["title"]), embed["description"]) == (256, "Text")
    assert "Webhook-Signature" not in receiver.got[0].headers


def test_discords_wish_to_be_slower_is_no_failure(discord, receiver, buyer, now):
    receiver.answers = [Said(429, {"Retry-After": "65.5"}), Said(204)]
    happen(buyer, now, "1")
    happen(buyer, now, "2")
    assert deliver_due(now=now) == 0
    discord.refresh_from_db()
    assert discord.failures == 0
    assert deliver_due(now=now + 65 * SECOND) == 0
    assert deliver_due(now=now + 66 * SECOND) == 2


@pytest.mark.parametrize("wait", ["nan", "inf", "-5", "Fri, 31 Dec 1999 23:59:59 GMT", "99999999"])
def test_a_wish_that_cannot_be_is_held_within_bounds(discord, receiver, buyer, now, wait):
    receiver.answers = [Said(429, {"Retry-After": wait})]
    happen(buyer, now)
    deliver_due(now=now)
    assert now < WebhookDelivery.objects.get().next_attempt_at <= now + HOUR


def test_a_webhook_that_discord_does_not_know_any_more_is_switched_off(discord, receiver, buyer, now):
    receiver.answers = [Said(404)]
    happen(buyer, now)
    deliver_due(now=now)
    discord.refresh_from_db()
    assert discord.disabled_at == now


def test_in_quiet_hours_discord_waits_and_programs_do_not(discord, receiver, buyer):
    night = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
    WebhookEndpoint.objects.update(events=[EventKind.CHANGED, EVENT])
    add(buyer, f"{receiver.origin}/in", night, events=[EventKind.CHANGED])
    save_preferences(user=buyer, wishes=Wishes(quiet_from=time(22), quiet_until=time(7)), now=night)
    happen(buyer, night, "waits", event=EventKind.CHANGED)
    happen(buyer, night, "never waits")
    assert deliver_due(now=night) == 2
    assert deliver_due(now=night.replace(hour=7, minute=0)) == 1


# Where they may go ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "url", "refused"),
    [
        ("webhook", "https://127.0.0.1/", TargetRefused),
        ("webhook", "https://169.254.169.254/latest/meta-data/", TargetRefused),
        ("webhook", "http://hooks.example.org/", TargetRefused),
        ("webhook", "https://no-such-name.invalid/", NoAnswer),
        ("discord", "https://hooks.example.org/api/webhooks/1/x", WebhookError),
        ("discord", "https://discord.com/channels/1", WebhookError),
        ("discord", "https://discord.com.example.org/api/webhooks/1/x", WebhookError),
        ("discord", "https://discord.com@127.0.0.1/api/webhooks/1/x", TargetRefused),
    ],
)
def test_addresses_that_are_refused_when_they_are_entered(buyer, now, kind, url, refused):
    with pytest.raises(refused) as error:
        add(buyer, url, now, kind=kind)
    assert error.value.field == "url"


def test_another_address_is_looked_at_like_the_first(endpoint):
    with pytest.raises(TargetRefused):
        webhooks.edit_endpoint(
            endpoint=endpoint, by=endpoint.user, name="x", url="https://10.0.0.1/", events=[EVENT.value]
        )


@pytest.mark.parametrize(
    ("fields", "field"), [({"name": "  "}, "name"), ({"events": []}, "events"), ({"events": ["nonsense"]}, "events")]
)
def test_what_a_webhook_needs(buyer, receiver, now, fields, field):
    with pytest.raises(WebhookError) as error:
        add(buyer, receiver.origin, now, **fields)
    assert error.value.field == field


@pytest.mark.django_db(transaction=True)
def test_two_added_at_once_are_not_one_too_many(buyer, receiver, now, monkeypatch):
    monkeypatch.setattr(webhooks, "MOST_ENDPOINTS", 1)
    results = at_once([partial(add, buyer, f"{receiver.origin}/in", now)] * 2)
    assert sorted(isinstance(result, WebhookError) for result in results) == [False, True]


# The pages ------------------------------------------------------------------------------------------------


def test_a_webhook_from_adding_it_to_its_first_message(client, buyer, receiver, now):
    client.force_login(buyer)
    step_up(client)
    typed = {"kind": "webhook", "name": "CI", "url": f"{receiver.origin}/in", "events": [EVENT.value]}
    answer = client.post(f"{PAGE}new/", typed)
    endpoint = WebhookEndpoint.objects.get()
    secret = unseal(endpoint.sealed_secret)
    assert secret in answer.text
    page = f"{PAGE}{endpoint.pk}/"
    assert secret not in client.get(page).text, "it is shown once"
    for _ in range(2):
        client.post(f"{page}test/")
    row = WebhookDelivery.objects.get()
    assert deliver_due(now=row.next_attempt_at) == 1
    assert json.loads(receiver.got[0].body)["event"] == "test"
    assert "Test of “CI”" in client.get(page).text
    client.post(f"{page}deliveries/{row.pk}/again/")
    assert deliver_due(now=row.next_attempt_at + MINUTE) == 1
    another = client.post(f"{page}secret/").text
    assert secret not in another
    assert unseal(WebhookEndpoint.objects.get().sealed_secret) in another
    client.post(f"{page}remove/")
    assert not WebhookEndpoint.objects.exists()


def test_adding_one_another_secret_and_another_address_ask_again_who_it_is(client, buyer, endpoint, receiver):
    client.force_login(buyer)
    secret, page = unseal(endpoint.sealed_secret), f"{PAGE}{endpoint.pk}/"
    typed = {"kind": "webhook", "name": "CI", "url": f"{receiver.origin}/in", "events": [EVENT.value]}
    elsewhere = {"name": "Ours", "url": f"{receiver.origin}/elsewhere", "events": [EVENT.value]}
    for path, posted in ((f"{PAGE}new/", typed), (f"{page}secret/", {}), (f"{page}edit/", elsewhere)):
        answer = client.post(path, posted)
        assert answer.status_code == 302
        assert "reauthenticate" in answer["Location"]
    endpoint.refresh_from_db()
    assert (unseal(endpoint.sealed_secret), endpoint.url) == (secret, f"{receiver.origin}/in")
    assert not endpoint.former_secret
    # Other words for the same address are no secret, and a form that does not do is said so first.
    assert client.post(f"{page}edit/", elsewhere | {"name": "Theirs", "url": endpoint.url}).url == page
    assert client.post(f"{PAGE}new/", typed | {"name": ""}).status_code == 422
    step_up(client)
    assert client.post(f"{page}edit/", elsewhere).url == page
    endpoint.refresh_from_db()
    assert endpoint.url == f"{receiver.origin}/elsewhere"


def test_what_is_refused_is_said_at_the_field_and_what_was_typed_stays(client, buyer):
    client.force_login(buyer)
    step_up(client)
    typed = {"kind": "webhook", "name": "CI", "url": "https://10.0.0.1/in", "events": [EVENT.value]}
    answer = client.post(f"{PAGE}new/", typed)
    assert answer.status_code == 422
    assert "not on the public Internet" in answer.text
    assert 'value="https://10.0.0.1/in"' in answer.text


def test_one_that_is_off_says_why_and_is_switched_on(client, buyer, endpoint, now):
    WebhookEndpoint.objects.update(disabled_at=now, disabled_because="It answered 500.")
    client.force_login(buyer)
    page = f"{PAGE}{endpoint.pk}/"
    assert "It answered 500." in client.get(page).text
    assert "Switch it on first" in client.post(f"{page}test/", follow=True).text
    client.post(f"{page}enable/")
    endpoint.refresh_from_db()
    assert endpoint.disabled_at is None


def test_a_discord_address_is_not_shown_whole(client, buyer, discord):
    client.force_login(buyer)
    html = client.get(f"{PAGE}{discord.pk}/").text
    assert "/api/webhooks/1/token" not in html


@pytest.mark.parametrize(("role", "expected"), [("administrator", 200), ("billing", 404), ("member", 404)])
def test_an_organizations_are_looked_after_by_its_administrators(
    client, provider, buyer, receiver, now, role, expected
):
    organization = make_organization(provider)
    membership = make_member(organization, buyer, role)
    endpoint, _secret = add(provider, f"{receiver.origin}/in", now, organization=organization)
    client.force_login(buyer)
    assert client.get(f"{PAGE}{endpoint.pk}/").status_code == expected
    assert ("Ours" in client.get(PAGE).text) == (expected == 200)
    assert (organization.name in client.get(f"{PAGE}new/").text) == (expected == 200)
    membership.left_at = now
    membership.save(update_fields=["left_at"])
    assert client.get(f"{PAGE}{endpoint.pk}/").status_code == 404


def test_from_the_organizations_page_one_is_added_for_it(client, provider, receiver):
    organization = make_organization(provider)
    home = f"/organizations/{organization.pk}"
    client.force_login(provider)
    step_up(client)
    assert f"{PAGE}new/?organization={organization.pk}" in client.get(f"{home}/webhooks/").text
    assert f"{home}/webhooks/" in client.get(f"{home}/").text
    form = client.get(f"{PAGE}new/", {"organization": organization.pk})
    assert form.context["form"]["owner"].value() == str(organization.pk)
    assert f'href="{home}/webhooks/"' in form.text
    typed = {"owner": str(organization.pk), "kind": "webhook", "name": "Scheduler", "url": f"{receiver.origin}/in"}
    client.post(f"{PAGE}new/?organization={organization.pk}", typed | {"events": [EVENT.value]})
    endpoint = organization.webhooks.get()
    assert "Scheduler" in client.get(f"{home}/webhooks/").text
    assert f'href="{home}/webhooks/"' in client.get(f"{PAGE}{endpoint.pk}/").text
    assert client.post(f"{PAGE}{endpoint.pk}/remove/").url == f"{home}/webhooks/"
    assert client.get(f"{PAGE}new/", {"organization": "nonsense"}).context["form"]["owner"].value() == "own"


@pytest.mark.parametrize("looks_after_another", [True, False])
def test_a_role_that_was_lost_while_the_form_was_open_makes_no_webhook_of_their_own(
    client, provider, buyer, receiver, now, looks_after_another
):
    organization = make_organization(provider)
    make_member(organization, buyer)
    if looks_after_another:
        make_organization(buyer, "Another")
    client.force_login(buyer)
    step_up(client)
    typed = {"owner": str(organization.pk), "kind": "webhook", "name": "Scheduler", "url": f"{receiver.origin}/in"}
    answer = client.post(f"{PAGE}new/", typed | {"events": [EVENT.value]})
    assert answer.status_code == 422
    assert "You do not look after its webhooks any more." in answer.text
    with pytest.raises(NotAllowed):
        add(buyer, f"{receiver.origin}/in", now, organization=organization)
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("what", ["edit", "replace the secret", "switch on", "test", "send again"])
def test_a_role_that_was_lost_while_a_page_was_open_changes_no_webhook_of_the_organization(
    provider, buyer, receiver, now, what
):
    organization = make_organization(provider)
    mine = make_member(organization, buyer, "administrator")
    endpoint, _secret = add(buyer, f"{receiver.origin}/in", now, organization=organization)
    happen(buyer, now, organization=organization)
    delivery = endpoint.deliveries.get()
    WebhookEndpoint.objects.update(disabled_at=now if what == "switch on" else None)
    endpoint.refresh_from_db()
    services = {
        "edit": partial(webhooks.edit_endpoint, name="Mine", url=f"{receiver.origin}/mine", events=[EVENT.value]),
        "replace the secret": partial(webhooks.replace_secret, now=now),
        "switch on": partial(webhooks.enable, now=now),
        "test": partial(webhooks.send_test, now=now),
        "send again": partial(webhooks.redeliver, delivery_id=delivery.pk, now=now),
    }
    change_role(membership=mine, role="member", by=provider, now=now)
    before = WebhookEndpoint.objects.values().get()
    with pytest.raises(NotAllowed, match="This needs another: administrator"):
        services[what](endpoint=endpoint, by=buyer)
    assert WebhookEndpoint.objects.values().get() == before
    assert list(endpoint.deliveries.all()) == [delivery]
    services[what](endpoint=endpoint, by=provider)


def test_an_organization_hears_both_of_what_its_member_booked_and_of_its_own_machine(provider, buyer, receiver, now):
    """Both are told by the same key, to the buyer and to the provider."""
    organization = make_organization(provider)
    chosen = [EventKind.CONFIRMED.value, EventKind.BOOKED.value]
    endpoint, _secret = add(provider, f"{receiver.origin}/in", now, organization=organization, events=chosen)
    for _twice in range(2):
        happen(buyer, now, "booking-confirmed:1", EventKind.CONFIRMED, organization=organization)
        happen(provider, now, "booking-confirmed:1", EventKind.BOOKED, organization=organization)
    assert sorted(endpoint.deliveries.values_list("event", flat=True)) == sorted(chosen)


def test_old_deliveries_are_forgotten(endpoint, buyer, now, settings):
    happen(buyer, now)
    later = now + timedelta(days=settings.MARKETPLACE_WEBHOOK_DAYS + 1)
    assert webhooks.tidy(now=now) == 0
    assert webhooks.tidy(now=later) == 1
