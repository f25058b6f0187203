"""API tokens: how they look, who is let in by them, and what is kept of their uses."""

import logging
import sys
from datetime import timedelta
from secrets import token_hex

import pytest
from django.contrib.sessions.models import Session
from django.db import DatabaseError, transaction
from django.urls import reverse

from accounts import tokens
from accounts.models import ApiToken, ApiTokenUse, OutgoingMail, Scope
from accounts.services.tokens import MOST, TokenError, forget_uses, make_token, record_use, revoke_token
from billing.models import Invoice
from billing.services import printing
from common.files import StorageAway
from common.redaction import RedactingFormatter, redacted
from tests.organizations import leave, make_member, make_organization
from tests.people import DAY, HOUR, make_over, make_paid, record_wipe

pytestmark = pytest.mark.django_db

EARNINGS = "/machines/earnings.csv"


def made(user, now, *scopes, days=30, **fields) -> tuple[ApiToken, str]:
    return make_token(user=user, name="backup", scopes=scopes or [Scope.BILLING_READ], days=days, now=now, **fields)


def ask(client, path, secret, **headers):
    return client.get(path, headers={"Authorization": f"Bearer {secret}", **headers})


# How they look --------------------------------------------------------------------------------------------


def test_a_secret_is_known_by_its_beginning_and_its_checksum_tells_a_typing_error():
    secret = tokens.make_secret()
    assert secret.startswith("rsm_")
    assert len(secret) == 4 + 43 + 6
    assert tokens.is_well_formed(secret)
    assert len({tokens.make_secret() for _ in range(100)}) == 100
    other = "a" if secret[20] != "a" else "b"
    wrong = [
        secret[:20] + other + secret[21:],
        secret[:-1],
        f"{secret}0",
        secret[4:],
        "",
        "rsm_",
        secret.replace("rsm_", "ghp_"),
    ]
    assert not any(tokens.is_well_formed(text) for text in wrong)


def test_no_line_of_the_log_holds_a_token():
    secret = tokens.make_secret()
    assert redacted(f"GET /feeds/{secret}/bookings.ics") == "GET /feeds/rsm_…/bookings.ics"
    try:
        raise ValueError(secret)
    except ValueError:
        record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "at %s", (secret,), True)
        record.exc_info = sys.exc_info()
    line = RedactingFormatter("{message}", style="{").format(record)
    assert secret not in line
    assert "rsm_…" in line


def test_the_log_of_the_site_is_written_without_tokens(settings):
    assert settings.LOGGING["formatters"]["line"]["class"] == "common.redaction.RedactingFormatter"


# Making ---------------------------------------------------------------------------------------------------


def test_a_token_is_stored_hashed_and_its_person_gets_a_mail(buyer, now):
    token, secret = made(buyer, now, Scope.BOOKINGS_READ, Scope.BILLING_READ)
    row = ApiToken.objects.filter(pk=token.pk).values().get()
    assert secret not in str(row)
    assert (row["prefix"], row["token_hash"]) == (secret[:12], tokens.digest(secret))
    assert row["scopes"] == [Scope.BOOKINGS_READ, Scope.BILLING_READ]
    assert token.expires_at == now + 30 * DAY
    mail = OutgoingMail.objects.get(key=f"token-made:{token.pk}")
    assert mail.user == buyer
    assert secret not in mail.text + mail.html
    assert "Billing: read" in mail.text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": [Scope.FEEDS]}, "scopes"),
        ({"days": 0}, "days"),
        ({"days": 366}, "days"),
    ],
)
def test_what_a_token_cannot_be(buyer, now, fields, field):
    values = {"name": "x", "scopes": [Scope.BILLING_READ], "days": 30} | fields
    with pytest.raises(TokenError) as caught:
        make_token(user=buyer, now=now, **values)
    assert caught.value.field == field


def test_nobody_makes_a_token_for_an_organization_they_do_not_belong_to(buyer, organization_administrator, now):
    organization = make_organization(organization_administrator)
    with pytest.raises(TokenError, match="do not belong"):
        made(buyer, now, organization=organization)
    assert made(organization_administrator, now, organization=organization)


def test_tokens_that_are_good_no_more_do_not_count(buyer, now):
    made_ones = [ApiToken(user=buyer, name="x", prefix="x", token_hash=f"{n}", scopes=[Scope.BILLING_READ], expires_at=now + DAY) for n in range(MOST)]  # fmt: skip
    ApiToken.objects.bulk_create(made_ones)
    with pytest.raises(TokenError, match="as many tokens"):
        made(buyer, now)
    revoke_token(token_id=made_ones[0].pk, by=buyer, now=now)
    assert made(buyer, now)


# Letting in -----------------------------------------------------------------------------------------------


def test_a_token_downloads_without_a_session_and_its_use_is_kept(client, provider, now):
    token, secret = made(provider, now)
    response = ask(client, f"{EARNINGS}?year=2020", secret)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/csv")
    assert not client.cookies
    assert not Session.objects.exists()
    assert "Authorization" in response["Vary"]
    assert "no-store" in response["Cache-Control"]
    use = token.uses.get()
    assert (use.method, use.path, use.status, use.address) == ("GET", EARNINGS, 200, "127.0.0.1")
    token.refresh_from_db()
    assert token.last_used_at == use.at


def test_using_a_token_often_writes_one_row_each_time(provider, now, django_assert_num_queries):
    token, _secret = made(provider, now)
    values = {"token": token, "method": "GET", "path": EARNINGS, "status": 200, "address": None}
    record_use(**values, now=now)
    record_use(**values, now=now + timedelta(seconds=30))
    token.refresh_from_db()
    assert (token.uses.count(), token.last_used_at) == (2, now)
    record_use(**values, now=now + timedelta(seconds=61))
    token.refresh_from_db()
    assert token.last_used_at == now + timedelta(seconds=61)


def expire(token, now):
    ApiToken.objects.filter(pk=token.pk).update(expires_at=now - DAY)


def close(token, now):
    type(token.user).objects.filter(pk=token.user_id).update(is_active=False)


def narrow(token, now):
    ApiToken.objects.filter(pk=token.pk).update(scopes=[Scope.BOOKINGS_WRITE])


def revoke(token, now):
    revoke_token(token_id=token.pk, by=token.user, now=now)


@pytest.mark.parametrize(
    ("spoil", "status", "code"),
    [
        (expire, 401, "invalid_token"),
        (revoke, 401, "invalid_token"),
        (close, 401, "invalid_token"),
        (narrow, 403, "insufficient_scope"),
    ],
)
def test_a_token_that_is_good_no_more_is_refused_and_its_use_is_kept(client, provider, now, spoil, status, code):
    token, secret = made(provider, now)
    spoil(token, now)
    response = ask(client, EARNINGS, secret)
    assert (response.status_code, response.json()["error"]) == (status, code)
    assert f'error="{code}"' in response["WWW-Authenticate"]
    assert ('scope="billing:read"' in response["WWW-Authenticate"]) == (status == 403)
    assert token.uses.get().status == status


@pytest.mark.parametrize("secret", ["", "x", "rsm_", "rsm_" + "0" * 49, tokens.make_secret()])
def test_what_is_no_token_is_refused_in_words_for_programs(client, secret):
    response = ask(client, EARNINGS, secret)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
    assert response["WWW-Authenticate"].startswith("Bearer ")
    assert not ApiTokenUse.objects.exists()


def test_to_write_includes_to_read_and_not_the_other_way_round(buyer, now):
    writing, _ = made(buyer, now, Scope.BILLING_WRITE)
    reading, _ = made(buyer, now, Scope.BILLING_READ)
    assert writing.allows(Scope.BILLING_READ)
    assert not reading.allows(Scope.BILLING_WRITE)
    assert not writing.allows(Scope.MACHINES_READ)


def test_cookies_that_come_with_a_token_count_for_nothing(client, buyer, provider, listing, now):
    """Else whoever can set a cookie would choose whose data come."""
    booking = make_over(listing, buyer, end=now - HOUR)
    (wipe, *_) = record_wipe(booking, now=now)
    path = reverse("wipe_evidence", args=[booking.pk, wipe.pk])
    _token, secret = made(provider, now, Scope.BILLING_READ)
    client.force_login(buyer)
    assert client.get(path).status_code == 200
    assert ask(client, path, secret).status_code == 403
    _token, secret = made(provider, now, Scope.BOOKINGS_READ)
    assert ask(client, path, secret).status_code == 200


def test_a_token_sees_what_its_person_sees_and_404_elsewhere(client, buyer, other_buyer, listing, now):
    booking = make_over(listing, buyer, end=now - HOUR)
    (wipe, *_) = record_wipe(booking, now=now)
    path = reverse("wipe_evidence", args=[booking.pk, wipe.pk])
    token, secret = made(other_buyer, now, Scope.BOOKINGS_READ)
    response = ask(client, path, secret)
    assert (response.status_code, response.json()["error"]) == (404, "not_found")
    assert token.uses.get().status == 404
    assert (
        ask(client, reverse("booking_certificate", args=[booking.pk]), made(buyer, now, Scope.BOOKINGS_READ)[1]).json()[
            "error"
        ]
        == "refused"
    )  # a page for people says that there is none


def test_a_page_that_is_not_for_tokens_does_not_know_them(client, provider, now):
    _token, secret = made(provider, now)
    assert ask(client, "/machines/earnings/", secret).status_code == 302


def test_a_token_posts_nothing(client, provider, now):
    _token, secret = made(provider, now)
    assert client.post(EARNINGS, headers={"Authorization": f"Bearer {secret}"}).status_code == 405


def test_people_without_a_token_sign_in_as_before(client, provider):
    assert client.get(EARNINGS)["Location"].startswith(reverse("account_login"))
    assert client.get(EARNINGS, headers={"Authorization": "Basic eDp5"}).status_code == 302
    client.force_login(provider)
    assert client.get(EARNINGS).status_code == 200
    assert not ApiTokenUse.objects.exists()


def test_tokens_and_guesses_are_counted(client, provider, settings, now):
    settings.MARKETPLACE_TOKEN_RATE, settings.MARKETPLACE_TOKEN_REFUSED_RATE = "2/hour", "1/hour"
    token, secret = made(provider, now)
    _other, other_secret = made(provider, now)
    assert [ask(client, EARNINGS, secret).status_code for _ in range(5)] == [200, 200, 429, 429, 429]
    kept = token.uses.order_by("at", "pk").values_list("status", flat=True)
    assert list(kept) == [200, 200, 429], "of those that came too often, one a minute"
    assert ask(client, EARNINGS, other_secret).status_code == 200
    address = {"REMOTE_ADDR": f"2001:db8::{token_hex(2)}"}  # counted across runs
    guess = {"Authorization": f"Bearer {tokens.make_secret()}"}
    answers = [client.get(EARNINGS, headers=guess, **address) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [401, 429]
    assert answers[1]["Retry-After"]


# For an organization --------------------------------------------------------------------------------------


def test_an_organizations_token_gets_what_is_its_and_nothing_else_of_its_member(
    client, organization_administrator, other_provider, now
):
    organization, other = make_organization(organization_administrator), make_organization(other_provider, "Other")
    make_member(other, organization_administrator, "administrator")
    token, secret = made(organization_administrator, now, organization=organization)
    assert ask(client, reverse("organization_spend_csv", args=[organization.pk]), secret).status_code == 200
    for path in (reverse("organization_spend_csv", args=[other.pk]), EARNINGS):
        response = ask(client, path, secret)
        assert (response.status_code, response.json()["error"]) == (403, "forbidden")
    assert sorted(token.uses.values_list("status", flat=True)) == [200, 403, 403]


def test_it_has_the_powers_of_its_member_at_the_time_of_use(client, organization_administrator, member, now):
    organization = make_organization(organization_administrator)
    membership = make_member(organization, member, "billing")
    path = reverse("organization_statement_csv", args=[organization.pk, now.date()])
    _token, secret = made(member, now, organization=organization)
    assert ask(client, path, secret).status_code == 404  # may, and there is none of this month
    membership.role = "member"
    membership.save(update_fields=["role"])
    assert ask(client, path, secret).status_code == 403
    leave(membership, at=now)
    response = ask(client, path, secret)
    assert response.status_code == 403
    assert "does not belong" in response.json()["message"]


# What is kept ---------------------------------------------------------------------------------------------


def test_uses_are_not_changed_and_are_forgotten_in_time(provider, now, settings):
    token, _secret = made(provider, now)
    values = {"token": token, "method": "GET", "status": 200, "address": None}
    old = record_use(**values, path="/old", now=now - timedelta(days=settings.MARKETPLACE_TOKEN_USES_DAYS, seconds=1))
    record_use(**values, path="/new", now=now)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ApiTokenUse.objects.filter(pk=old.pk).update(path="/another")
    assert forget_uses(now=now) == 1
    assert [use.path for use in token.uses.all()] == ["/new"]


def test_no_secret_is_kept_with_a_use(provider, now):
    token, secret = made(provider, now)
    use = record_use(token=token, method="GET", path=f"/feeds/{secret}/x.ics", status=404, address=None, now=now)
    assert use.path == "/feeds/rsm_…/x.ics"


def test_where_people_are_sent_to_a_page_programs_are_told_to_come_again(client, buyer, listing, now, monkeypatch):
    booking = make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    path = reverse("invoice_pdf", args=[Invoice.objects.get(booking=booking).pk])
    token, secret = made(buyer, now)
    assert ask(client, path, secret).content.startswith(b"%PDF")

    def away(*_: object) -> bytes:
        raise StorageAway("The storage is away.")

    monkeypatch.setattr(printing, "pdf_of", away)
    answer = ask(client, path, secret)
    assert (answer.status_code, answer.json()["error"]) == (503, "away")
    assert answer["Retry-After"]
    assert not client.cookies
    assert sorted(token.uses.values_list("status", flat=True)) == [200, 503]
