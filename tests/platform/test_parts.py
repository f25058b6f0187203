"""What the parts that run beside the marketplace's own code have to keep to."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from environs import Env

from marketplace.embedded.keeping import kept, write_env
from marketplace.embedded.processes import InUseError, held
from marketplace.embedded.servers import HERE, PaymentStandIn
from tests.stripe_standin import ask_processor


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


def test_the_stand_in_listens_on_this_machine_alone(tmp_path: Path) -> None:
    script = (
        "import socket\n"
        "listening = socket.socket(socket.AF_INET6); listening.bind(('::', 0))\n"
        "assert listening.getsockname()[0] == '::ffff:127.0.0.1', listening.getsockname()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(HERE / "standin_site"), "LOCALSTRIPE_STORE": str(tmp_path / "store.pickle")}
    subprocess.run([sys.executable, "-c", script], env=env, check=True)


def test_the_stand_ins_store_is_written_where_it_is_told_and_whole_or_not_at_all(tmp_path: Path) -> None:
    store = tmp_path / "store.pickle"
    script = (
        "import pickle\n"
        "class Broken:\n"
        "    def __reduce__(self): raise KeyError\n"
        "def keep(thing):\n"
        "    with open('/tmp/localstripe.pickle', 'wb') as file: pickle.dump(thing, file)\n"
        "import sitecustomize\n"
        "keep({'all': 'of it'})\n"
        "sitecustomize._keeper.write()\n"
        "keep({'much': 'x' * 1_000_000, 'then': Broken()})\n"
        "try:\n"
        "    sitecustomize._keeper.write()\n"
        "except KeyError: pass\n"
        "else: raise AssertionError('it was written')\n"
        "with open('/tmp/localstripe.pickle', 'rb') as file: assert pickle.load(file) == {'all': 'of it'}\n"
        "keep({'all': 'of the rest'})\n"
    )
    env = {**os.environ, "PYTHONPATH": str(HERE / "standin_site"), "LOCALSTRIPE_STORE": str(store)}
    subprocess.run([sys.executable, "-c", script], env=env, check=True)
    with store.open("rb") as file:
        assert pickle.load(file) == {"all": "of the rest"}, "what was not written yet is, at the end"


@contextmanager
def stand_in(var: Path, *, durable: bool) -> Iterator[PaymentStandIn]:
    for folder in ("log", "secrets"):
        (var / folder).mkdir(exist_ok=True)
    part = PaymentStandIn(var, durable=durable)
    part.start()
    try:
        yield part
    finally:
        part.stop()


def ask(part: PaymentStandIn, path: str, **data: str) -> requests.Response:
    return ask_processor(part.env, path, data=data)


def killed(part: PaymentStandIn) -> None:
    assert part.process is not None
    part.process.kill()
    part.process.wait()


@pytest.mark.parametrize("durable", [True, False])
def test_what_the_stand_in_has_said_outlives_it(tmp_path: Path, durable: bool) -> None:
    with stand_in(tmp_path, durable=durable) as part:
        made = ask(part, "customers", email="before@example.org").json()["id"]
        ask(part, f"customers/{made}", email="after@example.org")
        killed(part)
        # In a file of its own, not in the one of everybody.
        assert (tmp_path / "stripe" / "store.pickle").exists() == durable
        part.start()
        found = ask(part, f"customers/{made}")
        assert found.json()["email"] == "after@example.org" if durable else found.status_code == 404


def test_stopped_and_started_again_the_stand_in_holds_the_same_and_a_new_run_begins_empty(tmp_path: Path) -> None:
    with stand_in(tmp_path, durable=False) as part:
        made = ask(part, "customers", email="kept@example.org").json()["id"]
        part.stop()
        part.start()
        assert ask(part, f"customers/{made}").ok
    with stand_in(tmp_path, durable=False) as part:
        assert ask(part, f"customers/{made}").status_code == 404


def test_a_stand_in_that_is_killed_while_it_starts_loses_nothing(tmp_path: Path) -> None:
    with stand_in(tmp_path, durable=True) as part:
        for number in range(20):
            ask(part, "customers", email=f"{number}@example.org")
    store = tmp_path / "stripe" / "store.pickle"
    before = store.read_bytes()
    written = store.stat().st_ino
    with stand_in(tmp_path, durable=True) as part:
        assert len(ask(part, "customers?limit=100").json()["data"]) == 20
        # Reading it has written nothing, so that there is no moment at which less is in it.
        assert store.stat().st_ino == written
        killed(part)
    assert store.read_bytes() == before
