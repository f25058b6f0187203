"""Signing up and in: addresses are confirmed, nobody learns who has an account, and guessing is slowed down."""

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import BasePasswordHasher, get_hasher
from django.core.cache import cache
from django.urls import reverse

from accounts.models import OutgoingMail, User
from tests.people import PASSWORD
from tests.signing_in import confirm, mailed_code, sign_in, step_up

pytestmark = pytest.mark.django_db

SIGN_UP = {
    "email": "new@example.com",
    "name": "Nora New",
    "purpose": "buyer",
    "password1": "plum tractor eleven moss",
    "password2": "plum tractor eleven moss",
}
CODE_PAGE = "/accounts/confirm-email/"


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


def sign_up(client, **changes):
    return client.post(reverse("account_signup"), SIGN_UP | changes)


def is_signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def test_signing_up_takes_the_code_of_a_mail(client):
    assert sign_up(client)["Location"] == CODE_PAGE
    assert not is_signed_in(client)
    page = client.get(CODE_PAGE).text
    assert "new@example.com" in page
    assert client.post(CODE_PAGE, {"code": mailed_code("new@example.com")}).status_code == 302
    assert is_signed_in(client)
    assert EmailAddress.objects.get(email="new@example.com").verified


def test_a_name_is_no_advertisement(client):
    """It would go into mails to whomever they invite."""
    page = sign_up(client, name="Cheap at https://x.example")
    assert "A name holds no web address." in page.text
    assert "https://x.example" in page.text
    assert not EmailAddress.objects.exists()


def test_a_wrong_code_confirms_nothing_and_the_third_ends_it(client):
    sign_up(client)
    code = mailed_code("new@example.com")
    for _ in range(2):
        assert "not the code" in client.post(CODE_PAGE, {"code": "AAAA-BBBB"}).text
    assert client.post(CODE_PAGE, {"code": "AAAA-BBBB"})["Location"] == reverse("account_login")
    client.post(CODE_PAGE, {"code": code})
    assert not is_signed_in(client)
    assert not EmailAddress.objects.get(email="new@example.com").verified


def test_a_code_is_good_for_its_own_browser_alone(client):
    sign_up(client)
    code = mailed_code("new@example.com")
    other = type(client)()
    assert other.post(CODE_PAGE, {"code": code})["Location"] == reverse("account_login")


# Who has an account -----------------------------------------------------------------------------------


def without_what_differs(client, email: str) -> str:
    """The page after signing up, with what differs by chance or by what was typed taken out."""
    page = client.get(CODE_PAGE)
    return page.text.replace(email, "…").replace(str(page.context["csrf_token"]), "…")


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_signing_up_answers_alike_whether_there_is_an_account(client, buyer, is_confirmed):
    EmailAddress.objects.create(user=buyer, email=buyer.email, verified=is_confirmed, primary=True)
    other = type(client)()
    assert sign_up(client)["Location"] == sign_up(other, email=buyer.email)["Location"] == CODE_PAGE
    new, known = without_what_differs(client, "new@example.com"), without_what_differs(other, buyer.email)
    assert new == known
    for there, email in ((client, "new@example.com"), (other, buyer.email)):
        answer = there.post(CODE_PAGE, {"code": "AAAA-BBBB"})
        assert (answer.status_code, "not the code" in answer.text) == (200, True), email
    assert User.objects.filter(email=buyer.email).count() == 1
    mail = OutgoingMail.objects.get(address=buyer.email)
    assert mail.subject == "You have an account already"


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """How often a password was hashed, which is what an answer spends its time on."""
    times: list[str] = []
    hasher = type(get_hasher())
    encode = hasher.encode
    monkeypatch.setattr(hasher, "encode", lambda self, *args: times.append("encode") or encode(self, *args))
    assert issubclass(hasher, BasePasswordHasher)
    return times


def test_signing_up_takes_as_long_for_an_address_that_has_an_account(client, buyer, hashed):
    sign_up(client)
    for_a_new_one = len(hashed)
    sign_up(type(client)(), email=confirm(buyer).email)
    assert len(hashed) == 2 * for_a_new_one > 0


def test_signing_in_takes_as_long_for_an_address_that_has_no_account(client, buyer, hashed):
    confirm(buyer)
    nobody, passwordless = User(email="nobody@example.com"), User.objects.create(email="sso@example.com")
    passwordless.set_unusable_password()
    passwordless.save()
    spent = []
    for somebody in (buyer, nobody, passwordless):
        del hashed[:]
        answer = sign_in(type(client)(), somebody, "guess-guess-guess")
        assert "There is no account with this address and this password." in answer.text
        spent.append(len(hashed))
    assert len(set(spent)) == 1


def test_resetting_a_password_answers_alike_and_mails_either_way(client, buyer):
    confirm(buyer)
    answers = [client.post(reverse("account_reset_password"), {"email": e}) for e in (buyer.email, "no@example.com")]
    assert [answer["Location"] for answer in answers] == [reverse("account_reset_password_done")] * 2
    subjects = OutgoingMail.objects.order_by("created_at").values_list("subject", flat=True)
    assert list(subjects) == ["Choose a new password", "No account with this address"]


# Guessing ---------------------------------------------------------------------------------------------


def test_guesses_at_one_account_are_slowed_down_whether_there_is_one(client, buyer):
    confirm(buyer)
    for email in (buyer.email, "nobody@example.com"):
        cache.clear()
        answers = [sign_in(client, User(email=email), f"guess-{number}").text for number in range(6)]
        assert ["Too many failed attempts." in answer for answer in answers] == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("setting", "route", "form"),
    [
        ("login", "account_login", {"login": "x@example.com", "password": "x"}),
        ("signup", "account_signup", {}),
        ("reset_password", "account_reset_password", {"email": "x@example.com"}),
    ],
)
def test_asking_too_often_is_answered_with_a_page_that_says_so(client, settings, setting, route, form):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, setting: "2/m/ip"}
    answers = [client.post(reverse(route), form) for _ in range(3)]
    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    assert "That was a lot at once" in answers[-1].text


def test_asking_again_who_one_is_and_passkeys_are_limited_too(client, buyer, settings):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "reauthenticate": "2/m/user"}
    settings.MFA_RATE_LIMITS = {"webauthn_login": "2/m/ip"}
    passkeys = [client.post(reverse("mfa_login_webauthn"), {"credential": "{}"}).status_code for _ in range(3)]
    assert passkeys == [302, 302, 429]
    client.force_login(buyer)
    again = [client.post(reverse("account_reauthenticate"), {"password": "x"}).status_code for _ in range(3)]
    assert again == [200, 200, 429]


# Afterwards -------------------------------------------------------------------------------------------


def test_changing_the_password_signs_out_the_other_devices_and_is_mailed(client, buyer):
    confirm(buyer)
    other = type(client)()
    sign_in(client, buyer), sign_in(other, buyer)
    assert other.get(reverse("security")).status_code == 200
    new = "plum tractor eleven moss"
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert client.get(reverse("security")).status_code == 200
    assert other.get(reverse("security")).status_code == 302
    mail = OutgoingMail.objects.get(user=buyer, subject="Your password was changed")
    assert "Was it you?" in mail.text
    assert "<h1>Your password was changed</h1>" in mail.html


def test_a_mail_that_lets_somebody_in_has_a_button_and_the_code_stands_out(client, buyer):
    client.post(reverse("account_reset_password"), {"email": confirm(buyer).email})
    mail = OutgoingMail.objects.get(user=buyer)
    link, *_ = [line for line in mail.text.splitlines() if line.startswith("http")]
    assert f'<a class="button" href="{link}">Choose a new password</a>' in mail.html
    assert mail.is_private
    sign_up(client)
    mail = OutgoingMail.objects.get(address="new@example.com")
    assert f"<code>{mailed_code('new@example.com')}</code>" in mail.html


def test_an_address_is_changed_by_the_code_that_is_mailed_to_the_new_one(client, buyer):
    confirm(buyer)
    sign_in(client, buyer)
    step_up(client)
    address = reverse("account_email")
    assert client.post(address, {"action_add": "", "email": "new@example.com"})["Location"] == CODE_PAGE
    assert not EmailAddress.objects.filter(email="new@example.com").exists()
    client.post(CODE_PAGE, {"code": mailed_code("new@example.com")})
    client.post(address, {"action_primary": "", "email": "new@example.com"})
    buyer.refresh_from_db()
    assert buyer.email == "new@example.com"
    told = OutgoingMail.objects.get(address="buyer@example.com", subject="Your e-mail address was changed")
    assert "new@example.com" in told.text
