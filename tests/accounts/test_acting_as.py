"""An administrator sees the site as somebody else does: for a reason, for a time; the person is told; nothing is changed."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.acting import SESSION_KEY
from accounts.models import Acting, ActingEnd, OutgoingMail, Role, User, Verification
from accounts.services.acting import ActingError, begin_acting
from accounts.services.roles import NotAnAdministrator
from accounts.services.verification_documents import link_token
from bookings.models import Booking
from common.history.reading import History, scope_of
from tests.people import make_user

pytestmark = pytest.mark.django_db


def begin(client, user, reason="They cannot find their booking."):
    chosen = {"action": "act_as", "_selected_action": [str(user.pk)], "decided": "yes", "reason": reason}
    return client.post(reverse("admin:accounts_user_changelist"), chosen)


@pytest.fixture
def acting(client, administrator, buyer) -> Acting:
    """The client is the administrator's, who sees what the buyer sees."""
    client.force_login(administrator)
    assert begin(client, buyer).status_code == 302
    return Acting.objects.get()


def test_the_administrator_sees_what_the_person_sees_under_a_banner(client, acting, buyer, held):
    page = client.get(reverse("booking_detail", args=[held.pk]))
    assert page.status_code == 200
    assert page.context["user"] == buyer
    assert "You are looking at the site as" in page.text
    assert buyer.email in page.text
    assert "no-store" in page["Cache-Control"]
    assert "You are looking at the site as" in client.get("/no-such-page/").text


def test_the_person_is_told_at_once_and_finds_it_in_their_history(client, acting, buyer):
    mail = OutgoingMail.objects.get(user=buyer, key=f"acting:{acting.pk}")
    assert "They cannot find their booking." in mail.text
    assert buyer.notifications.filter(key=f"acting:{acting.pk}").exists()
    client.force_login(buyer)
    assert "They cannot find their booking." in client.get(reverse("own_history")).text


def test_it_needs_a_reason(client, administrator, buyer):
    client.force_login(administrator)
    assert begin(client, buyer, reason=" ").status_code == 200
    assert not Acting.objects.exists()


@pytest.mark.parametrize("kind", ["administrator", "staff", "closed", "oneself"])
def test_not_as_everybody(kind, administrator, now):
    person = {
        "administrator": lambda: make_user("a@example.com", Role.PLATFORM_ADMINISTRATOR),
        "staff": lambda: make_user("s@example.com", is_staff=True),
        "closed": lambda: make_user("c@example.com", is_active=False),
        "oneself": lambda: administrator,
    }[kind]()
    with pytest.raises(ActingError):
        begin_acting(administrator=administrator, user=person, reason="Curious", now=now)


def test_not_by_everybody(buyer, provider, now):
    with pytest.raises(NotAnAdministrator):
        begin_acting(administrator=provider, user=buyer, reason="Curious", now=now)


def test_it_never_takes_longer_than_the_setting_says(administrator, buyer, settings, now):
    row = begin_acting(administrator=administrator, user=buyer, reason="Look", now=now, minutes=600)
    assert row.ends_at == now + settings.MARKETPLACE_ACTING
    assert begin_acting(administrator=administrator, user=buyer, reason="Look", now=now, minutes=5).ends_at == (
        now + timedelta(minutes=5)
    )


@pytest.mark.parametrize(
    ("route", "posted"),
    [
        ("profile", {"name": "Somebody else"}),
        ("ssh_key_list", {"public_key": "ssh-ed25519 AAAA", "name": "mine"}),
        ("become_provider", {}),
        ("notifications_read", {}),
    ],
)
def test_nothing_can_be_changed(client, acting, buyer, route, posted):
    before = User.objects.values().get(pk=buyer.pk)
    answer = client.post(reverse(route), posted)
    assert answer.status_code == 403
    assert "Stop first" in answer.text
    assert User.objects.values().get(pk=buyer.pk) == before
    assert not buyer.ssh_keys.exists()


def test_nothing_is_booked_paid_or_canceled(client, acting, held, listing):
    for route in ("booking_cancel", "booking_pay"):
        assert client.post(reverse(route, args=[held.pk]), {}).status_code == 403
    assert client.post(reverse("listing_book", args=[listing.pk]), {}).status_code == 403
    held.refresh_from_db()
    assert held.status == "pending"
    assert Booking.objects.count() == 1


@pytest.mark.parametrize(
    "route",
    [
        "security",
        "account_email",
        "account_change_password",
        "mfa_index",
        "mfa_view_recovery_codes",
        "usersessions_list",
        "token_list",
        "token_create",
        "feed_list",
        "admin:index",
    ],
)
def test_how_they_sign_in_is_not_even_shown(client, acting, route):
    assert client.get(reverse(route)).status_code == 403


def test_the_papers_that_show_who_they_are_are_not_even_shown(client, acting, buyer, now):
    draft = Verification.objects.create(
        user=buyer, kind=Verification.Kind.INDIVIDUAL, legal_name="Bea Buyer", status=Verification.Status.DRAFT
    )
    paper = draft.documents.create(kind="identity", name="passport.pdf", file="none.pdf", size=1, uploaded_at=now)
    token = link_token(paper, viewer=buyer)
    for route in ("verification_details", "verification_documents", "verification_check"):
        assert client.get(reverse(route)).status_code == 403, route
    assert client.get(reverse("verification_document", args=[paper.pk])).status_code == 403
    assert client.get(reverse("verification_file", args=[token])).status_code == 403


def test_stopping_makes_one_oneself_again(client, acting, administrator, buyer):
    answer = client.post(reverse("acting_stop"))
    assert answer["Location"] == reverse("admin:accounts_user_change", args=[buyer.pk])
    assert client.get(reverse("profile")).context["user"] == administrator
    acting.refresh_from_db()
    assert acting.ended_by == ActingEnd.STOPPED
    assert client.post(reverse("acting_stop"))["Location"] == reverse("home")


def test_it_ends_by_itself(client, acting, administrator):
    Acting.objects.filter(pk=acting.pk).update(
        began_at=timezone.now() - timedelta(hours=1), ends_at=timezone.now() - timedelta(seconds=1)
    )
    assert client.get(reverse("profile")).context["user"] == administrator
    assert SESSION_KEY not in client.session
    acting.refresh_from_db()
    assert (acting.ended_by, acting.ended_at) == (ActingEnd.TIME, acting.ends_at)


@pytest.mark.parametrize("lost", ["the administrator's role", "the person's being ordinary"])
def test_it_ends_when_it_would_not_be_allowed_any_more(client, acting, administrator, buyer, lost):
    if lost == "the administrator's role":
        User.objects.filter(pk=administrator.pk).update(roles=[])
    else:
        User.objects.filter(pk=buyer.pk).update(roles=[Role.PLATFORM_ADMINISTRATOR])
    assert client.get(reverse("profile")).context["user"] == administrator
    acting.refresh_from_db()
    assert acting.ended_by == ActingEnd.REFUSED


def test_it_ends_with_signing_out(client, acting):
    client.post(reverse("account_logout"))
    acting.refresh_from_db()
    assert acting.ended_by == ActingEnd.SIGNED_OUT
    assert client.get(reverse("profile")).status_code == 302


def test_anothers_acting_in_a_session_counts_for_nothing(client, acting, provider, buyer):
    client.force_login(provider)
    session = client.session
    session[SESSION_KEY] = str(acting.pk)
    session.save()
    assert client.get(reverse("profile")).context["user"] == provider
    acting.refresh_from_db()
    assert acting.ended_at is None
    session[SESSION_KEY] = "nonsense"
    session.save()
    assert client.get(reverse("profile")).status_code == 200


def test_what_is_written_meanwhile_bears_both(client, acting, administrator, buyer):
    client.post(reverse("acting_stop"))
    change = next(iter(History([scope_of(acting)], administrator)))
    assert {step.name for step in change.steps} == {"ended_at", "ended_by"}
    assert (change.who_id, change.acting_id) == (str(buyer.pk), str(administrator.pk))
    assert buyer.email in change.who
