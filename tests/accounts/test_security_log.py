"""The log of what has to do with security: who signed in how, what was refused, and never what was typed."""

import logging

import pytest
from django.urls import reverse

from accounts import tokens
from common.redaction import RedactingFormatter
from tests.people import PASSWORD
from tests.signing_in import add_app, code_now, confirm, sign_in

pytestmark = pytest.mark.django_db
WRONG = "not-the-right-password"


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger="security")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "security"]


def test_signing_in_and_out_is_written_down_with_how_and_from_where(client, buyer, lines):
    sign_in(client, confirm(buyer))
    client.post(reverse("account_logout"))
    assert lines() == [
        f"signed_in user={buyer.pk} from=127.0.0.1 by=password",
        f"signed_out user={buyer.pk} from=127.0.0.1",
    ]


def test_a_sign_in_that_fails_is_written_down_without_what_was_typed(client, buyer, lines):
    sign_in(client, confirm(buyer), WRONG)
    sign_in(client, buyer, WRONG)
    first, second = lines()
    assert first == second, "the same address, the same digest"
    assert first.startswith("sign_in_failed user=- from=127.0.0.1 address=")
    assert buyer.email not in first
    assert WRONG not in first


def test_second_factors_are_written_down_wrong_and_right(client, buyer, lines):
    add_app(confirm(buyer))
    sign_in(client, buyer)
    client.post(reverse("mfa_authenticate"), {"code": "000000"})
    client.post(reverse("mfa_authenticate"), {"code": code_now()})
    assert lines() == [
        f"factor_refused user={buyer.pk} kind=code",
        f"signed_in user={buyer.pk} from=127.0.0.1 by=password,totp",
    ]


def test_showing_again_who_one_is_and_a_new_password_are_written_down(client, buyer, lines):
    client.force_login(confirm(buyer))
    client.post(reverse("account_reauthenticate"), {"password": WRONG})
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    new = "correct-horse-battery-staple-9"
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new})
    words = [line.split()[0] for line in lines()]
    assert words == ["sign_in_failed", "stepped_up", "password_changed"]
    assert all(f"user={buyer.pk} from=127.0.0.1" in line for line in lines())
    assert not any(new in line or PASSWORD in line for line in lines())


def test_what_is_somebody_elses_or_not_allowed_is_written_down(client, other_buyer, held, lines):
    client.force_login(other_buyer)
    client.get(reverse("booking_detail", args=[held.pk]))
    client.get("/nothing-here/")  # a mistake, and no attempt
    (line,) = lines()
    assert line == (
        f"refused user={other_buyer.pk} from=127.0.0.1 status=404 method=GET route=bookings/<uuid:pk>/ about={held.pk}"
    )


def test_a_secret_in_an_address_is_not_in_the_log(client, buyer, lines):
    client.force_login(buyer)
    client.get(reverse("invitation", args=["a-secret-that-nobody-knows"]))
    (line,) = lines()
    assert "a-secret" not in line


def test_nobody_writes_lines_of_their_own_into_the_log():
    record = logging.getLogger("x").makeRecord(
        "x", logging.INFO, "f", 1, "at %s", ("a\n2026 INFO x: b\x1b[2J\u202ec",), None
    )
    line = RedactingFormatter("{asctime} {message}", style="{").format(record)
    assert "\n" not in line
    assert "\x1b" not in line
    assert line.endswith("at a\\n2026 INFO x: b\\x1b[2J\\u202ec")
    assert line.split()[0].endswith("Z"), "times are in UTC and say so"


def test_a_token_has_nothing_of_an_administrator(client, administrator, buyer, listing, now):
    from accounts.models import Scope
    from accounts.services.tokens import admit, make_token

    _token, secret = make_token(user=administrator, name="t", scopes=[Scope.BILLING_READ], days=7, now=now)
    assert tokens.is_well_formed(secret)
    assert administrator.is_platform_administrator
    assert not admit(secret=secret, scope=Scope.BILLING_READ, now=now).user.is_platform_administrator
