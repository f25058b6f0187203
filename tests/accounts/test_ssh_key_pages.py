"""Adding and removing SSH keys: what is accepted, what is refused, and with which words."""

import base64
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)
from django.urls import reverse

from accounts.models import Notification, OutgoingMail, SSHKey
from accounts.stepup import SIGNED_IN
from tests.organizations import make_organization
from tests.people import PASSWORD
from tests.signing_in import confirm

#: A real one of the dead kind, as ssh-keygen -t dsa made them.
DSA = "ssh-dss AAAAB3NzaC1kc3MAAACBAKzz old@laptop"


@cache
def public(kind: str = "ed25519", number: int = 0) -> str:
    key = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
        "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
        "rsa3072": lambda: rsa.generate_private_key(65537, 3072),
    }[kind]()
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@cache
def private() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


@cache
def certificate() -> str:
    """As ``ssh-keygen -s authority id_ed25519.pub`` writes into ``id_ed25519-cert.pub``."""
    builder = (
        SSHCertificateBuilder()
        .public_key(ed25519.Ed25519PrivateKey.generate().public_key())
        .serial(1)
        .type(SSHCertificateType.USER)
        .key_id(b"bea")
        .valid_principals([b"bea"])
        .valid_after(0)
        .valid_before(2**63)
    )
    return builder.sign(ed25519.Ed25519PrivateKey.generate()).public_bytes().decode()


@pytest.fixture
def signed_in(client, buyer):
    client.force_login(buyer)
    return client


def add(client, text: str, name: str = ""):
    return client.post(reverse("ssh_key_list"), {"public_key": text, "name": name})


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa3072"])
def test_good_keys_are_accepted(signed_in, buyer, kind):
    assert add(signed_in, f"{public(kind)} bea@laptop\n").status_code == 302
    key = buyer.ssh_keys.get()
    assert key.public_key == public(kind)
    assert key.name == "bea@laptop"
    page = signed_in.get(reverse("ssh_key_list")).text
    assert key.fingerprint in page


def test_a_key_may_be_given_a_name(signed_in, buyer):
    add(signed_in, f"{public()} bea@laptop", "Office")
    assert buyer.ssh_keys.get().name == "Office"


REFUSED = {
    "weak RSA": (lambda: public("rsa2048"), "2048 bits"),
    "DSA": (lambda: DSA, "DSA keys are too weak"),
    "certificate": (lambda: f"{certificate()} bea@laptop", "This is a certificate"),
    "options": (lambda: f'no-pty,command="/bin/true x" {public()}', "something before the key"),
    "line breaks and a part missing": (lambda: f"{public()[:40]}\n{public()[48:]}", "do not fit together"),
    "broken by a space": (lambda: f"{public()[:40]} {public()[40:]}", "not a complete SSH public key"),
    "two keys": (lambda: f"{public()}\n{public('ed25519', 1)}", "These are several keys"),
    "two keys in one line": (lambda: f"{public()} {public('ed25519', 1)}", "These are several keys"),
    "PEM": (lambda: "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----", "in another format"),
    "of a type that nobody knows": (
        lambda: f"ssh-xmss@openssh.com {public().split()[1]}",
        "“ssh-xmss@openssh.com” are not",
    ),
    "of another type than it says": (lambda: f"ssh-rsa {public().split()[1]}", "not a complete SSH public key"),
    "nothing but a type": (lambda: "ssh-ed25519", "not a complete SSH public key"),
    "a comment alone": (lambda: "# my key", "not an SSH public key"),
    "a name alone": (lambda: "laptop", "not an SSH public key"),
    "cut off": (lambda: public()[:-10], "not a complete SSH public key"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_texts_are_refused_at_the_field_and_stay_in_it(signed_in, case):
    text, words = REFUSED[case][0](), REFUSED[case][1]
    response = add(signed_in, text, "Office")
    assert response.status_code == 422
    assert words in response.context["form"].errors["public_key"][0]
    assert response.context["form"]["public_key"].value() == text
    assert "Office" in response.text
    assert not SSHKey.objects.exists()


MENDED = {
    "as a terminal wraps it": lambda: f"{public()[:40]}\n{public()[40:60]}\n{public()[60:]} bea@laptop",
    "as a mail quotes it": lambda: f"  {public()[:40]}\r\n  {public()[40:]}\r\n  bea@laptop\r\n",
    "after its type": lambda: f"ssh-ed25519\n{public().split()[1]} bea@laptop",
    "under a comment": lambda: f"# my key\n\n{public()} bea@laptop\n",
}


@pytest.mark.parametrize("case", MENDED)
def test_line_breaks_are_mended_where_that_makes_a_whole_key(signed_in, buyer, case):
    assert add(signed_in, MENDED[case]()).status_code == 302
    key = buyer.ssh_keys.get()
    assert (key.public_key, key.name) == (public(), "bea@laptop")


def test_a_key_in_many_lines_is_mended_too(signed_in, buyer):
    whole = public("rsa3072")
    add(signed_in, "\n".join(whole[at : at + 64] for at in range(0, len(whole), 64)))
    assert buyer.ssh_keys.get().public_key == whole


def test_keys_on_hardware_are_let_in(signed_in, buyer):
    """As ssh-keygen -t ed25519-sk makes them; the fingerprint is that of the whole blob."""
    kind, raw = b"sk-ssh-ed25519@openssh.com", base64.b64decode(public().split()[1])[-32:]
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, raw, b"ssh:"))
    assert add(signed_in, f"{kind.decode()} {base64.b64encode(blob).decode()} key").status_code == 302
    assert buyer.ssh_keys.get().key_type == kind.decode()


PRIVATE = {
    "OpenSSH": private,
    "without its frame": lambda: "".join(private().splitlines()[1:-1]),
    "PuTTY": lambda: "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nAAAAIPsecretsecret",
}


@pytest.mark.parametrize("case", PRIVATE)
def test_a_private_key_is_called_compromised_and_is_nowhere_afterwards(signed_in, caplog, case):
    text = PRIVATE[case]()
    response = add(signed_in, text, "Office")
    assert response.status_code == 422
    assert "regard it as compromised" in response.context["form"].errors["public_key"][0]
    assert text.splitlines()[-2 if case == "OpenSSH" else -1] not in response.text
    assert "Office" in response.text
    assert text not in caplog.text
    assert not SSHKey.objects.exists()


def test_the_same_key_is_refused_a_second_time(signed_in, buyer):
    add(signed_in, public())
    response = add(signed_in, f"{public()} other-comment")
    assert response.status_code == 422
    assert "added this key already" in response.text
    assert buyer.ssh_keys.count() == 1


# Who adds it --------------------------------------------------------------------------------------------


@pytest.fixture
def left_open(client, buyer):
    """A browser in which the buyer signed in eleven minutes ago."""
    client.force_login(confirm(buyer))
    session = client.session
    session[SIGNED_IN] -= 11 * 60
    session.save()
    return client


@pytest.mark.parametrize("whose", ["own", "organization", "booking"])
def test_who_adds_a_key_shows_again_who_they_are_and_what_was_typed_is_added_then(left_open, buyer, paid, whose):
    organization = make_organization(buyer)
    page = {
        "own": reverse("ssh_key_list"),
        "organization": reverse("organization_keys", args=[organization.pk]),
        "booking": reverse("booking_key_add", args=[paid.pk]),
    }[whose]
    before = SSHKey.objects.count()
    asked = left_open.post(page, {"public_key": public(), "name": "Office"})
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert SSHKey.objects.count() == before
    assert left_open.post(asked["Location"], {"password": PASSWORD, "next": page}).status_code == 302
    key = SSHKey.objects.get(name="Office")
    assert key.organization == (organization if whose == "organization" else None)


def test_a_private_key_is_not_even_kept_while_somebody_is_asked(left_open):
    answer = add(left_open, private())
    assert answer.status_code == 422
    assert private().splitlines()[1] not in str(dict(left_open.session))


def test_whose_key_it_is_now_is_told(signed_in, buyer):
    add(signed_in, public(), "Office")
    mail = OutgoingMail.objects.get(key=f"key-added:{buyer.ssh_keys.get().pk}")
    assert (mail.user, "If that was not you" in mail.text) == (buyer, True)
    assert "“Office”" in mail.text
    assert Notification.objects.filter(user=buyer, key=mail.key).exists()


def test_two_people_may_hold_the_same_key(client, signed_in, other_buyer):
    add(signed_in, public())
    client.force_login(other_buyer)
    assert add(client, public()).status_code == 302


def test_a_key_is_removed_by_its_owner(signed_in, buyer):
    add(signed_in, public())
    url = reverse("ssh_key_delete", args=[buyer.ssh_keys.get().pk])
    assert signed_in.get(url).status_code == 405
    assert signed_in.post(url).status_code == 302
    assert not buyer.ssh_keys.exists()
    assert signed_in.post(url).status_code == 404


def test_nobody_removes_or_sees_another_ones_key(client, signed_in, buyer, other_buyer):
    add(signed_in, public())
    key = buyer.ssh_keys.get()
    client.force_login(other_buyer)
    assert key.fingerprint not in client.get(reverse("ssh_key_list")).text
    assert client.post(reverse("ssh_key_delete", args=[key.pk])).status_code == 404
    assert buyer.ssh_keys.exists()
