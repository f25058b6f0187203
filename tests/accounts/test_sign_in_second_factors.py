"""Second factors: a code works once, recovery codes stand in, secrets are not stored in the clear."""

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.urls import reverse

from accounts.models import OutgoingMail
from tests.people import PASSWORD
from tests.signing_in import SECRET, add_app, add_codes, code_now, confirm, sign_in, step_up

pytestmark = pytest.mark.django_db

SECOND = "/accounts/2fa/authenticate/"


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def person(buyer):
    """With an authenticator app."""
    add_app(confirm(buyer))
    return buyer


def is_signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def test_the_password_alone_does_not_sign_in(client, person):
    assert sign_in(client, person)["Location"] == SECOND
    assert not is_signed_in(client)
    assert client.get(reverse("security")).status_code == 302


@pytest.mark.parametrize("periods", [-1, 0, 1])
def test_a_code_signs_in_also_where_the_clock_is_half_a_minute_off(client, person, periods):
    sign_in(client, person)
    client.post(SECOND, {"code": code_now(periods=periods)})
    assert is_signed_in(client)


@pytest.mark.parametrize("periods", [-3, 3])
def test_a_clock_that_is_further_off_does_not(client, person, periods):
    sign_in(client, person)
    assert "That is not right" in client.post(SECOND, {"code": code_now(periods=periods)}).text
    assert not is_signed_in(client)


@pytest.mark.parametrize("periods", [0, 1])
def test_a_code_that_somebody_saw_does_not_work_again(client, person, periods, monkeypatch):
    """Also not when the library has forgotten it and would still take it (RFC 6238, 5.2)."""
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.TOTP._mark_code_used", lambda self, code: True)
    code = code_now(periods=periods)
    sign_in(client, person)
    client.post(SECOND, {"code": code})
    assert is_signed_in(client)
    thief = type(client)()
    sign_in(thief, person)
    assert "That is not right" in thief.post(SECOND, {"code": f" {code[:3]} {code[3:]}"}).text
    assert not is_signed_in(thief)
    step = client.post(reverse("mfa_reauthenticate"), {"code": code})
    assert "That is not right" in step.text


def test_without_our_own_memory_it_would(client, person, monkeypatch):
    """The other of the pair: what the library forgets after a period is what is taken a second time."""
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.TOTP._mark_code_used", lambda self, code: True)
    monkeypatch.setattr("accounts.second_factor.spend_code", lambda user, code: True)
    code = code_now()
    for there in (client, type(client)()):
        sign_in(there, person)
        there.post(SECOND, {"code": code})
        assert is_signed_in(there)


def test_a_recovery_code_works_once(client, person):
    code, *_ = add_codes(person)
    sign_in(client, person)
    client.post(SECOND, {"code": code})
    assert is_signed_in(client)
    again = type(client)()
    sign_in(again, person)
    assert "That is not right" in again.post(SECOND, {"code": code}).text
    step_up(client)
    assert code not in client.get(reverse("mfa_download_recovery_codes")).text


def test_resetting_the_password_does_not_go_around_the_second_factor(client, buyer):
    add_app(confirm(buyer))
    client.post(reverse("account_reset_password"), {"email": buyer.email})
    mail = OutgoingMail.objects.get(user=buyer, subject="Choose a new password")
    link = next(word for word in mail.text.split() if "/password/reset/key/" in word)
    form = client.get(f"/{link.split('/', 3)[3]}", follow=True).redirect_chain[-1][0]
    new = "plum tractor eleven moss"
    client.post(form, {"password1": new, "password2": new})
    assert "_auth_user_id" not in client.session
    assert sign_in(client, buyer, new)["Location"].startswith(reverse("mfa_authenticate"))
    assert "_auth_user_id" not in client.session


def test_guessing_codes_is_slowed_down(client, person):
    sign_in(client, person)
    answers = [client.post(SECOND, {"code": f"00000{number}"}).text for number in range(6)]
    assert "Too many failed attempts." in answers[-1]
    assert "Too many failed attempts." in client.post(SECOND, {"code": code_now()}).text
    assert not is_signed_in(client)


def test_an_app_is_set_up_with_a_code_which_then_is_spent(client, buyer, django_capture_on_commit_callbacks):
    client.force_login(confirm(buyer))
    step_up(client)
    page = client.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret
    assert secret in page.text
    assert 'src="data:image/svg+xml;base64,' in page.text
    code = code_now(secret)
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(reverse("mfa_activate_totp"), {"code": code})
    assert answer["Location"] == reverse("mfa_view_recovery_codes")
    codes = client.get(answer["Location"]).context["unused_codes"]
    assert len(codes) == 10
    assert all(code in client.get(reverse("mfa_download_recovery_codes")).text for code in codes)
    assert OutgoingMail.objects.filter(user=buyer, subject="An authenticator app was set up").exists()
    again = type(client)()
    sign_in(again, buyer)
    again.post(SECOND, {"code": code})
    assert not is_signed_in(again)
    again.post(SECOND, {"code": code_now(secret, periods=1)})
    assert is_signed_in(again)


def test_secrets_are_stored_encrypted_and_outlive_a_change_of_the_key(client, person, settings):
    stored = str(Authenticator.objects.get(user=person).data)
    assert SECRET not in stored
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-secret-key-that-came-later"
    sign_in(client, person)
    client.post(SECOND, {"code": code_now()})
    assert is_signed_in(client)


def test_without_its_last_factor_the_password_signs_in_and_the_codes_are_gone(client, person):
    add_codes(person)
    client.force_login(person)
    step_up(client)
    client.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.filter(user=person).exists()
    again = type(client)()
    sign_in(again, person)
    assert is_signed_in(again)


def test_the_page_of_security_says_what_there_is_and_what_is_missing(client, buyer):
    client.force_login(confirm(buyer))
    page = client.get(reverse("security")).text
    assert "Whoever learns your password gets in." in page
    add_app(buyer)
    page = client.get(reverse("security")).text
    assert "only a recovery code lets you in" in page
    add_codes(buyer)
    page = client.get(reverse("security")).text
    assert "10 are left." in page
    assert "note warn" not in page
    assert client.get(reverse("mfa_index")).status_code == 200


def test_nobody_touches_the_passkeys_of_others(client, buyer, other_buyer):
    key = Authenticator.objects.create(user=buyer, type="webauthn", data={"name": "Mine", "credential": {}})
    client.force_login(other_buyer)
    step_up(client)
    for route in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        assert client.get(reverse(route, args=[key.pk])).status_code == 404
        assert client.post(reverse(route, args=[key.pk]), {"name": "Yours"}).status_code == 404


@pytest.mark.parametrize(
    "credential", ["", "{}", "null", "[]", '{"id": "x"}', "\0", '{"response": {"userHandle": "YQ"}}']
)
def test_what_is_no_passkey_is_refused_in_words(client, credential):
    answer = client.post(reverse("mfa_login_webauthn"), {"credential": credential}, follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == reverse("account_login")


# The administration ------------------------------------------------------------------------------------------


def test_the_administration_wants_a_second_factor(client, administrator, settings):
    settings.MARKETPLACE_ADMIN_MFA = True
    confirm(administrator)
    client.force_login(administrator)
    page = client.get("/admin/")
    assert page.status_code == 403
    assert reverse("mfa_add_webauthn") in page.text
    assert client.get("/admin/accounts/user/").status_code == 403


def test_who_has_one_shows_it_once_in_a_session(client, administrator, settings):
    settings.MARKETPLACE_ADMIN_MFA = True
    add_app(confirm(administrator))
    client.force_login(administrator)
    asked = client.get("/admin/accounts/user/?q=a")
    assert asked["Location"].startswith(reverse("mfa_reauthenticate"))
    answer = client.post(asked["Location"], {"code": code_now(), "next": "/admin/accounts/user/?q=a"})
    assert answer["Location"] == "/admin/accounts/user/?q=a"
    assert client.get(answer["Location"]).status_code == 200


def test_signing_in_with_a_code_opens_it_and_a_change_asks_again(client, administrator, buyer, settings):
    settings.MARKETPLACE_ADMIN_MFA = True
    add_app(confirm(administrator))
    sign_in(client, administrator)
    client.post(SECOND, {"code": code_now()})
    assert client.get("/admin/").status_code == 200
    lost = add_app(buyer)
    address = "/admin/mfa/authenticator/"
    form = {"action": "remove", "_selected_action": [lost.pk], "decided": "yes", "reason": "Lost her telephone."}
    asked = client.post(address, form)
    assert asked["Location"].startswith(reverse("account_reauthenticate"))
    assert Authenticator.objects.filter(pk=lost.pk).exists()
    client.post(asked["Location"], {"password": PASSWORD, "next": address})
    assert not Authenticator.objects.filter(pk=lost.pk).exists()
    mail = OutgoingMail.objects.get(user=buyer)
    assert "Lost her telephone." in mail.text
    assert client.post(reverse("admin:logout")).status_code == 200


def test_the_administration_shows_no_secrets(client, administrator, buyer):
    factor = add_app(buyer)
    client.force_login(administrator)
    for page in (
        "/admin/mfa/authenticator/",
        f"/admin/mfa/authenticator/{factor.pk}/change/",
        "/admin/usersessions/usersession/",
    ):
        answer = client.get(page)
        assert answer.status_code == 200
        assert factor.data["secret"] not in answer.text
