"""What a marketplace that somebody has taken over, or something that answers in its place, cannot have root do."""

import time
from types import SimpleNamespace

import pytest

from agent import install
from agent.config import Config
from agent.enrolling import _adopt
from agent.errors import AgentError
from agent.signing import Key
from agent.wire import Wire, seconds
from agent.work import provision
from tests.agent.standin import served, until
from tests.agent.test_core_work import Agent

#: An answer to an enrolment.
ANSWER = {"agent": "a", "machine": "m", "token": "t", "machine_name": "gpu-1", "page": "https://m.example/machines/1/"}

EVIL_PAGES = [
    "https://m.example/\n[Service]\nExecStartPre=/bin/sh -c 'touch /tmp/owned'",
    "https://m.example/\rExecStartPre=/bin/false",
    "https://m.example/\u2028ExecStartPre=/bin/false",
    "https://m.example/ \\",
    "file:///etc/shadow",
    "",
]


@pytest.mark.parametrize("page", EVIL_PAGES)
@pytest.mark.parametrize("adopted", [True, False])
def test_the_address_of_a_page_adds_no_line_to_the_service(tmp_path, page, adopted):
    config = Config(tmp_path, server="https://m.example")
    if adopted:
        _adopt(config, {**ANSWER, "page": page}, "code")
    else:
        config.page = page  # as an earlier version kept it
    honest = Config(tmp_path, server="https://m.example")
    _adopt(honest, ANSWER, "code")

    lines, expected = install.unit(config).splitlines(), install.unit(honest).splitlines()

    assert [line for line in lines if not line.startswith("Documentation=")] == [
        line for line in expected if not line.startswith("Documentation=")
    ]
    assert next(line for line in lines if line.startswith("Documentation=")).startswith(
        "Documentation=https://m.example"
    )


def test_names_that_are_told_command_no_terminal_and_forge_no_line(tmp_path):
    config = Config(tmp_path, server="https://m.example")
    _adopt(config, {**ANSWER, "machine_name": "gpu-1\x1b]0;owned\x07\n<3>forged", "node": "\x9b2J"}, "code")
    assert all(sign.isprintable() for sign in config.machine_name + config.node)


@pytest.mark.parametrize("path", ["@evil.example/", ".evil.example/", ":81/", "evil", ""])
def test_no_path_leads_the_token_to_somebody_else(tmp_path, path):
    with served() as (_, url):
        config = Config(tmp_path, server=url, agent="a")
        config.save()
        config.save_token("token")
        wire = Wire(config, Key.create(config.key_path))
        for ask in (lambda: wire.get_bytes(path), lambda: wire.post(path, {}), lambda: wire.post_bytes(path, b"")):
            with pytest.raises(AgentError, match="no path"):
                ask()


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        (None, None), ("nan", None), (float("nan"), None), ("inf", None), (10**400, None), ({}, None), ("soon", None),
        ("1e300", 3600), (-5, 0), ("7", 7), (2.5, 2.5),
    ],
)  # fmt: skip
def test_no_pause_is_endless(told, meant):
    assert seconds(told) == meant


def test_nonsense_for_an_answer_does_not_end_the_work(tmp_path):
    with served() as (marketplace, url):
        agent = Agent(tmp_path, marketplace, url)
        nonsense = [
            {"work": None, "retry_after": float("nan")},
            {"work": None, "retry_after": "never"},
            {"work": "all of it"},
            {"work": {"id": "../../etc/passwd", "kind": "wipe", "nonce": "n", "attempt": 1, "payload": {}}},
            {"work": {"id": "ab", "kind": "wipe", "nonce": "n", "attempt": 1, "payload": []}},
            {"work": {"id": "ab", "kind": "wipe\n<0>forged", "nonce": "n", "attempt": 1, "payload": {}}},
            {"work": {"id": "ab", "kind": "wipe", "nonce": "n", "attempt": "\x1b", "payload": {}}},
        ]
        marketplace.fail("work/next", *[(200, {}, answer) for answer in nonsense])
        with agent.running():
            until(lambda: len(marketplace.calls("work/next")) > len(nonsense))
            marketplace.order("inventory")
            until(lambda: marketplace.reports)
        assert agent.done == [("inventory", 1)]


@pytest.mark.parametrize("account", ["root", "../../root", None, 7, ["rsm-12345678"]])
def test_an_order_that_was_never_begun_is_taken_back_by_doing_nothing(account):
    """Else it would be tried at each round, and no other work would be done."""
    entry = SimpleNamespace(payload={"account": account, "booking": "x"})
    began = time.monotonic()
    assert provision.undo(SimpleNamespace(), entry) is None
    assert time.monotonic() - began < 1
