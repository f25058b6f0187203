"""The agent's program as the marketplace serves it: one file, the same everywhere, with its sum beside it."""

import hashlib
import io
import subprocess
import sys
import zipfile

import pytest
from django.conf import settings
from django.urls import reverse

from agent.building import build
from machines.views.agent_program import program

pytestmark = pytest.mark.django_db


def test_anyone_gets_the_program_that_is_built_from_the_source(client):
    response = client.get("/agent/rsm-agent.pyz")
    assert response.status_code == 200
    assert response.content == build(settings.BASE_DIR)
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="rsm-agent.pyz"'


def test_the_sum_beside_it_is_read_by_sha256sum(client, tmp_path):
    told = client.get("/agent/rsm-agent.pyz.sha256")
    assert told["Content-Type"].startswith("text/plain")
    data = client.get("/agent/rsm-agent.pyz").content
    assert told.text == f"{hashlib.sha256(data).hexdigest()}  rsm-agent.pyz\n"
    (tmp_path / "rsm-agent.pyz").write_bytes(data)
    subprocess.run(["sha256sum", "-c"], input=told.content, cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("name", ["agent_program", "agent_program_sha256"])
def test_who_has_it_already_does_not_get_it_again(client, name):
    first = client.get(reverse(name))
    assert client.get(reverse(name), headers={"if-none-match": first["ETag"]}).status_code == 304
    assert client.get(reverse(name), headers={"if-none-match": '"other"'}).status_code == 200
    assert client.head(reverse(name)).status_code == 200
    assert "no-cache" in first["Cache-Control"]


def test_it_is_built_once(client):
    assert program()[0] is program()[0]


def test_nothing_in_it_is_compressed_so_that_it_can_be_read(client):
    data = client.get("/agent/rsm-agent.pyz").content
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        assert "__main__.py" in archive.namelist()


def test_it_runs(client, tmp_path):
    path = tmp_path / "rsm-agent.pyz"
    path.write_bytes(client.get("/agent/rsm-agent.pyz").content)
    done = subprocess.run([sys.executable, "-I", path, "enroll", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--install" in done.stdout
    assert "--code" in done.stdout
