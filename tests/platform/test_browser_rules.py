"""What every answer tells a browser, what a public site's cookies are, and what is refused before anything looks at it."""

import ast
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest
from django.conf import global_settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.exceptions import ValidationError
from django.urls import reverse

import marketplace
from bookings.models import Access
from machines.models import Machine

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
ROOMS = ("accounts", "bookings", "billing", "machines", "common", "marketplace", "agent")


@pytest.fixture
def public(monkeypatch):
    """The settings as they are where the site is reached by HTTPS."""
    monkeypatch.setenv("SITE_URL", "https://marketplace.example")
    monkeypatch.setenv("DEBUG", "false")
    for name in [name for name in sys.modules if f"{name}.".startswith("marketplace.settings.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(marketplace, "settings", None, raising=False)
    return vars(import_module("marketplace.settings"))


def test_cookies_of_a_public_site_go_to_its_host_alone_and_over_https(public):
    names = ["SESSION_COOKIE", "CSRF_COOKIE", "LANGUAGE_COOKIE"]
    for name in names:
        assert public[f"{name}_NAME"].startswith("__Host-"), name
        assert public[f"{name}_SECURE"] is True, name
        assert public[f"{name}_HTTPONLY"] is True, name
        assert public[f"{name}_SAMESITE"] == "Lax", name
        assert not public.get(f"{name}_DOMAIN"), name
    assert public["MARKETPLACE_MESSAGES_COOKIE"] == "__Host-messages"
    assert public["MARKETPLACE_TIMEZONE_COOKIE"] == "__Host-timezone"


def test_a_public_site_insists_on_https_and_on_second_factors(public):
    assert public["SECURE_SSL_REDIRECT"]
    assert public["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert public["SECURE_HSTS_INCLUDE_SUBDOMAINS"]
    assert public["MARKETPLACE_ADMIN_MFA"]
    assert not public["DEBUG"]


@pytest.mark.parametrize("path", ["/", "/nothing/", "/healthz", "/agent/v1/heartbeat", "/accounts/login/"])
def test_every_answer_says_what_a_browser_may_do_with_it(client, path):
    answer = client.get(path)
    policy = answer["Content-Security-Policy"]
    for directive in (
        "default-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ):
        assert directive in policy, directive
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer
    assert "charset=utf-8" in answer["Content-Type"] or answer["Content-Type"] == "application/json"


def test_static_files_are_framed_by_nobody_either(client, settings):
    order = settings.MIDDLEWARE.index
    assert order("csp.middleware.CSPMiddleware") < order("whitenoise.middleware.WhiteNoiseMiddleware")
    assert order("django.middleware.security.SecurityMiddleware") < order("csp.middleware.CSPMiddleware")


@pytest.mark.parametrize("path", ["/agent/v1/heartbeat", "/feeds/rsm_x/bookings.ics", "/billing/stripe/webhook/"])
def test_programs_that_speak_plain_http_are_refused_and_people_sent_on(client, settings, path):
    settings.SECURE_SSL_REDIRECT = True
    refused = client.post(path)
    assert refused.status_code == 403
    assert refused.json()["error"] == "https_only"
    with_token = client.get(reverse("invoice_list"), headers={"authorization": "Bearer rsm_x"})
    assert with_token.status_code == 403
    assert client.get("/").status_code == 301
    assert client.post(path, secure=True).status_code != 301


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT"])
def test_methods_that_nobody_needs_are_refused(client, method):
    refused = client.generic(method, "/")
    assert refused.status_code == 405
    assert refused["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in refused["Content-Security-Policy"]


def test_passwords_are_hashed_slowly(settings):
    assert global_settings.PASSWORD_HASHERS[0].endswith("PBKDF2PasswordHasher")
    assert PBKDF2PasswordHasher.iterations >= 600_000


def test_what_a_mail_lets_somebody_do_it_does_for_a_short_time(settings):
    assert settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT <= 600
    assert settings.PASSWORD_RESET_TIMEOUT <= 3600


def test_an_address_of_a_host_is_one_line():
    for field in (Access._meta.get_field("host"), Machine._meta.get_field("ssh_host")):
        field.run_validators("10.0.0.1")
        with pytest.raises(ValidationError, match="host name"):
            field.run_validators("10.0.0.1\n")


# What lies about -----------------------------------------------------------------------------------------


def test_our_scripts_put_no_markup_into_pages():
    """Text goes in as text; nothing is run that was a text; no other window is listened to."""
    wrong = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|postMessage|Storage\b"
    )
    scripts = sorted((ROOT / "static" / "js").glob("*.js"))
    assert scripts
    assert [script.name for script in scripts if wrong.search(script.read_text())] == []


@pytest.mark.parametrize(
    "path", ["/.git/config", "/manage.py", "/static/", "/static/../manage.py", "/media/", "/var/run/env"]
)
def test_files_of_the_program_are_not_served(client, path):
    assert client.get(path).status_code == 404


def test_no_weak_hash_is_used_but_where_others_fixed_it():
    """Lists of stolen passwords are made of SHA-1 (``accounts/passwords.py``), which is no use for security."""
    found = []
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr.lower() in {"md5", "sha1"}:
                    found.append(str(path.relative_to(ROOT)))
    assert found == ["accounts/passwords.py"]


def test_every_library_is_named_with_its_version():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert [line for line in lines if not re.match(r"[\w.-]+(\[[\w,]+\])?==[\w.]+", line)] == []
