"""How a buyer's keys are let in, and the log-in that proves it.

Where the keys lie. The usual place, ``~/.ssh/authorized_keys``, is in the buyer's hands: they could add a key without an end, which
would let them in until the account itself ends, and accounts end at midnight only. So the agent tells sshd, in a file of its own in
``sshd_config.d``, to read the keys of ``rsm-*`` accounts from :data:`FOLDER`, which belongs to root, and from nowhere else; no buyer can
then change which keys are let in or until when. It is used only when ``sshd -T`` confirms that sshd would do so. Where the
administrator's ``sshd_config`` includes no such files, the keys lie in the home in a ``.ssh`` that belongs to root; a
buyer can move that folder aside and make another, so that there only the account's own end, the timer and the agent hold.

The end of a key is written as sshd reads it. OpenSSH 9.1 and newer know UTC (``Z``). Older ones take the machine's own time and always as
standard time, so that in summer "12:00" is let in until 13:00: the text is sought that comes out right under that reading.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import WorkFailed
from agent.files import write_whole
from agent.shell import Done, has, run
from agent.work import accounts, filesystems
from agent.work.accounts import Record

if TYPE_CHECKING:
    from agent.context import Context

FOLDER = Path("/etc/ssh/rsm-agent-keys")
DROP_IN = Path("/etc/ssh/sshd_config.d/00-rsm-agent.conf")
_DROP_IN_TEXT = f"""\
# Of rsm-agent: the keys of its accounts lie where only root can change them.
Match User rsm-*
    AuthorizedKeysFile {FOLDER}/%u
    AuthorizedKeysCommand none
    PubkeyAuthentication yes
    PasswordAuthentication no
Match all
"""
CHECK_COMMENT = "rsm-agent-check"


def place(record: Record) -> Path:
    """The file that holds the account's keys now: root's own one if sshd reads that, else the one in the home."""
    return FOLDER / record.account if reads_our_folder(record.account) else Path(record.home) / ".ssh/authorized_keys"


def prepare(account: str) -> list[Done]:
    """Have sshd read the keys of our accounts from our own folder, if it lets us. Done once; stays for later accounts."""
    done: list[Done] = []
    FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
    os.chmod(FOLDER, 0o711)  # noqa: S103  whatever the umask is: sshd goes through it as the buyer
    try:
        there = DROP_IN.read_text(encoding="utf-8") == _DROP_IN_TEXT
    except OSError:
        there = False
    if there and reads_our_folder(account):
        return done
    if DROP_IN.parent.is_dir():
        write_whole(DROP_IN, _DROP_IN_TEXT, mode=0o644)
        if run(["sshd", "-t"]).ok and reads_our_folder(account):
            done += reload_sshd()
        else:
            DROP_IN.unlink()
    return done


def reads_our_folder(account: str) -> bool:
    """Whether sshd would read this account's keys from :data:`FOLDER` and from nowhere else."""
    return _settings(account).get("authorizedkeysfile", []) in ([f"{FOLDER}/%u"], [f"{FOLDER}/{account}"])


def reload_sshd() -> list[Done]:
    """Have the running sshd read its configuration again."""
    if Path("/run/systemd/system").is_dir() and has("systemctl"):
        return [run(["systemctl", "try-reload-or-restart", f"{name}.service"]) for name in ("ssh", "sshd")]
    pid_file = (_settings("root").get("pidfile") or ["/run/sshd.pid"])[0]
    try:
        pid = int(Path(pid_file).read_text(encoding="ascii"))
        if Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() == "sshd":
            os.kill(pid, signal.SIGHUP)
            time.sleep(0.2)
    except (OSError, ValueError) as error:
        return [Done("reload sshd", 1, "", str(error))]
    return [Done(f"kill -HUP {pid}", 0, "", "")]


def write(record: Record, keys: list[str], expires_at: datetime, options: str = "", extra: str = "") -> Path:
    """Let these keys in until ``expires_at``, and nothing else. ``extra`` is a whole line beside them."""
    before = ",".join(part for part in (options, f'expiry-time="{_end(expires_at)}"') if part)
    text = "".join(f"{before} {key}\n" for key in keys) + (f"{extra}\n" if extra else "")
    path = place(record)
    if path.parent == FOLDER:
        # sshd reads it as the buyer: readable by their group, writable by root.
        write_whole(path, text, mode=0o640)
        os.chown(path, 0, record.uid)
        return path
    home = os.open(record.home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _write_in_home(home, text)
    finally:
        os.close(home)
    return path


def remove(record: Record) -> None:
    """Let no key in any more, wherever the keys are."""
    for path in (FOLDER / record.account, *FOLDER.glob(f".{record.account}.*.new")):
        path.unlink(missing_ok=True)
    folder = Path(record.home) / ".ssh"
    for name in ("authorized_keys", "authorized_keys2"):
        if not folder.is_symlink():
            filesystems.remove(os.fsencode(folder / name), None)
    if folder.is_symlink():
        filesystems.remove(os.fsencode(folder), None)


def present(record: Record) -> int:
    """How many files hold keys for this account."""
    found = len([path for path in (FOLDER / record.account,) if path.exists()])
    return found + sum(
        os.path.lexists(f"{record.home}/.ssh/{name}") for name in ("authorized_keys", "authorized_keys2")
    )


def _write_in_home(home: int, text: str) -> None:
    """Replace ``.ssh/authorized_keys``, never through a link that the buyer laid."""
    try:
        folder = os.open(".ssh", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=home)
    except FileNotFoundError:
        os.mkdir(".ssh", 0o755, dir_fd=home)
        folder = os.open(".ssh", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=home)
    except OSError:
        # Something else of that name: out of the way with it.
        os.rename(".ssh", f".ssh.{accounts.random_name()}", src_dir_fd=home, dst_dir_fd=home)
        _write_in_home(home, text)
        return
    try:
        os.fchown(folder, 0, 0)
        os.fchmod(folder, 0o755)
        _out_of_the_way(folder, "authorized_keys")
        handle = os.open("authorized_keys", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    finally:
        os.close(folder)


def _out_of_the_way(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        os.rename(name, f"{name}.{accounts.random_name()}", src_dir_fd=folder, dst_dir_fd=folder)


# The log-in that proves it


def check_login(
    context: Context, record: Record, keys: list[str], expires_at: datetime, options: str, *, new: bool
) -> str:
    """Log in over the loopback with a throw-away key, then see that this key is refused. What happened, in words.

    ``keys`` are let in beside it. A new account has to run a command; in one that a buyer has used already, what their shell
    does is their affair, and being let in is enough. WorkFailed when it is refused, or when it is still let in afterwards.
    """
    folder = tempfile.mkdtemp(prefix="login-", dir=str(context.config.folder))
    try:
        key = os.path.join(folder, "key")
        made = run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", CHECK_COMMENT, "-f", key])
        if not made.ok:
            raise WorkFailed(f"No key for the check of the log-in could be made:\n{made}")
        public = Path(f"{key}.pub").read_text(encoding="utf-8").strip()
        end = min(datetime.now(timezone.utc) + timedelta(minutes=2), max(expires_at, datetime.now(timezone.utc)))
        only = ",".join(part for part in (options, f'expiry-time="{_end(end + timedelta(seconds=1))}"') if part)
        write(record, keys, expires_at, options, extra=f"{only} {public}")
        let_in, said = _try_login(context, record, folder, new=new)
        path = write(record, keys, expires_at, options)
        if not let_in:
            raise WorkFailed(f"The log-in to check the account did not work: {said}")
        if public.split()[1] in path.read_text(encoding="utf-8"):
            raise WorkFailed("The key of the check could not be removed again.")
        still, _ = _try_login(context, record, folder, new=False)
        if still:
            raise WorkFailed("The key of the check was removed, but sshd still lets it in.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    where = (
        "in root's folder" if path.parent == FOLDER else "in the home, because sshd includes no files of sshd_config.d"
    )
    return f"A log-in over the loopback worked; its key was removed and is refused. The keys lie {where}."


def _try_login(context: Context, record: Record, folder: str, *, new: bool) -> tuple[bool, str]:
    """Whether a log-in with the key in this folder works, and what ssh said."""
    port = context.config.sshd_port or context.config.ssh_port
    hosts, log = os.path.join(folder, "known_hosts"), os.path.join(folder, "log")
    name = "127.0.0.1" if port == 22 else f"[127.0.0.1]:{port}"
    with open(hosts, "w", encoding="utf-8") as file:
        file.writelines(f"{name} {line}\n" for line in host_keys())
    command = [
        "ssh", "-v", "-E", log, "-F", "none", "-T", "-i", os.path.join(folder, "key"), "-p", str(port),
        "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=yes",
        "-o", f"UserKnownHostsFile={hosts}", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5",
        "-o", "PreferredAuthentications=publickey", f"{record.account}@127.0.0.1", "true",
    ]  # fmt: skip
    deadline = time.monotonic() + 3
    while not _answers(port) and time.monotonic() < deadline:
        time.sleep(0.1)  # sshd may be reading its configuration again
    Path(log).write_text("", encoding="utf-8")
    done = run(command, timeout=60 if new else 10)
    text = Path(log).read_text(encoding="utf-8", errors="replace")
    let_in = "Authenticated to 127.0.0.1" in text
    said = [line for line in text.splitlines() if not line.startswith(("debug", "OpenSSH_", "Transferred", "Bytes"))]
    return (let_in and (done.ok or not new)), " ".join(
        said[-3:]
    ) or f"ssh ended with {done.status}. {done.errors.strip()}"


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def host_keys() -> list[str]:
    """sshd's own public keys, without their comments."""
    found = []
    for private in _settings("root").get("hostkey") or []:
        try:
            words = Path(f"{private}.pub").read_text(encoding="utf-8").split()
        except OSError:
            continue
        found.append(" ".join(words[:2]))
    return found


def _settings(account: str) -> dict[str, list[str]]:
    """What ``sshd -T`` says for this user, by keyword, the words of all its lines together."""
    command = ["sshd", "-T", "-C", f"user={account},host=localhost,addr=127.0.0.1"]
    done = run(command)
    missing = re.search(r"Missing privilege separation directory: (/run/\S+)", done.errors)
    if missing:
        # Where a socket of systemd's starts sshd, this folder is there only while sshd is.
        Path(missing.group(1)).mkdir(mode=0o755, exist_ok=True)
        done = run(command)
    found: dict[str, list[str]] = {}
    for line in done.output.splitlines():
        words = line.split()
        if words:
            found.setdefault(words[0].lower(), []).extend(words[1:])
    return found


# The end of a key


def _end(moment: datetime) -> str:
    version = re.search(r"OpenSSH_(\d+)\.(\d+)", run(["ssh", "-V"]).errors)
    if version and (int(version.group(1)), int(version.group(2))) >= (9, 1):
        return end_in_utc(moment)
    return end_for_older(moment)


def end_in_utc(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y%m%d%H%M%SZ")


def end_for_older(moment: datetime) -> str:
    """The text that an sshd older than 9.1 reads as this moment: ``mktime`` with ``tm_isdst`` 0."""
    seconds = int(moment.timestamp())
    fitting = []
    for shift in (0, -3600, 3600, -7200, 7200, -1800, 1800):
        guess = time.localtime(seconds + shift)
        read = int(time.mktime((*guess[:6], 0, 0, 0)))
        if read == seconds:
            return time.strftime("%Y%m%d%H%M%S", guess)
        if read < seconds:
            fitting.append((read, guess))
    # No text means just this moment: the latest that is not after it.
    return time.strftime("%Y%m%d%H%M%S", max(fitting)[1])
