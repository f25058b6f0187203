"""An account whose address was never confirmed. The code of the mail is asked for at the door, before anybody is signed in,
so no view asks again: the column ``unconfirmed`` of ``addresses.txt`` is somebody with the right password and without
the code. What rests on a confirmed address looks at it itself, and does so for a session that should not be there, too."""

import pytest
from django.contrib.auth import SESSION_KEY
from django.urls import reverse

from accounts.models import User
from accounts.services.invitations import digest, invite
from tests.permissions.asking import Person, unrendered
from tests.permissions.routes import address
from tests.permissions.tables import addresses

#: Where the code is typed, and who is sent there from the page to sign in.
AT_THE_CODE = {"account_email_verification_sent", "account_login"}


def test_without_the_code_one_gets_no_further_than_with_no_account():
    differ = {row.route for row in addresses() if row.expected["unconfirmed"] != row.expected["anonymous"]}
    assert differ == AT_THE_CODE


@pytest.mark.django_db
def test_a_right_password_without_the_code_signs_nobody_in(people):
    unconfirmed = people["unconfirmed"]
    unconfirmed.begin()
    assert SESSION_KEY not in unconfirmed.client.session


@pytest.fixture
def forced(people) -> Person:
    """Signed in all the same, by whatever mishap."""
    return Person("forced", User.objects.get(email="unconfirmed@example.com"))


@pytest.mark.django_db
def test_a_session_that_should_not_be_there_opens_nothing_of_anybody(world, forced):
    closed = [row for row in addresses() if row.expected["other_buyer"] == "404" and not row.thing]
    assert len(closed) > 100
    with unrendered():
        for row in closed:
            assert forced.ask(row.method, address(row.route, world.things)).word == "404", row


@pytest.mark.django_db
def test_an_invitation_is_not_accepted_with_an_address_that_is_not_confirmed(world, forced):
    (letter,) = invite(
        organization=world.things["institute"],
        by=world.things["organization_administrator"],
        emails=[forced.user.email],
        role="administrator",
        now=world.now,
    )
    letter.token_hash = digest("a-secret")
    letter.save(update_fields=["token_hash"])
    accepted = forced.ask("POST", reverse("invitation_accept", args=[letter.pk]))
    assert (accepted.word, accepted.wrote) == ("404", set())
    by_link = forced.ask("POST", reverse("invitation", args=["a-secret"]))
    assert (by_link.word, by_link.wrote) == ("409", set())
