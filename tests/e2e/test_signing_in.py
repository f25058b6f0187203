"""Signing up, in and out in a real browser: with a passkey of a virtual authenticator, and with an authenticator app."""

import re
import time
from collections.abc import Callable, Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from playwright.sync_api import CDPSession, Page, expect

from tests.e2e.conftest import Complaints, Opens, Site
from tests.e2e.test_pages import RULES, violations

PASSWORD = "plum tractor eleven moss"
OF_AXE = re.compile("Applying inline style|Couldn't load preload assets")
CODE = re.compile(r"^[A-Z0-9]{3,5}-[A-Z0-9]{3,5}$", re.MULTILINE)


@pytest.fixture
def localhost(site: Site, browse: Opens) -> Page:
    """A browser that calls this machine by its name: an address of numbers can have no passkeys."""
    return browse(base_url=site.url.replace("127.0.0.1", "localhost"))


@pytest.fixture
def authenticator(localhost: Page) -> CDPSession:
    """A device that keeps passkeys and has always just seen its owner's finger."""
    session = localhost.context.new_cdp_session(localhost)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def mailed_code(site: Site, address: str) -> str:
    mails = site.wait("a code", lambda: [mail for mail in site.mails(address) if CODE.search(mail.text)])
    return CODE.search(mails[-1].text)[0]


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def fits(page: Page) -> None:
    """Pages that only come up on the way are accessible, too."""
    page.wait_for_load_state()  # before that, the style sheets may still be missing
    assert violations(page, RULES) == []


@pytest.fixture(autouse=True)
def _axe_is_no_page(complaints: Complaints) -> Iterator[None]:
    """What browsers say about the tool is not the pages' fault: their styles are looked at by ``test_pages.py``."""
    yield
    complaints.found[:] = [words for words in complaints.found if not OF_AXE.search(words)]


def test_from_signing_up_with_a_passkey_to_signing_in_with_it(site: Site, localhost: Page, authenticator: CDPSession):
    page, address = localhost, "pia@example.com"
    page.goto("/accounts/signup/")
    page.get_by_role("link", name="Sign up with a passkey").click()
    page.get_by_label("Your name").fill("Pia Passkey")
    page.locator("[name=email]").fill(address)
    press(page, "Go on")
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
    fits(page)
    page.get_by_label("Code").fill(mailed_code(site, address))
    press(page, "Go on")
    expect(page.get_by_role("heading", level=1)).to_have_text("Make your passkey")
    fits(page)
    press(page, "Make it")
    expect(page).to_have_url(re.compile("/accounts/security/$"))
    expect(page.get_by_role("main")).to_contain_text("Make recovery codes")

    sign_out(page)
    page.goto("/accounts/login/")
    press(page, "Sign in with a passkey")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()

    # Recovery codes, after showing again who it is, with the passkey.
    page.goto("/accounts/2fa/recovery-codes/generate/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Is it still you?")
    fits(page)
    press(page, "Use a passkey")
    expect(page.get_by_role("heading", level=2)).to_have_text("Make recovery codes")
    press(page, "Make them")
    expect(page.locator(".codes li")).to_have_count(10)
    fits(page)

    # A second passkey, and the list of both.
    page.goto("/accounts/2fa/webauthn/")
    fits(page)
    assert site.mail(address, "New recovery codes were made")


def test_a_passkey_that_the_browser_does_not_give_is_said_so(localhost: Page, authenticator: CDPSession):
    page = localhost
    page.goto("/accounts/login/")
    press(page, "Sign in with a passkey")
    expect(page.get_by_role("alert")).to_contain_text("Your browser gave us no passkey")
    fits(page)


def test_an_authenticator_app_is_set_up_and_signs_in(site: Site, localhost: Page):
    page, address = localhost, "toto@example.com"
    page.goto("/accounts/signup/")
    page.get_by_label("Your name").fill("Toto Code")
    page.locator("[name=email]").fill(address)
    for name in ("password1", "password2"):
        page.locator(f"[name={name}]").fill(PASSWORD)
    press(page, "Sign up")
    page.get_by_label("Code").fill(mailed_code(site, address))
    press(page, "Go on")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()

    page.goto("/accounts/security/")
    page.get_by_role("link", name="Set it up").click()
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Go on")
    secret = page.locator("code").inner_text()
    fits(page)
    now = time.time()
    code: Callable[[int], str] = lambda ahead: format_hotp_value(hotp_value(secret, int(now) // 30 + ahead))  # noqa: E731
    page.get_by_label("Code").fill(code(0))
    press(page, "Switch it on")
    expect(page.locator(".codes li")).to_have_count(10)
    recovery = page.locator(".codes li").first.inner_text()

    for last_step in (code(1), recovery):
        sign_out(page)
        page.goto("/accounts/login/")
        page.locator("[name=login]").fill(address)
        page.locator("[name=password]").fill(PASSWORD)
        press(page, "Sign in")
        expect(page.get_by_role("heading", level=1)).to_have_text("Second step")
        page.get_by_label("Code").fill(last_step)
        press(page, "Sign in")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert site.mail(address, "An authenticator app was set up")
