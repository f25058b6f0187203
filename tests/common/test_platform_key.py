"""The platform's key: given, or made once and kept."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import ImproperlyConfigured

from common import platform_key as module
from common.platform_key import platform_key, platform_public_key


@pytest.fixture(autouse=True)
def nothing_remembered(tmp_path: Path, settings) -> None:
    settings.VAR_DIR = tmp_path
    settings.PLATFORM_SIGNING_KEY = ""
    module._kept.cache_clear()
    module._read.cache_clear()


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first = platform_key()
    module._kept.cache_clear()
    assert raw(platform_key()) == raw(first)
    file = tmp_path / "secrets" / "platform_signing_key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(file.parent) == [file.name]


def test_those_who_make_it_at_the_same_time_end_up_with_one_key() -> None:
    ready, found = threading.Barrier(8), []

    def make() -> None:
        ready.wait()
        found.append(raw(platform_key()))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_key_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    first = raw(platform_key())
    module._make(tmp_path / "secrets" / "platform_signing_key")
    module._kept.cache_clear()
    assert raw(platform_key()) == first


def test_the_key_that_is_given_counts(tmp_path: Path, settings) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    settings.PLATFORM_SIGNING_KEY = (tmp_path / "key").read_text()
    public = (tmp_path / "key.pub").read_text()
    assert public.startswith(platform_public_key().text)
    assert not (tmp_path / "secrets").exists()

    settings.PLATFORM_SIGNING_KEY = settings.PLATFORM_SIGNING_KEY.replace("\n", "\\n")
    assert public.startswith(platform_public_key().text)


@pytest.mark.parametrize("options", [["-t", "rsa", "-b", "3072", "-N", ""], ["-t", "ed25519", "-N", "a passphrase"]])
def test_another_key_than_an_open_ed25519_one_is_refused(tmp_path: Path, settings, options: list[str]) -> None:
    subprocess.run(["ssh-keygen", "-q", *options, "-f", tmp_path / "key"], check=True)
    settings.PLATFORM_SIGNING_KEY = (tmp_path / "key").read_text()
    with pytest.raises(ImproperlyConfigured):
        platform_key()


def test_garbage_is_refused(settings) -> None:
    settings.PLATFORM_SIGNING_KEY = "secret"
    with pytest.raises(ImproperlyConfigured, match="ssh-keygen"):
        platform_key()
