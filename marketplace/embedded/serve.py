"""``bin/serve``: the whole marketplace from one command, and nothing of it left when that ends."""

import logging
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
from honcho.manager import Manager
from honcho.printer import Message

from marketplace.embedded.keeping import write_env
from marketplace.embedded.parts import WEBHOOK_PATH, Parts, undisturbed
from marketplace.embedded.processes import InUseError, PartsError, marked, taken

log = logging.getLogger("serve")

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO_SIGN_INS = ("buyer", "buyer2", "provider", "provider2", "orgadmin", "member", "admin")
DEMO_PASSWORD = "demo-password"  # noqa: S105 on the page on purpose


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return Serve().run()
    except KeyboardInterrupt:
        log.info("Stopped.")
        return 0
    except InUseError as error:
        log.error("%s\nStop it first, or set MARKETPLACE_VAR to another folder.", error)
    except PartsError as error:
        log.error("%s", error)
    except subprocess.CalledProcessError as error:
        log.error("Could not prepare the database and the static files (exit status %s).", error.returncode)
    return 1


class Programs(Manager):  # type: ignore[misc]  # honcho has no types
    """Runs programs, each watched by a process of its own, until one of them ends."""

    def notice_the_killed(self) -> None:
        """A watcher that was killed cannot tell of its end, and would be waited for for ever: tell of it in its place.

        Its program is ended with whatever else a run leaves behind.
        """
        for name, known in self._processes.items():
            watcher = known.get("process")
            if watcher is not None and watcher.exitcode and "pid" in known and known.get("returncode") is None:
                ended = {"returncode": watcher.exitcode}
                self.events.put(Message(type="stop", data=ended, time=self._clock.now(), name=name, colour=None))


class Serve:
    def __init__(self) -> None:
        self.var = Path(os.environ.get("MARKETPLACE_VAR") or ROOT / "var").resolve()
        self.host = os.environ.get("HOST") or "127.0.0.1"
        try:
            self.port = int(os.environ.get("PORT") or 8000)
        except ValueError as error:
            raise PartsError("PORT is a number.") from error
        here = "127.0.0.1" if self.host in ("", "0.0.0.0", "::", "localhost") else self.host  # noqa: S104
        self.here = f"http://{f'[{here}]' if ':' in here else here}:{self.port}"
        self.site_url = (os.environ.get("SITE_URL") or self.here).rstrip("/")
        self.stopping = threading.Event()

    def run(self) -> int:
        self.var.mkdir(parents=True, exist_ok=True)
        env_file = self.var / "run" / "env"
        parts = Parts(self.var, given=os.environ, webhook_url=self.here + WEBHOOK_PATH, before=self.refuse_a_taken_port)
        with parts:
            log.info("Started: %s", ", ".join(part.name for part in parts.parts) or "nothing; all URLs were given")
            settings = {**parts.env, "SITE_URL": self.site_url}
            write_env(env_file, settings)
            env = marked(
                {**os.environ, **settings, "MARKETPLACE_VAR": str(self.var), "PYTHONUNBUFFERED": "1"}, self.var
            )
            env.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
            if self.wants_demo(env):
                env.setdefault("MARKETPLACE_ALLOW_SIMULATED", "true")
                env.setdefault("MARKETPLACE_ENROLLMENT_RATE", "10000/minute")  # the whole fleet comes at once
            try:
                self.prepare(env)
                return self.serve(parts, env)
            finally:
                self.stopping.set()
                with undisturbed():
                    env_file.unlink(missing_ok=True)

    def refuse_a_taken_port(self) -> None:
        if taken(self.host, self.port):
            raise PartsError(f"Port {self.port} is taken by another program. Choose another: PORT=8001 bin/serve")

    def prepare(self, env: dict[str, str]) -> None:
        log.info("Bringing the database and the static files up to date")
        command = [sys.executable, "-m", "marketplace.embedded.prepare"]
        if self.wants_demo(env):
            command.append("--demo")
        subprocess.run(command, check=True, cwd=ROOT, env=env)  # noqa: S603

    def wants_demo(self, env: dict[str, str]) -> bool:
        return env.get("MARKETPLACE_DEMO", "1") != "0" and not self.site_url.startswith("https:")

    def serve(self, parts: Parts, env: dict[str, str]) -> int:
        """Run the web server, the worker and beat until one of them ends or a signal comes."""
        multiprocessing.set_start_method("fork", force=True)
        programs = Programs()
        for name, command in self.commands(env).items():
            programs.add_process(name, f"exec {shlex.join(command)}", env=env, cwd=str(ROOT))
        # A little later, so that honcho's forks have been made before there is a second thread.
        for job in (lambda: self.announce(env), lambda: self.keep(parts, programs)):
            timer = threading.Timer(1, job)
            timer.daemon = True
            timer.start()
        programs.loop()
        self.stopping.set()
        if programs.returncode in (130, 143):  # by our own Ctrl-C or SIGTERM
            log.info("Stopped.")
            return 0
        log.error("A part of the marketplace ended by itself, so the rest was stopped. Its last lines are above.")
        return 1

    def commands(self, env: dict[str, str]) -> dict[str, list[str]]:
        python = [sys.executable, "-m"]
        # Celery warns a page long about root, at every start.
        celery = [sys.executable, "-W", "ignore:You're running the worker", "-m", "celery"]
        celery += ["--app", "marketplace", "--quiet"]
        bind = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        web = [*python, "gunicorn", "marketplace.wsgi", "--bind", bind, "--worker-class", "gthread"]
        web += ["--workers", env.get("WEB_WORKERS", "2"), "--threads", env.get("WEB_THREADS", "8")]
        web += ["--timeout", "60", "--graceful-timeout", "4", "--log-level", "warning", "--no-control-socket"]
        if env.get("WEB_ACCESS_LOG", "0") != "0":
            web += ["--access-logfile", "-"]
        worker = [*celery, "worker", "--pool", "prefork", "--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        fleet = {}
        if self.wants_demo(env) and env.get("MARKETPLACE_FLEET", "1") != "0" and has_demo_people(env["DATABASE_URL"]):
            fleet["fleet"] = [sys.executable, "manage.py", "demo_fleet", "--url", self.here]
        return fleet | {
            "web": web,
            "worker": [*worker, "--queues", "celery", "--concurrency", "1", "--hostname", "sweeps@%h"],
            "outside": [*worker, "--queues", "outside", "--concurrency", "2", "--hostname", "outside@%h"],
            "beat": [*celery, "beat", "--loglevel", "WARNING", "--pidfile", ""],
        }

    def keep(self, parts: Parts, programs: Programs) -> None:
        """A part that dies is started again; the marketplace shows its outage page meanwhile, and recovers."""
        while not self.stopping.wait(2):
            programs.notice_the_killed()
            try:
                parts.revive()
            except PartsError as error:
                log.error("%s", error)

    def announce(self, env: dict[str, str]) -> None:
        said_why = time.monotonic() + 20
        while not self.stopping.wait(0.3):
            status, answer = self.health()
            if status == 200:
                self.print_welcome(env)
                return
            if time.monotonic() > said_why:
                log.warning("Not healthy yet: %s", answer or "no answer")
                said_why = time.monotonic() + 20

    def health(self) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{self.here}/healthz", timeout=8) as response:  # noqa: S310
                return response.status, ""
        except urllib.error.HTTPError as error:
            return error.code, error.read(500).decode(errors="replace")
        except OSError:
            return 0, ""

    def print_welcome(self, env: dict[str, str]) -> None:
        lines = ["", f"  Remote Servers is at  {self.site_url}/", ""]
        if has_demo_people(env["DATABASE_URL"]):
            lines += [f"  Demo sign-ins, all with password {DEMO_PASSWORD}:"]
            lines += [f"    {name}@example.com" for name in DEMO_SIGN_INS]
            lines += [""]
        if not os.environ.get("EMAIL_URL"):
            lines += [f"  Mail is not sent but written to  {self.var / 'mail'}", ""]
        lines += ["  Ctrl-C stops everything. The data stays in  " + str(self.var), ""]
        print("\n".join(lines), flush=True)


def has_demo_people(database_url: str) -> bool:
    try:
        with psycopg.connect(database_url, connect_timeout=3) as connection:
            found = connection.execute("SELECT 1 FROM users WHERE email = %s", [f"{DEMO_SIGN_INS[0]}@example.com"])
            return found.fetchone() is not None
    except psycopg.Error:  # an address that only Django's own driver settings understand, say
        return False


if __name__ == "__main__":
    sys.exit(main())
