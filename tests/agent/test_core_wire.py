"""The way to the marketplace: who is answered, what is tried again, and how messages are signed."""

import json
import socket
import threading
import time

import pytest

from agent.backoff import Backoff
from agent.config import Config
from agent.errors import AgentError, Away, Refused, Unauthorized
from agent.signing import Key, canonical, fingerprint
from agent.wire import Wire, checked_server
from tests.agent.standin import LOST, served, verified


@pytest.fixture
def marketplace():
    with served() as (marketplace, url):
        marketplace.url = url
        yield marketplace


@pytest.fixture
def config(tmp_path, marketplace):
    """Of an agent that is enrolled."""
    config = Config(tmp_path, server=marketplace.url, agent=marketplace.agent)
    config.save()
    config.save_token("token")
    marketplace.key = Key.create(config.key_path).public
    marketplace.tokens = ["token"]
    return config


@pytest.fixture
def wire(config):
    return Wire(config, Key.load(config.key_path))


@pytest.mark.parametrize(
    "url",
    [
        "http://marketplace.example",
        "http://10.0.0.1",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "ftp://127.0.0.1",
        "marketplace.example",
        "https://user:word@marketplace.example",
        "https://marketplace.example/?a=1",
        "",
    ],
)
def test_an_address_that_is_not_encrypted_or_none_is_refused(url):
    with pytest.raises(AgentError):
        checked_server(url)


@pytest.mark.parametrize(
    "url",
    ["https://marketplace.example", "http://127.0.0.1:8000", "http://127.9.9.9", "http://[::1]:1", "http://localhost"],
)
def test_https_and_this_very_machine_are_taken(url):
    assert checked_server(f" {url}/ ") == url


def test_a_signed_message_is_verified_by_openssh_and_its_sequence_was_on_disk_before(wire, config, marketplace):
    assert wire.signed("/agent/v1/self-test", {"kind": "self_test", "checks": [], "where": "Zürich – 東京"}) == {
        "accepted": True
    }
    (message,) = marketplace.messages
    assert message["agent"] == marketplace.agent
    assert message["nonce"] == ""
    assert message["sequence"] == 1
    assert (config.folder / "sequence").read_text() == "1\n"
    marketplace.fail("self-test", (503, {}, {}))
    with pytest.raises(Away):
        wire.signed("/agent/v1/self-test", {"kind": "self_test"})
    assert (config.folder / "sequence").read_text() == "2\n"


def test_a_signature_over_other_bytes_is_none(tmp_path):
    key = Key.create(tmp_path / "key")
    signature = key.sign("rsm-report", b"this")
    assert verified(key.public, "rsm-report", b"this", signature)
    assert not verified(key.public, "rsm-report", b"that", signature)
    assert not verified(key.public, "rsm-erasure", b"this", signature)
    assert oct(key.path.stat().st_mode & 0o777) == "0o600"


def test_a_key_is_never_replaced(tmp_path):
    key = Key.create(tmp_path / "key")
    with pytest.raises(AgentError, match="already"):
        Key.create(tmp_path / "key")
    assert Key.load(tmp_path / "key").public == key.public
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_key_that_is_half_written_is_said(tmp_path):
    (tmp_path / "key").write_text("-----BEGIN OPENSSH")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(AgentError, match="cannot be read"):
        Key.load(tmp_path / "key")


def test_the_fingerprint_is_that_of_openssh():
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    assert fingerprint(public) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
    with pytest.raises(ValueError, match="no public key"):
        fingerprint("ssh-ed25519")


def test_canonical_json_is_as_the_protocol_says():
    assert canonical({"b": [1, None, True], "a": "ü –"}) == '{"a":"ü –","b":[1,null,true]}'
    assert canonical({"name": "\udcff"}) == '{"name":"?"}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def test_a_clock_that_is_wrong_is_corrected_by_the_answer_and_the_message_signed_anew_once(wire, marketplace):
    marketplace.clock_ahead = 3600
    assert wire.signed("/agent/v1/self-test", {"kind": "self_test"}) == {"accepted": True}
    assert marketplace.refusals == ["bad_time"]
    assert abs(wire.server_clock() - time.time() - 3600) < 3
    assert -3603 < wire.skew() < -3597


def test_a_clock_that_is_nearly_right_is_left_alone(wire, marketplace):
    marketplace.clock_ahead = 1
    wire.post("/agent/v1/heartbeat", {})
    assert abs(wire.server_clock() - time.time()) < 0.1


def test_a_step_of_the_own_clock_does_not_move_the_marketplaces(wire, marketplace, monkeypatch):
    wire.post("/agent/v1/heartbeat", {})
    true = time.time()
    monkeypatch.setattr(time, "time", lambda: true + 7200)
    assert abs(wire.server_clock() - true) < 3


def test_a_sequence_that_was_lost_is_taken_up_from_the_answer(wire, marketplace):
    marketplace.sequence = 41
    assert wire.signed("/agent/v1/self-test", {"kind": "self_test"}) == {"accepted": True}
    assert marketplace.refusals == ["bad_sequence"]
    assert marketplace.sequence == 42


def test_it_is_signed_anew_at_most_once(wire, marketplace):
    refused = (403, {}, {"error": "bad_sequence", "sequence": 10})
    marketplace.fail("self-test", refused, refused)
    with pytest.raises(Refused, match="bad_sequence"):
        wire.signed("/agent/v1/self-test", {"kind": "self_test"})


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (503, {"Retry-After": "7"}, 7),
        (429, {"Retry-After": "1.5"}, 1.5),
        (500, {}, None),
        (502, {"Retry-After": "soon"}, None),
    ],
)
def test_a_busy_marketplace_is_away_for_as_long_as_it_says(wire, marketplace, status, headers, wait):
    marketplace.fail("heartbeat", (status, headers, b"<html>busy</html>"))
    with pytest.raises(Away) as caught:
        wire.post("/agent/v1/heartbeat", {})
    assert caught.value.retry_after == wait


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "revoked")])
def test_a_revoked_agent_is_told_apart(wire, marketplace, status, code):
    marketplace.fail("heartbeat", (status, {}, {"error": code, "detail": "No."}))
    with pytest.raises(Unauthorized, match=r"No\. "):
        wire.post("/agent/v1/heartbeat", {})


def test_a_refusal_has_its_code(wire, marketplace):
    marketplace.fail("heartbeat", (409, {}, {"error": "too_late", "detail": "Late."}))
    with pytest.raises(Refused) as caught:
        wire.post("/agent/v1/heartbeat", {})
    assert (caught.value.status, caught.value.code, caught.value.detail) == (409, "too_late", "Late.")
    assert not isinstance(caught.value, Unauthorized)


def test_the_token_follows_nobody_elsewhere(wire, marketplace):
    marketplace.fail("heartbeat", (307, {"Location": marketplace.url + "/elsewhere"}, b""))
    with pytest.raises(Refused, match="elsewhere"):
        wire.post("/agent/v1/heartbeat", {})
    assert marketplace.requests == []


@pytest.mark.parametrize("body", [b"<html>Sign in to the hotel</html>", b"[]", b"", b"\xff"])
def test_what_is_no_answer_of_the_protocol_is_away(wire, marketplace, body):
    marketplace.fail("heartbeat", (200, {}, body))
    with pytest.raises(Away):
        wire.post("/agent/v1/heartbeat", {})


def test_a_lost_answer_is_away(wire, marketplace):
    marketplace.fail("heartbeat", LOST)
    with pytest.raises(Away, match="reached"):
        wire.post("/agent/v1/heartbeat", {})


def test_nobody_there_is_away(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        wire = Wire(Config(tmp_path, server=f"http://127.0.0.1:{taken.getsockname()[1]}"))
        with pytest.raises(Away, match="refused"):
            wire.post("/agent/v1/heartbeat", {})


def test_one_that_is_silent_is_away_after_the_timeout(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        wire = Wire(Config(tmp_path, server=f"http://127.0.0.1:{silent.getsockname()[1]}"))
        begun = time.monotonic()
        with pytest.raises(Away, match="timed out"):
            wire.post("/agent/v1/heartbeat", {}, timeout=0.3)
        assert time.monotonic() - begun < 3


def test_an_answer_that_ends_too_early_is_away(tmp_path):
    with socket.socket() as short:
        short.bind(("127.0.0.1", 0))
        short.listen()

        def answer():
            connection, _ = short.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        wire = Wire(Config(tmp_path, server=f"http://127.0.0.1:{short.getsockname()[1]}"))
        with pytest.raises(Away):
            wire.post("/agent/v1/heartbeat", {}, timeout=5)


def test_bytes_go_and_come_as_they_are(wire, marketplace):
    assert wire.get_bytes("/agent/rsm-agent.pyz.sha256") == b"00  rsm-agent.pyz\n"
    marketplace.fail("speed/", (200, {}, {"bytes": 3}))
    assert wire.post_bytes("/agent/v1/speed/", b"\x00\xff\n") == {"bytes": 3}


def test_the_date_of_any_answer_tells_the_time_until_a_better_one_is_told(wire):
    assert wire.skew() is None
    wire.get_bytes("/agent/rsm-agent.pyz.sha256")
    assert abs(wire.skew()) < 2


def test_a_token_that_was_exchanged_by_another_process_is_used(wire, config, marketplace):
    wire.post("/agent/v1/heartbeat", {})
    marketplace.tokens = ["newer"]
    config.save_token("newer")
    wire.post("/agent/v1/heartbeat", {})


def test_a_file_of_certificates_must_be_one(tmp_path):
    with pytest.raises(AgentError, match="no file"):
        Wire(Config(tmp_path, server="https://marketplace.example", ca_file=str(tmp_path / "none")))
    (tmp_path / "ca").write_text("x")
    with pytest.raises(AgentError, match="no certificates"):
        Wire(Config(tmp_path, server="https://marketplace.example", ca_file=str(tmp_path / "ca")))


def test_backing_off_doubles_to_a_minute_with_jitter_and_obeys_what_is_asked():
    backoff = Backoff()
    waits = [backoff.after_failure() for _ in range(8)]
    for wait, middle in zip(waits, [2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert middle * 0.75 <= wait <= middle * 1.25
    assert 90 <= backoff.after_failure(90) <= 112.5
    backoff.reset()
    assert backoff.after_failure() <= 2.5


def test_two_agents_at_one_state_do_not_spoil_each_others_sequence(config, marketplace):
    """``self-test`` given by hand while ``run`` works."""
    wires = [Wire(config, Key.load(config.key_path)) for _ in range(3)]
    threads = [
        threading.Thread(
            target=lambda wire=wire: [wire.signed("/agent/v1/self-test", {"kind": "self_test"}) for _ in range(5)]
        )
        for wire in wires
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [message["sequence"] for message in marketplace.messages] == list(range(1, 16))
    assert marketplace.refusals == []


def test_the_message_and_its_signature_go_as_the_protocol_writes_them(wire, marketplace):
    wire.signed("/agent/v1/self-test", {"kind": "self_test"}, nonce="abc")
    ((_, body),) = marketplace.requests
    assert body["signature"].startswith("-----BEGIN SSH SIGNATURE-----\n")
    assert json.loads(body["message"])["nonce"] == "abc"
