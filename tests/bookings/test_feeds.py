"""Calendar feeds: who gets which events, how they look to a calendar program, and their secret addresses."""

from datetime import timedelta

import pytest
from django.urls import reverse
from icalendar import Calendar

from accounts.models import ApiToken, Scope
from accounts.services.tokens import make_token, renew_feed, revoke_token
from bookings.services.cancel import cancel_booking
from bookings.services.maintenance import announce, cancel_maintenance
from tests.organizations import book, leave, make_member, make_organization, make_organization_details, make_project
from tests.people import DAY, HOUR, make_hold, make_paid, mark_paid, minute

pytestmark = pytest.mark.django_db

HOSTILE = "Evil\r\nBEGIN:VEVENT\nSUMMARY:x\r\nEND:VEVENT; a,b\\c \x07\u2028" + "ü" * 200


def address(user, now, name="feed_bookings", organization=None) -> str:
    _token, secret = renew_feed(user=user, organization=organization, now=now)
    return reverse(name, args=[secret])


def events(client, path) -> list:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    return Calendar.from_ical(answer.content).walk("VEVENT")


def summaries(client, path) -> list[str]:
    return sorted(str(event["SUMMARY"]) for event in events(client, path))


# What is in them ------------------------------------------------------------------------------------------


def test_a_buyer_follows_their_bookings(client, listing, other_listing, buyer, other_buyer, now):
    held = make_hold(listing, buyer, start=now + 2 * DAY, asked=now)
    paid = make_paid(other_listing, buyer, start=now + 3 * DAY, asked=now)
    make_paid(listing, other_buyer, start=now + 5 * DAY, asked=now)
    by_uid = {str(event["UID"]).split("@")[0]: event for event in events(client, address(buyer, now))}
    assert set(by_uid) == {f"booking-{held.pk}", f"booking-{paid.pk}"}
    event = by_uid[f"booking-{paid.pk}"]
    assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (paid.start, paid.end)
    assert event.to_ical().count(b"Z\r\n") == 4  # every time is in UTC
    assert (str(event["STATUS"]), str(by_uid[f"booking-{held.pk}"]["STATUS"])) == ("CONFIRMED", "TENTATIVE")
    assert paid.reference in event["DESCRIPTION"]
    assert event["URL"].endswith(f"/bookings/{paid.pk}/")


def test_a_canceled_booking_stays_as_such_with_a_higher_sequence(client, paid, buyer, now):
    path = address(buyer, now)
    (before,) = events(client, path)
    cancel_booking(booking_id=paid.pk, by=buyer, now=now + HOUR)
    (after,) = events(client, path)
    assert (str(before["STATUS"]), str(after["STATUS"])) == ("CONFIRMED", "CANCELLED")
    assert before["UID"] == after["UID"]
    assert after["SEQUENCE"] > before["SEQUENCE"]
    assert after.decoded("LAST-MODIFIED") > before.decoded("LAST-MODIFIED")


def test_what_has_long_been_over_is_left_out(client, listing, buyer, now):
    make_paid(listing, buyer, start=now - 100 * DAY, asked=now - 101 * DAY)
    assert not events(client, address(buyer, now))


def test_a_provider_follows_machines_and_learns_of_buyers_the_public_name_alone(
    client, listing, other_listing, provider, buyer, now
):
    make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    make_hold(listing, buyer, start=now + 4 * DAY, asked=now)
    make_paid(other_listing, buyer, start=now + 2 * DAY, asked=now)
    window = announce(
        machine=listing.machine, by=provider, kind="power", start=minute(now) + 9 * DAY, end=minute(now) + 10 * DAY, now=now
    )  # fmt: skip
    path = address(provider, now, "feed_machines")
    assert summaries(client, path) == [
        f"Maintenance of {listing.machine.name}: Power",
        f"{listing.machine.name}: {buyer.public_name}",
    ]
    assert buyer.email not in client.get(path).text
    cancel_maintenance(window_id=window.pk, by=provider, now=now)
    statuses = {str(event["SUMMARY"])[:11]: str(event["STATUS"]) for event in events(client, path)}
    assert statuses["Maintenance"] == "CANCELLED"


def test_an_organizations_feed_shows_as_much_as_the_role(client, listing, organization_administrator, member, now):
    organization = make_organization(organization_administrator)
    make_organization_details(organization)
    boss, theirs = organization.memberships.get(), make_member(organization, member)
    project = make_project(organization, "Folding")
    mark_paid(book(listing, theirs, now, project=project), now=now)
    mark_paid(book(listing, boss, now, start=now + 3 * DAY), now=now)
    of_all = address(organization_administrator, now, organization=organization)
    assert len(events(client, of_all)) == 2
    assert "Project: Folding" in client.get(of_all).text.replace("\r\n ", "")
    of_member = address(member, now, organization=organization)
    assert len(events(client, of_member)) == 1
    leave(theirs, at=now)
    assert client.get(of_member).status_code == 403
    assert len(events(client, of_all)) == 2
    assert client.get(of_all.replace("bookings.ics", "machines.ics")).status_code == 404


@pytest.mark.parametrize("who", ["buyer", "provider"])
def test_hostile_names_break_no_calendar(client, listing, buyer, provider, paid, now, who):
    buyer.name = HOSTILE[:120]
    buyer.save(update_fields=["name"])
    listing.machine.name = HOSTILE[:80]
    listing.machine.gpu_model = HOSTILE[:60]
    listing.machine.save(update_fields=["name", "gpu_model"])
    path = address(provider, now, "feed_machines") if who == "provider" else address(buyer, now)
    (event,) = events(client, path)
    assert set(event) == {"UID", "SUMMARY", "DTSTART", "DTEND", "STATUS", "SEQUENCE", "DTSTAMP", "LAST-MODIFIED", "URL", "DESCRIPTION"}  # fmt: skip
    content = client.get(path).content
    lines = content.split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert b"\n" not in b"".join(lines)
    assert b"\x07" not in content
    assert content.decode("utf-8")


# Asking for them ------------------------------------------------------------------------------------------


def test_a_feed_that_has_not_changed_is_not_sent_again(client, paid, buyer, now):
    path = address(buyer, now)
    first = client.get(path)
    same = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same["ETag"] == first["ETag"]
    cancel_booking(booking_id=paid.pk, by=buyer, now=now)
    assert client.get(path, headers={"If-None-Match": first["ETag"]}).status_code == 200
    assert client.head(path).status_code == 200


def test_an_address_lets_in_without_a_session_and_says_nothing_to_others(client, paid, buyer, now):
    path = address(buyer, now)
    answer = client.get(path)
    assert not client.cookies
    assert answer["Cache-Control"] == "private, no-cache"
    token = ApiToken.objects.get()
    secret = path.split("/")[2]
    assert (token.uses.get().path, token.uses.get().status) == ("/feeds/rsm_…/bookings.ics", 200)
    assert client.get(path.replace(secret, "rsm_" + "0" * 49)).status_code == 404
    assert client.get(path.replace(secret, "x")).status_code == 404
    assert client.post(path).status_code == 405
    _token, other = make_token(user=buyer, name="x", scopes=[Scope.BOOKINGS_READ], days=7, now=now)
    assert client.get(reverse("feed_bookings", args=[other])).status_code == 403
    assert client.get("/machines/earnings.csv", headers={"Authorization": f"Bearer {secret}"}).status_code == 403


def test_renewing_an_address_ends_the_one_before(client, buyer, now):
    before = address(buyer, now)
    after = address(buyer, now)
    assert [client.get(path).status_code for path in (before, after)] == [410, 200]
    revoke_token(token_id=ApiToken.objects.get(revoked_at=None).pk, by=buyer, now=now)
    assert client.get(after).status_code == 410


def test_an_address_that_is_asked_for_lives_on_and_another_stops(client, buyer, now, settings):
    path = address(buyer, now - settings.MARKETPLACE_FEED + HOUR)
    assert client.get(path).status_code == 200
    assert ApiToken.objects.get().expires_at > now + settings.MARKETPLACE_FEED - timedelta(minutes=1)
    left = address(buyer, now - settings.MARKETPLACE_FEED - HOUR)
    assert client.get(left).status_code == 410


# The page -------------------------------------------------------------------------------------------------


def test_an_address_is_shown_once_and_works(client, provider, buyer, listing, now):
    make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    client.force_login(provider)
    assert "Make an address" in client.get(reverse("feed_list")).text
    page = client.post(reverse("feed_renew"))
    shown = page.context["shown"]
    assert [address.rpartition("/")[2] for address, _webcal in shown] == ["bookings.ics", "machines.ics"]
    secret = shown[0][0].split("/")[-2]
    assert secret in page.text
    assert all(webcal.startswith("webcal://") for _address, webcal in shown)
    later = client.get(reverse("feed_list")).text
    assert secret not in later
    assert "Make a new address" in later
    client.logout()
    assert len(events(client, reverse("feed_machines", args=[secret]))) == 1


def test_nobody_gets_the_calendar_of_an_organization_they_have_no_part_in(client, provider, buyer, member, now):
    organization = make_organization(provider)
    make_member(organization, member, "billing")
    client.force_login(buyer)
    assert client.post(reverse("feed_renew"), {"organization": organization.pk}).status_code == 404
    assert client.post(reverse("feed_renew"), {"organization": "x"}).status_code == 404
    client.force_login(member)
    page = client.post(reverse("feed_renew"), {"organization": organization.pk})
    assert [address.rpartition("/")[2] for address, _webcal in page.context["shown"]] == ["bookings.ics"]
    assert member.api_tokens.get().organization == organization
