"""What the agent keeps on disk survives a crash: the journal, the sequence, the configuration."""

import json
import os
import threading

import pytest

from agent.config import Config
from agent.errors import AgentError
from agent.files import held, write_whole
from agent.journal import Journal
from agent.sequence import Sequence

WORK = {"id": "0b1e", "kind": "inventory", "nonce": "aa", "attempt": 1, "payload": {"a": 1}}


def test_what_was_noted_is_there_after_a_restart(tmp_path):
    entry = Journal(tmp_path).open(WORK)
    entry.note("account", name="rsm-1")
    (again,) = Journal(tmp_path).unfinished()
    assert again.work == WORK
    assert again.noted("account") == {"step": "account", "name": "rsm-1"}
    assert again.noted("keys") is None


@pytest.mark.parametrize("rest", ['{"step": "keys", "fi', "{", '{"step": "keys"}', "\x00\x00\x00"])
def test_a_line_cut_off_by_a_crash_is_as_if_never_begun_and_spoils_no_other(tmp_path, rest):
    Journal(tmp_path).open(WORK).note("account")
    path = tmp_path / "0b1e.jsonl"
    path.write_text(path.read_text() + rest)
    (entry,) = Journal(tmp_path).unfinished()
    entry.note("sessions", ended=2)
    (after,) = Journal(tmp_path).unfinished()
    assert after.noted("account")
    assert after.noted("sessions") == {"step": "sessions", "ended": 2}
    assert after.work == WORK


def test_an_entry_whose_first_line_was_cut_off_was_never_begun(tmp_path):
    (tmp_path / "0b1e.jsonl").write_text('{"work": {"id": "0b')
    journal = Journal(tmp_path)
    assert journal.unfinished() == []
    assert journal.open(WORK).work == WORK
    assert [entry.id for entry in journal.unfinished()] == ["0b1e"]


def test_the_same_work_handed_out_again_has_its_newest_attempt_and_nonce(tmp_path):
    journal = Journal(tmp_path)
    journal.open(WORK).note("account")
    entry = journal.open({**WORK, "attempt": 2, "nonce": "bb"})
    assert (entry.work["attempt"], entry.work["nonce"]) == (2, "bb")
    assert entry.noted("account")


def test_closed_work_is_gone(tmp_path):
    journal = Journal(tmp_path)
    journal.close(journal.open(WORK))
    assert journal.unfinished() == []


@pytest.mark.parametrize("bad", ["", "../key", "a/b", "x y"])
def test_an_id_that_is_none_names_no_file(tmp_path, bad):
    with pytest.raises(ValueError, match="no id"):
        Journal(tmp_path).open({**WORK, "id": bad})


def test_the_sequence_only_grows_over_restarts_and_between_threads(tmp_path):
    taken = []

    def take():
        for _ in range(20):
            sequence = Sequence(tmp_path)
            with sequence.held():
                taken.append(sequence.take())

    threads = [threading.Thread(target=take) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert taken == list(range(1, 81))
    assert Sequence(tmp_path).take(above=500) == 501
    (tmp_path / "sequence").write_text("")
    assert Sequence(tmp_path).last() == 0


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_lock_is_held_by_one(tmp_path):
    with held(tmp_path / "lock"), pytest.raises(BlockingIOError), held(tmp_path / "lock", wait=False):
        pass
    with held(tmp_path / "lock", wait=False):
        pass


def test_the_configuration_comes_back_as_it_was_saved(tmp_path):
    config = Config(tmp_path / "state", server="https://marketplace.example", agent="1", scratch=["/scratch"])
    config.save()
    config.save_token("secret")
    again = Config.load(tmp_path / "state")
    assert again == config
    assert again.token == "secret"
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "state").iterdir()} == {
        "config.json": "0o600",
        "token": "0o600",
    }
    assert oct((tmp_path / "state").stat().st_mode & 0o777) == "0o700"


def test_a_configuration_of_a_newer_version_is_read_without_what_is_not_known(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"agent": "1", "colour": "blue"}))
    assert Config.load(tmp_path).agent == "1"


@pytest.mark.parametrize("text", ["{", "[]", "1"])
def test_a_spoilt_configuration_is_said_and_not_taken_for_none(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(AgentError, match=r"config\.json"):
        Config.load(tmp_path)


def test_nothing_there_is_not_enrolled(tmp_path):
    assert not Config.load(tmp_path / "none").enrolled
    assert Config.load(tmp_path / "none").token == ""
