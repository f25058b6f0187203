"""Invitations: one letter, one use, 72 hours; for one address alone."""

import re
from datetime import timedelta
from functools import partial

import pytest
from allauth.account.models import EmailAddress
from django.core import mail as outgoing
from django.urls import reverse
from django.utils import timezone

from accounts import outbox
from accounts.models import Invitation, Notification, OrganizationRole, OutgoingMail, User
from accounts.permissions import NotAllowed
from accounts.services.erasing import erase
from accounts.services.invitations import (
    InvitationError,
    InvitationOver,
    NotInvited,
    accept_invitation,
    digest,
    invitation_by,
    invitations_for,
    invite,
    resend_invitation,
    revoke_invitation,
)
from accounts.services.memberships import change_role, leave_organization, remove_member
from common.history.reading import History, scope_of
from common.ids import uuid7
from common.rates import TooManyRequests
from tests.organizations import confirm_address, make_member, make_organization
from tests.people import PASSWORD, make_user

pytestmark = pytest.mark.django_db

ADMINISTRATOR, BILLING, MEMBER, VIEWER = OrganizationRole
HOURS_72 = timedelta(hours=72)


def make_invitation(organization, email, *, by, now, role=MEMBER) -> Invitation:
    (invitation,) = invite(organization=organization, by=by, emails=[email], role=role, now=now)
    return invitation


def letter(email) -> OutgoingMail:
    """The newest that waits for the address."""
    return OutgoingMail.objects.filter(address=email).latest("created_at")


def token_in(mail: OutgoingMail) -> str:
    return re.search(r"/organizations/invitations/([\w-]+)/", mail.text).group(1)


@pytest.fixture
def organization(buyer):
    return make_organization(buyer)


@pytest.fixture
def address() -> str:
    """Another one in each test: how many letters one address gets is counted."""
    return f"new-{uuid7().hex[-12:]}@institute.example"


@pytest.fixture
def invitation(organization, buyer, address, now) -> Invitation:
    return make_invitation(organization, address, by=buyer, now=now)


@pytest.fixture
def invited(address) -> User:
    """Has an account whose address is the invited one, and confirmed."""
    user = make_user(address, name="Nele New")
    confirm_address(user)
    return user


# Sending ----------------------------------------------------------------------------------------------


def test_a_letter_with_a_link_goes_to_the_address(invitation, address, now):
    assert (invitation.role, invitation.expires_at) == (MEMBER, now + HOURS_72)
    mail = letter(address)
    assert mail.subject == "Bea Buyer invites you to Institute of Computing"
    assert "as member" in mail.text
    assert "good once, for 72 hours" in mail.text
    assert "You get this because Bea Buyer gave us your address" in mail.text
    assert "You get this because Bea Buyer gave us your address" in mail.html
    assert token_in(mail) in mail.html
    assert invitation_by(token_in(mail)) == invitation


def test_only_the_hash_of_the_link_is_kept_once_the_letter_is_sent(invitation, address, now):
    token = token_in(letter(address))
    assert invitation.token_hash == digest(token)
    outbox.send_due(now=timezone.now())
    assert any(token in sent.body for sent in outgoing.outbox)
    kept = letter(address)
    assert kept.sent_at
    assert kept.is_private
    assert token not in kept.text + kept.html


def test_many_are_invited_at_once_and_each_address_once(organization, buyer, address, now):
    emails = [address, f"b{address}", address.upper()]
    made = invite(organization=organization, by=buyer, emails=emails, role=VIEWER, now=now)
    assert [row.email for row in made] == [address, f"b{address}"]
    many = [f"{number}-{address}" for number in range(51)]
    with pytest.raises(InvitationError, match="more than 50 addresses") as refused:
        invite(organization=organization, by=buyer, emails=many, role=VIEWER, now=now)
    assert refused.value.field == "emails"


def test_members_are_not_invited_again(organization, buyer, invited, address, now):
    make_member(organization, invited)
    with pytest.raises(InvitationError, match=f"Belongs to this organization already: {address.upper()}"):
        invite(organization=organization, by=buyer, emails=[f"x{address}", address.upper()], role=VIEWER, now=now)
    assert not Invitation.objects.exists(), "all or none"


@pytest.mark.parametrize("role", [BILLING, MEMBER, VIEWER])
def test_only_administrators_invite(organization, invitation, stranger, address, role, now):
    make_member(organization, stranger, role)
    for attempt in (
        lambda: make_invitation(organization, f"x{address}", by=stranger, now=now),
        lambda: resend_invitation(invitation=invitation, by=stranger, now=now),
        lambda: revoke_invitation(invitation=invitation, by=stranger, now=now),
    ):
        with pytest.raises(NotAllowed):
            attempt()


def test_sending_again_renews_the_link_and_the_time(invitation, buyer, address, now):
    old = token_in(letter(address))
    later = now + timedelta(hours=80)
    again = resend_invitation(invitation=invitation, by=buyer, now=later)
    assert again.pk == invitation.pk
    assert again.expires_at == later + HOURS_72
    assert invitation_by(old) is None
    assert invitation_by(token_in(letter(address))) == invitation


def test_inviting_an_invited_address_again_sends_it_again_with_the_new_role(organization, invitation, buyer, now):
    again = make_invitation(organization, invitation.email, by=buyer, now=now, role=BILLING)
    assert (again.pk, again.role) == (invitation.pk, BILLING)
    assert Invitation.objects.count() == 1


def test_what_is_over_is_not_sent_again(invitation, buyer, now):
    revoke_invitation(invitation=invitation, by=buyer, now=now)
    revoke_invitation(invitation=invitation, by=buyer, now=now)  # twice is quiet
    with pytest.raises(InvitationOver, match="accepted or revoked meanwhile"):
        resend_invitation(invitation=invitation, by=buyer, now=now)


def test_letters_are_limited_for_an_organization_and_for_an_address(organization, buyer, address, now, settings):
    settings.MARKETPLACE_INVITATION_RATE = "3/day"
    settings.MARKETPLACE_INVITATION_ADDRESS_RATE = "2/day"
    other = make_organization(buyer, "Another")
    make_invitation(organization, address, by=buyer, now=now)
    make_invitation(other, address, by=buyer, now=now)
    with pytest.raises(TooManyRequests, match="wait until tomorrow"):
        make_invitation(organization, address, by=buyer, now=now)
    make_invitation(organization, f"x{address}", by=buyer, now=now)
    with pytest.raises(TooManyRequests):
        make_invitation(organization, f"y{address}", by=buyer, now=now)


def test_whoever_has_an_account_is_told_in_the_page_too(organization, buyer, invited, address, now):
    invitation = make_invitation(organization, address, by=buyer, now=now)
    told = Notification.objects.get(user=invited)
    assert told.title == "Bea Buyer invites you to Institute of Computing"
    assert told.link == reverse("organization_list"), "the link in the letter is nowhere else"
    assert list(invitations_for(invited, now=now)) == [invitation]


# Accepting --------------------------------------------------------------------------------------------


def test_whoever_has_confirmed_the_address_joins_with_the_role(invitation, invited, buyer, now):
    joined = accept_invitation(invitation=invitation, user=invited, now=now)
    again = accept_invitation(invitation=invitation, user=invited, now=now)
    assert joined == again
    assert (joined.user, joined.role, joined.joined_at) == (invited, MEMBER, now)
    invitation.refresh_from_db()
    assert (invitation.accepted_at, invitation.accepted_by) == (now, invited)
    told = OutgoingMail.objects.get(user=buyer)
    assert told.subject == "Nele New has joined Institute of Computing"
    assert list(invitations_for(invited, now=now)) == []


def test_a_second_address_of_ones_own_is_enough_once_it_is_confirmed(invitation, stranger, address, now):
    with pytest.raises(NotInvited, match=f"for {address}, and you are signed in as stranger@example.com"):
        accept_invitation(invitation=invitation, user=stranger, now=now)
    mine = EmailAddress.objects.create(user=stranger, email=address.title(), verified=False)
    with pytest.raises(NotInvited, match=f"Confirm {address} first"):
        accept_invitation(invitation=invitation, user=stranger, now=now)
    mine.verified = True
    mine.save()
    assert accept_invitation(invitation=invitation, user=stranger, now=now).role == MEMBER


def test_an_address_that_is_only_the_accounts_own_is_not_confirmed(invitation, address, now):
    with pytest.raises(NotInvited):
        accept_invitation(invitation=invitation, user=make_user(address), now=now)


def test_the_time_is_72_hours_to_the_second(invitation, invited, now):
    with pytest.raises(InvitationOver, match=r"expired. Ask whoever invited you to send it again"):
        accept_invitation(invitation=invitation, user=invited, now=now + HOURS_72)
    assert accept_invitation(invitation=invitation, user=invited, now=now + HOURS_72 - timedelta(seconds=1))


def test_a_withdrawn_one_is_good_for_nothing(invitation, invited, buyer, now):
    revoke_invitation(invitation=invitation, by=buyer, now=now)
    with pytest.raises(InvitationOver, match="was withdrawn"):
        accept_invitation(invitation=invitation, user=invited, now=now)


@pytest.mark.parametrize("what", ["removed", "leaves", "is no administrator any more", "is deleted"])
def test_those_of_whoever_may_not_invite_any_more_are_withdrawn(organization, buyer, stranger, address, now, what):
    membership = make_member(organization, stranger, ADMINISTRATOR)
    theirs = make_invitation(organization, address, by=stranger, now=now, role=ADMINISTRATOR)
    mine = make_invitation(organization, f"b{address}", by=buyer, now=now)
    {
        "removed": partial(remove_member, membership=membership, by=buyer, now=now),
        "leaves": partial(leave_organization, organization=organization, user=stranger, now=now),
        "is no administrator any more": partial(change_role, membership=membership, role=BILLING, by=buyer, now=now),
        "is deleted": partial(erase, stranger, now),
    }[what]()
    person = make_user(f"c{address}")
    confirm_address(person, address)
    with pytest.raises(InvitationOver, match="was withdrawn"):
        accept_invitation(invitation=theirs, user=person, now=now)
    assert list(organization.invitations.waiting()) == [mine]
    if what != "is deleted":
        change = next(iter(History([scope_of(theirs)], buyer)))
        assert change.why == "Whoever sent it may not invite any more."


def test_an_administrator_who_stays_one_keeps_theirs(organization, invitation, buyer, stranger, now):
    change_role(membership=make_member(organization, stranger), role=ADMINISTRATOR, by=buyer, now=now)
    assert organization.invitations.waiting().get() == invitation


def test_an_accepted_one_is_not_withdrawn_but_its_member_removed(invitation, invited, buyer, now):
    membership = accept_invitation(invitation=invitation, user=invited, now=now)
    with pytest.raises(InvitationOver, match=r"has accepted it. You can remove them from the members"):
        revoke_invitation(invitation=invitation, by=buyer, now=now)
    remove_member(membership=membership, by=buyer, now=now)
    with pytest.raises(InvitationOver, match="has been used"):
        accept_invitation(invitation=invitation, user=invited, now=now)


def test_whoever_belongs_to_it_already_does_not_join_twice(organization, invitation, stranger, address, now):
    make_member(organization, stranger, VIEWER)
    confirm_address(stranger, address)
    with pytest.raises(InvitationError, match="You belong to Institute of Computing already, as viewer"):
        accept_invitation(invitation=invitation, user=stranger, now=now)


# The page ---------------------------------------------------------------------------------------------


@pytest.fixture
def link(invitation, address) -> str:
    return reverse("invitation", args=[token_in(letter(address))])


def test_the_page_says_who_invites_and_lets_join(client, link, invited, organization):
    client.force_login(invited)
    page = client.get(link)
    assert page.status_code == 200
    assert "Join Institute of Computing" in page.text
    assert "Bea Buyer invites you" in page.text
    assert page["Referrer-Policy"] == "strict-origin"
    joined = client.post(link, follow=True)
    assert joined.redirect_chain == [(reverse("organization_detail", args=[organization.pk]), 302)]
    assert "Welcome to Institute of Computing" in joined.text
    assert client.session["organization"] == str(organization.pk)
    assert "You belong to it, as member." in client.get(link).text


def test_whoever_is_not_signed_in_signs_in_and_comes_back(client, link, invited):
    page = client.get(link)
    assert f"?next={link}" in page.text
    assert client.post(link).headers["Location"] == f"{reverse('account_login')}?next={link.replace('/', '%2F')}"
    signed_in = client.post(reverse("account_login"), {"login": invited.email, "password": PASSWORD})
    assert signed_in.headers["Location"] == link


def test_whoever_signs_up_with_the_invited_address_need_not_confirm_it_again(client, link, address):
    client.get(link)
    form = client.get(reverse("account_signup"), {"email": address, "next": link})
    assert form.context["form"]["email"].value() == address
    password = "three-quiet-otters-in-june"
    data = {"email": address, "password1": password, "password2": password, "name": "Nele", "purpose": "buyer"}
    signed_up = client.post(reverse("account_signup"), data)
    assert signed_up.headers["Location"] == link
    assert EmailAddress.objects.get(email=address).verified
    assert client.post(link).status_code == 302
    assert User.objects.get(email=address).memberships.count() == 1


def test_whoever_signs_up_with_another_address_confirms_it_and_is_not_invited(client, link, address):
    client.get(link)
    password = "three-quiet-otters-in-june"
    other = f"other-{address}"
    data = {"email": other, "password1": password, "password2": password, "name": "Nele", "purpose": "buyer"}
    client.post(reverse("account_signup"), data)
    assert not EmailAddress.objects.get(email=other).verified


def test_an_invitation_for_another_address_says_what_to_do(client, link, stranger, address):
    client.force_login(stranger)
    page = client.get(link)
    assert f"This invitation is for {address}, and you are signed in as stranger@example.com" in page.text
    refused = client.post(link)
    assert refused.status_code == 409
    assert "ask for an invitation to stranger@example.com" in refused.text


def test_a_link_that_is_over_says_why(client, link, invitation, invited, buyer, now):
    Invitation.objects.update(expires_at=now - timedelta(seconds=1))
    client.force_login(invited)
    for method in (client.get, client.post):
        page = method(link)
        assert page.status_code == 410
        assert "This invitation has expired. Ask whoever invited you to send it again" in page.text


def test_a_link_that_leads_nowhere_says_which_one_is_good(client):
    page = client.get(reverse("invitation", args=["no-such-token"]))
    assert page.status_code == 404
    assert "use the one in the newest mail" in page.text


def test_an_invitation_stands_in_the_list_and_is_accepted_there(client, invitation, invited, stranger):
    accept = reverse("invitation_accept", args=[invitation.pk])
    client.force_login(stranger)
    assert client.post(accept).status_code == 404
    client.force_login(invited)
    assert accept in client.get(reverse("organization_list")).text
    assert client.post(accept).status_code == 302
    assert invited.memberships.current().count() == 1
