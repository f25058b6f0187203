"""Which passwords will do. Everything here works without a network."""

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.urls import reverse

from accounts.models import User
from accounts.passwords import is_listed
from accounts.sign_in_forms import SignUpForm

GOOD = ["plum tractor eleven moss", "a-long-enough-password", "Xq7#vLp2!mRz", "ключ от квартиры где деньги"]


def said(password: str, **about: str) -> str:
    with pytest.raises(ValidationError) as refused:
        validate_password(password, User(**about))
    return " ".join(refused.value.messages)


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


@pytest.mark.parametrize("password", GOOD)
def test_good_ones_will_do(password):
    validate_password(password, User(email="ada@example.com", name="Ada Lovelace"))


@pytest.mark.parametrize("password", ["qwertyuiop", "Qwertyuiop", "1234567890", "basketball"])
def test_stolen_ones_are_refused_by_the_lists_that_ship(password):
    assert "list of stolen ones" in said(password)


@pytest.mark.parametrize("password", ["Password123!", "qwerty12345678", "aaaaaaaaaaaa", "19.05.1984!"])
def test_quickly_guessed_ones_are_refused(password):
    assert "Three or four words" in said(password)


def test_ones_own_name_and_address_are_no_password():
    assert said("adalovelace1", email="ada@example.com", name="Ada Lovelace")
    assert said("ada@example.com", email="ada@example.com", name="Ada Lovelace")


@pytest.mark.parametrize("password", ["remoteservers2026", "marketplaceGPU7", "administrator-2026"])
def test_words_of_this_place_are_no_password(password):
    assert "guessed too quickly" in said(password)


@pytest.mark.django_db
def test_fields_for_passwords_are_masked_and_open_to_managers(client):
    """And what is typed is neither cut nor stripped."""
    page = client.get(reverse("account_signup")).text
    for field in re.findall(r"<input[^>]*password[^>]*>", page):
        assert 'type="password"' in field
        assert 'autocomplete="new-password"' in field
        assert "maxlength" not in field
    assert 'autocomplete="current-password"' in client.get(reverse("account_login")).text
    form = SignUpForm({"password1": "  plum tractor eleven moss  "})
    assert form.fields["password1"].clean("  plum tractor eleven moss  ") == "  plum tractor eleven moss  "


def test_short_ones_are_refused():
    assert "at least 10" in said("Xq7#vLp2!")


def test_a_very_long_one_is_checked_quickly():
    validate_password("plum tractor eleven moss " * 200, User())


@pytest.mark.parametrize("letters", [40, 16])
@pytest.mark.parametrize("count", ["", ":3"])
def test_a_file_of_stolen_ones_is_searched(tmp_path, settings, letters, count):
    """Of whole hashes as of Pwned Passwords, or cut to save room."""
    stolen = [f"{GOOD[0]}{number}" for number in range(500)]
    path = tmp_path / "stolen.txt"
    path.write_text("".join(f"{line[:letters]}{count}\r\n" for line in sorted(map(sha1, stolen))))
    settings.MARKETPLACE_BREACHED_PASSWORDS = str(path)
    assert all(is_listed(path, sha1(password)) for password in stolen)
    assert not any(is_listed(path, sha1(f"{password}x")) for password in stolen)
    assert "list of stolen ones" in said(stolen[7])
    validate_password(GOOD[0], User())


@pytest.mark.parametrize("content", [None, "", "\n", "no hashes at all\n"])
def test_a_file_that_is_away_or_empty_refuses_nothing(tmp_path, settings, content):
    path = tmp_path / "stolen.txt"
    if content is not None:
        path.write_text(content)
    settings.MARKETPLACE_BREACHED_PASSWORDS = str(path)
    validate_password(GOOD[0], User())
    assert "list of stolen ones" in said("qwertyuiop")


# The range service --------------------------------------------------------------------------------------------


class Service(BaseHTTPRequestHandler):
    """Knows one password, and one that is only padding."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        lines = [f"{sha1(GOOD[0])[5:]}:12", f"{sha1(GOOD[1])[5:]}:0", "F" * 35 + ":1"]
        self.send_response(200)
        self.end_headers()
        self.wfile.write("\r\n".join(lines).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def service(settings) -> Iterator[list[str]]:
    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    settings.MARKETPLACE_BREACH_SERVICE = f"http://127.0.0.1:{server.server_port}/range"
    Service.asked.clear()
    yield Service.asked
    server.shutdown()
    server.server_close()


def test_a_service_is_asked_with_five_letters_of_the_hash(service):
    assert "list of stolen ones" in said(GOOD[0])
    validate_password(GOOD[1], User())  # the service pads its answers with what nobody ever used
    assert service == [f"/range/{sha1(GOOD[0])[:5]}", f"/range/{sha1(GOOD[1])[:5]}"]


def test_a_service_that_is_away_keeps_nobody_out(settings, service):
    settings.MARKETPLACE_BREACH_SERVICE = "http://127.0.0.1:9/range/"
    validate_password(GOOD[0], User())
    assert "list of stolen ones" in said("qwertyuiop")
