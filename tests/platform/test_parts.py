"""What the parts that run beside the marketplace's own code have to keep to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from environs import Env

from marketplace.embedded.keeping import kept, write_env
from marketplace.embedded.processes import InUseError, held
from marketplace.embedded.servers import HERE


def test_settings_written_are_the_settings_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"RSM_A": "postgres://u@%2Ftmp%2Fx/db", "RSM_B": 'it\'s $HOME # \\ "x" ${PATH}', "RSM_C": "a b"}
    write_env(tmp_path / "env", values)
    env = Env()
    env.read_env(tmp_path / "env", recurse=False)
    try:
        assert {name: env.str(name) for name in values} == values
    finally:
        for name in values:
            os.environ.pop(name, None)


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    assert kept(tmp_path, "key", lambda: "first") == "first"
    assert kept(tmp_path, "key", lambda: "second") == "first"


def test_a_folder_is_held_by_one_process(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from marketplace.embedded.processes import held\n"
        "with held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InUseError, match=f"process {other.pid}"), held(tmp_path):
            pass
    finally:
        other.communicate()
    with held(tmp_path):
        pass


def test_the_stand_in_keeps_its_store_where_it_is_told(tmp_path: Path) -> None:
    store = tmp_path / "store.pickle"
    script = (
        "import os, socket\n"
        "path = '/tmp/localstripe.pickle'\n"
        "with open(path, 'wb') as file: file.write(b'whole')\n"
        "try:\n"
        "    with open(path, 'wb') as file: file.write(b'ha'); raise KeyError\n"
        "except KeyError: pass\n"
        "with open(path, 'rb') as file: assert file.read() == b'whole'\n"
        "listening = socket.socket(socket.AF_INET6); listening.bind(('::', 0))\n"
        "assert listening.getsockname()[0] == '::ffff:127.0.0.1', listening.getsockname()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(HERE / "standin_site"), "LOCALSTRIPE_STORE": str(store)}
    subprocess.run([sys.executable, "-c", script], env=env, check=True)
    assert store.read_bytes() == b"whole"
