"""One command runs everything, and leaves nothing behind."""

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from marketplace.embedded.processes import alive, free_port
from tests.running import ROOT, Serving, ask, short_lived_folder, until
from tests.stripe_standin import ask_processor

NOT_COPIED = shutil.ignore_patterns(".venv", "var", ".git", "staticfiles", "__pycache__", ".*_cache", ".hypothesis")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with short_lived_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def serving(folder: Path) -> Iterator[Serving]:
    """A clone in a folder far deeper than the path of a socket may be long, and not named nicely."""
    clone = folder / "A deep folder" / "/".join(["with-a-rather-long-name"] * 6) / "clone"
    shutil.copytree(ROOT, clone, ignore=NOT_COPIED, symlinks=True)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    serving = Serving(clone, clone / "var")
    assert len(str(serving.var / "postgres")) > 150
    try:
        serving.start()
        yield serving
    finally:
        serving.gone()


def test_it_answers_and_says_where_its_parts_are(serving: Serving) -> None:
    health = ask(f"{serving.url}/healthz")
    assert health.status == 200
    assert '"worker": "ok"' in health.text
    assert stat.S_IMODE((serving.var / "run" / "env").stat().st_mode) == 0o600
    assert stat.S_IMODE((serving.var / "secrets" / "secret_key").stat().st_mode) == 0o600
    assert f"is at  {serving.url}/" in serving.output.read_text()


def manage(serving: Serving, *words: str) -> None:
    """manage.py as a person calls it, who has set nothing."""
    command = [ROOT / ".venv" / "bin" / "python", "manage.py", *words]
    env = {name: value for name, value in serving.env.items() if name != "MARKETPLACE_VAR"}
    done = subprocess.run(command, cwd=serving.root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_manage_py_finds_the_running_parts_by_itself(serving: Serving) -> None:
    manage(serving, "migrate", "--check")


def test_mail_is_announced_on_the_console(serving: Serving) -> None:
    script = (
        "from accounts.models import User; from accounts.outbox import write_mail\n"
        "user = User.objects.create_user(email='reader@example.com', password='not needed')\n"
        "write_mail(user=user, key='k', subject='Read me', paragraphs=['Hello'], action=('Look', '/how-it-works/'))"
    )
    manage(serving, "shell", "-c", script)
    until("it is announced", lambda: "mail to reader@example.com: Read me" in serving.output.read_text(), 20)
    line = next(line for line in serving.output.read_text().splitlines() if "mail to reader@" in line)
    assert line.endswith(f"  {serving.url}/how-it-works/")
    assert list((serving.var / "mail").glob("*reader*.txt"))


def test_a_second_one_is_refused(serving: Serving, folder: Path) -> None:
    same_folder = Serving(serving.root, serving.var)
    same_folder.output = folder / "second.out"
    same_folder.begin()
    same_port = Serving(serving.root, folder / "var2", PORT=str(serving.port))
    same_port.begin()
    assert same_folder.process.wait(30) == 1
    assert "is in use by another run" in same_folder.output.read_text()
    assert same_port.process.wait(30) == 1
    assert f"Port {serving.port} is taken" in same_port.output.read_text()
    assert same_port.living() == []
    assert serving.healthy()


def test_a_part_that_dies_is_started_again(serving: Serving) -> None:
    valkey = next(pid for pid in serving.living() if Path(f"/proc/{pid}/comm").read_text().strip() == "valkey-server")
    os.kill(valkey, signal.SIGKILL)
    until("another one is there", lambda: valkey not in serving.living() and serving.healthy(), 20)
    # The worker and beat have found their way to it as well: what they said before is forgotten, and said again.
    with redis.Redis.from_url(serving.settings()["REDIS_URL"]) as cache:
        assert cache.delete(":1:marketplace:heartbeat") == 1
    until("healthy again", serving.healthy, 30)


def test_killed_and_started_again_it_finds_its_data(serving: Serving) -> None:
    settings = serving.settings()
    with psycopg.connect(settings["DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('still here')")
    with redis.Redis.from_url(settings["REDIS_URL"]) as cache:
        cache.set("kept", "still here")
    created = ask_processor(settings, "customers", data={"email": "kept@example.com"}).json()["id"]
    before = serving.living()

    serving.kill()  # no chance to tidy up
    serving.start()

    assert not set(before) & set(serving.living())
    settings = serving.settings()
    with psycopg.connect(settings["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("still here",)
    with redis.Redis.from_url(settings["REDIS_URL"]) as cache:
        assert cache.get("kept") == b"still here"
    assert ask_processor(settings, f"customers/{created}").json()["email"] == "kept@example.com"


def watchers(serving: Serving) -> list[int]:
    """The processes that bin/serve has forked, each of which runs one of the programs."""
    children = Path(f"/proc/{serving.process.pid}/task/{serving.process.pid}/children").read_text().split()
    own = Path(f"/proc/{serving.process.pid}/cmdline").read_bytes()
    return [int(pid) for pid in children if Path(f"/proc/{pid}/cmdline").read_bytes() == own]


def test_ctrl_c_leaves_no_process(serving: Serving) -> None:
    everything = serving.living()
    names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in everything}
    assert {"postgres", "valkey-server"} <= names
    assert serving.interrupt(15) == 0
    assert [pid for pid in everything if alive(pid)] == []
    assert serving.living() == []
    assert not (serving.var / "run" / "env").exists()


def test_when_what_watches_a_program_is_killed_everything_is_stopped(serving: Serving) -> None:
    if serving.process.poll() is not None:
        serving.start()
    everything = serving.living()
    found = watchers(serving)
    assert len(found) >= 4  # web, worker, outside, beat

    os.kill(found[-1], signal.SIGKILL)

    assert serving.process.wait(60) == 1
    assert "ended by itself" in serving.output.read_text()
    assert [pid for pid in everything if alive(pid)] == []


def test_stripe_keys_are_given_together_or_not_at_all(folder: Path) -> None:
    half = Serving(ROOT, folder / "half", STRIPE_SECRET_KEY="sk_test_given", PORT=str(free_port()))
    half.begin()
    assert half.process.wait(30) == 1
    assert "Missing: STRIPE_PUBLISHABLE_KEY, STRIPE_WEBHOOK_SECRET" in half.output.read_text()
    assert half.living() == []
