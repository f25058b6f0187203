"""Requests to addresses that people give: to public ones only, to the very address that was looked at, and not for ever."""

import ipaddress
from time import monotonic

import pytest

from common import outward
from common.outward import NoAnswer, TargetRefused, addresses_of, checked_url, is_public, post
from tests.accounts.receiver import PUBLIC, Said, certificate_for, played_network, receiving, silent

PORTS = {443, 8443}
NAME = "hooks.example.org"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (PUBLIC, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # where clouds tell machines their secrets
        ("100.64.0.1", False),  # carrier-grade NAT
        ("192.0.0.8", False),
        ("192.0.2.1", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("198.51.100.1", False),
        ("203.0.113.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        (f"::ffff:{PUBLIC}", True),
        ("64:ff9b::7f00:1", False),  # NAT64 of 127.0.0.1
        ("64:ff9b::5db8:d70e", True),  # NAT64 of a public one
        ("64:ff9b:1::1", False),
        ("2002:7f00:1::1", False),  # 6to4
        ("2001:0:5ef5:79fd::1", False),  # Teredo
        ("2001:db8::1", False),
        ("3fff::1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("fc00::1", False),
        ("fd12:3456::1", False),
        ("ff02::1", False),
        ("100::1", False),
    ],
)
def test_which_addresses_are_public(address, expected):
    assert is_public(ipaddress.ip_address(address)) is expected


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example.org/", "begins with https://"),
        ("ftp://hooks.example.org/", "not a whole address"),
        ("hooks.example.org/in", "not a whole address"),
        ("https://", "not a whole address"),
        ("https:///path", "not a whole address"),
        ("https://you:secret@hooks.example.org/", "name and password"),
        ("https://you@hooks.example.org/", "name and password"),
        ("https://hooks.example.org/#part", "“#”"),
        ("https://hooks.example.org:22/", "ports"),
        ("https://hooks.example.org:80/", "ports"),
        ("https://hooks.example.org/a b", "spaces"),
        ("https://hooks.example.org/\r\nX: y", "spaces"),
        ("https://hooks.example.org\\@127.0.0.1/", "backslashes"),
        ("https://[::1/", "not a whole address"),
    ],
)
def test_addresses_that_are_refused_for_their_letters(url, says):
    with pytest.raises(TargetRefused) as refused:
        checked_url(url, ports=PORTS)
    assert says in refused.value.message
    assert refused.value.field == "url"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "127.1", "[::ffff:7f00:1]"]
)
def test_ways_to_write_this_very_machine(host):
    with pytest.raises(TargetRefused):
        addresses_of(checked_url(f"https://{host}/", ports=PORTS))


def test_a_name_with_one_address_inside_is_refused_for_that_one(monkeypatch):
    with played_network(monkeypatch, 0) as network:
        network.names[NAME] = [[PUBLIC, "10.0.0.7"]]
        with pytest.raises(TargetRefused, match="not on the public Internet") as refused:
            addresses_of(checked_url(f"https://{NAME}/", ports=PORTS))
        assert "10.0.0.7" not in refused.value.message, "what names inside resolve to is nobody's business"


def test_a_name_that_nobody_knows(monkeypatch):
    with pytest.raises(NoAnswer, match="cannot be found"):
        addresses_of(checked_url("https://no-such-name.invalid/", ports=PORTS))


@pytest.fixture
def secure(tmp_path, settings):
    """An HTTPS server that has a certificate for NAME, which is believed."""
    ca, context = certificate_for(NAME, tmp_path)
    settings.MARKETPLACE_WEBHOOK_CA_FILE = str(ca)
    with receiving(context) as receiver:
        yield receiver


def test_what_is_connected_to_is_the_address_that_was_looked_at_and_tls_verifies_the_name(secure, monkeypatch):
    """The name answers with a public address once, and with one inside from then on: nobody asks it a second time."""
    with played_network(monkeypatch, secure.port) as network:
        network.names[NAME] = [[PUBLIC], ["127.0.0.1"]]
        answer = post(f"https://{NAME}/in?x=1", b"{}", {}, ports=PORTS, within=5)
        assert answer.status == 200
        assert network.connected == [(PUBLIC, 443)]
        assert network.lookups == [NAME]
    (got,) = secure.got
    assert got.path == "/in?x=1"
    assert got.headers["Host"] == NAME


def test_a_name_that_has_moved_inside_is_refused_when_it_is_sent_to(secure, monkeypatch):
    with played_network(monkeypatch, secure.port) as network:
        network.names[NAME] = [[PUBLIC], ["127.0.0.1"]]
        addresses_of(checked_url(f"https://{NAME}/", ports=PORTS))
        with pytest.raises(TargetRefused, match="not on the public Internet"):
            post(f"https://{NAME}/", b"{}", {}, ports=PORTS, within=5)
        assert network.connected == []
    assert secure.got == []


def test_a_certificate_for_another_name_is_not_accepted(secure, monkeypatch):
    with played_network(monkeypatch, secure.port) as network:
        network.names["other.example.org"] = [[PUBLIC]]
        with pytest.raises(NoAnswer, match="certificate"):
            post("https://other.example.org/", b"{}", {}, ports=PORTS, within=5)
    assert secure.got == []


def test_the_next_address_is_tried_where_one_takes_no_connection(secure, monkeypatch):
    with played_network(monkeypatch, secure.port) as network:
        network.names[NAME] = [[PUBLIC, "93.184.215.15"]]
        really = outward._Held.connect
        refused = []

        def connect(held):
            if not refused:
                refused.append(held)
                raise ConnectionRefusedError
            really(held)

        monkeypatch.setattr(outward._Held, "connect", connect)
        assert post(f"https://{NAME}/", b"{}", {}, ports=PORTS, within=5).status == 200
        assert network.connected == [("93.184.215.15", 443)]


@pytest.fixture
def plain(settings):
    """A server without TLS that the operator has named."""
    with receiving() as receiver:
        settings.MARKETPLACE_WEBHOOK_TRUSTED = {receiver.place}
        yield receiver


def test_what_the_operator_trusts_may_be_inside_and_plain_and_nothing_beside_it(plain, settings):
    assert post(f"{plain.origin}/in", b"{}", {}, ports=PORTS, within=5).status == 200
    settings.MARKETPLACE_WEBHOOK_TRUSTED = frozenset()
    with pytest.raises(TargetRefused):
        post(f"{plain.origin}/in", b"{}", {}, ports=PORTS, within=5)
    assert len(plain.got) == 1


def test_a_redirect_is_an_answer_and_is_not_followed(plain):
    plain.answers = [Said(302, {"Location": f"{plain.origin}/elsewhere"})]
    assert post(f"{plain.origin}/in", b"{}", {}, ports=PORTS, within=5).status == 302
    assert [got.path for got in plain.got] == ["/in"]


def test_only_the_beginning_of_a_long_answer_is_read(plain):
    plain.answers = [Said(200, body=b"x" * 3_000_000)]
    answer = post(f"{plain.origin}/in", b"{}", {}, ports=PORTS, within=5)
    assert len(answer.excerpt) == outward.MOST_READ


def test_who_answers_byte_for_byte_does_not_keep_us_longer(plain):
    plain.answers = [Said(drips=True)]
    began = monotonic()
    with pytest.raises(NoAnswer, match="in time"):
        post(f"{plain.origin}/in", b"{}", {}, ports=PORTS, within=0.3)
    assert monotonic() - began < 2


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_never_says_a_word_does_not_either(settings, scheme):
    with silent() as port:
        settings.MARKETPLACE_WEBHOOK_TRUSTED = {f"127.0.0.1:{port}"}
        began = monotonic()
        with pytest.raises(NoAnswer, match="in time"):
            post(f"{scheme}://127.0.0.1:{port}/", b"{}", {}, ports=PORTS, within=0.3)
        assert monotonic() - began < 2


def test_nobody_there(settings):
    with silent() as port:
        pass
    settings.MARKETPLACE_WEBHOOK_TRUSTED = {f"127.0.0.1:{port}"}
    with pytest.raises(NoAnswer, match="took no connection"):
        post(f"http://127.0.0.1:{port}/", b"{}", {}, ports=PORTS, within=5)
