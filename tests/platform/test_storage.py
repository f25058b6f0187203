"""Files in object storage: the real client and a server that speaks S3."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.core.files.storage.handler import StorageHandler
from environs import Env

from marketplace.embedded.processes import end, free_port
from marketplace.storage import storage_settings
from tests.running import until

KEYS = {"STORAGE_ACCESS_KEY": "an-access-key", "STORAGE_SECRET_KEY": "a-secret-key", "STORAGE_REGION": "eu-central-1"}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server as a process of its own, with the bucket ``files``."""
    port = free_port()
    log = (tmp_path_factory.mktemp("s3") / "log").open("w")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        until("the S3 server answers", lambda: urllib.request.urlopen(f"{url}/moto-api/", timeout=2).status == 200, 60)
        boto3.client(
            "s3",
            endpoint_url=url,
            region_name=KEYS["STORAGE_REGION"],
            aws_access_key_id=KEYS["STORAGE_ACCESS_KEY"],
            aws_secret_access_key=KEYS["STORAGE_SECRET_KEY"],
        ).create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": KEYS["STORAGE_REGION"]})
        yield url
    finally:
        end(process)
        log.close()


def storage_of(monkeypatch: pytest.MonkeyPatch, media: Path, **env: str) -> Storage:
    """The default storage of an installation with these settings in its environment."""
    for name in [name for name in os.environ if name.startswith("STORAGE_")]:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return StorageHandler({"default": storage_settings(Env(), media)})["default"]


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Storage:
    return storage_of(monkeypatch, tmp_path, STORAGE_BUCKET="files", STORAGE_ENDPOINT=endpoint, **KEYS)


def test_a_file_is_saved_read_and_deleted(bucket: Storage) -> None:
    content = bytes(range(256)) * 1000
    name = bucket.save("wipes/evidence.json", ContentFile(content))
    assert bucket.exists(name)
    assert bucket.size(name) == len(content)
    with bucket.open(name) as file:
        assert file.read() == content
    bucket.delete(name)
    assert not bucket.exists(name)


def test_a_file_is_never_written_over(bucket: Storage) -> None:
    first = bucket.save("wipes/same.json", ContentFile(b"first"))
    second = bucket.save("wipes/same.json", ContentFile(b"second"))
    assert first != second
    with bucket.open(first) as file:
        assert file.read() == b"first"
    with bucket.open(second) as file:
        assert file.read() == b"second"


def test_an_address_is_signed_and_expires(bucket: Storage, endpoint: str) -> None:
    name = bucket.save("wipes/private.json", ContentFile(b"private"))
    url = bucket.url(name)
    assert url.startswith(f"{endpoint}/files/media/wipes/")
    assert "X-Amz-Expires=300" in url
    assert "X-Amz-Signature=" in url
    assert urllib.request.urlopen(url, timeout=10).read() == b"private"


def test_files_are_private_and_lie_under_the_prefix(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env = {"STORAGE_BUCKET": "files", "STORAGE_ENDPOINT": endpoint, "STORAGE_PREFIX": "here", **KEYS}
    storage = storage_of(monkeypatch, tmp_path, **env)
    name = storage.save("a.txt", ContentFile(b"a"))
    [grant] = storage.bucket.Object(f"here/{name}").Acl().grants
    assert grant["Grantee"]["Type"] == "CanonicalUser"


def test_a_storage_that_is_away_is_said_soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    storage = storage_of(monkeypatch, tmp_path, STORAGE_BUCKET="files", STORAGE_ENDPOINT=nobody, **KEYS)
    with pytest.raises(Exception, match="Could not connect"):
        storage.save("a.txt", ContentFile(b"a"))


def test_without_a_bucket_files_lie_in_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    storage = storage_of(monkeypatch, tmp_path)
    assert isinstance(storage, FileSystemStorage)
    name = storage.save("wipes/a.txt", ContentFile(b"a"))
    assert (tmp_path / name).read_bytes() == b"a"
