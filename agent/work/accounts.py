"""The accounts that this agent made: what it knows about each, their numbers, and how they are locked.

``accounts/<account>.json`` in the state folder holds a :class:`Record`; it stays when the account is gone, so that a
wipe can be repeated and so that no number is ever given out twice.
"""

from __future__ import annotations

import base64
import grp
import json
import pwd
import re
import secrets
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.context import parse_stamp
from agent.errors import WorkFailed
from agent.files import write_whole
from agent.shell import Done, run

if TYPE_CHECKING:
    from agent.context import Context

#: Numbers for buyers: above those of the system, of packages and of systemd's own users (which end at 65535), below the first
#: subordinate ids (100000). Each is used once: what an earlier buyer might have left can never belong to a later one.
FIRST_UID = 70000
LAST_UID = 99998
#: Never given out: nothing runs with it but what kills a buyer's processes (:func:`agent.work.processes.kill_at_once`).
SENDER = 99999

HOMES = Path("/home")
LIMITS = Path("/etc/security/limits.d")

NAME = re.compile(r"rsm-[0-9a-f]{8}")
_BOOKING = re.compile(r"[0-9A-Za-z-]{1,64}")
_KEY = re.compile(
    r"(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]{40,20000}={0,3}( [^\r\n\x00]{0,500})?"
)

#: Phases of a record. ``begun``: being made, no key of the buyer's was ever in place; ``open``; ``locked``: nobody gets in, the data is
#: there; ``wiped``; ``undone``: it was never opened and is gone.
GONE = ("wiped", "undone")


@dataclass
class Record:
    """What the agent knows about an account that it made."""

    account: str
    booking: str
    uid: int
    home: str
    access: str = "agent"
    expires_at: str = ""
    phase: str = "begun"
    scratch: list[str] = field(default_factory=list)
    #: First subordinate uid and gid, 0 where it has none, and how many.
    subordinate: int = 0
    subordinates: int = 0

    @property
    def ids(self) -> IdSet:
        """Every user and group number that was the buyer's."""
        ranges = [(self.uid, self.uid)]
        if self.subordinates:
            ranges.append((self.subordinate, self.subordinate + self.subordinates - 1))
        return IdSet(ranges)


class IdSet:
    """User and group numbers, as ranges with both ends in them."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self.ranges = sorted(set(ranges))

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and any(first <= number <= last for first, last in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __or__(self, other: IdSet) -> IdSet:
        return IdSet(self.ranges + other.ranges)


# What is on disk


def load(context: Context, account: str) -> Record | None:
    """The record of this account, ``None`` when the agent never made it. WorkFailed when it cannot be read."""
    path = _path(context, account)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        known = {one.name for one in fields(Record)}
        return Record(**{name: value for name, value in data.items() if name in known})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise WorkFailed(f"{path} cannot be read: {error}") from None


def save(context: Context, record: Record) -> None:
    """On the disk when this returns."""
    path = _path(context, record.account)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, json.dumps(asdict(record), indent=1, sort_keys=True) + "\n")


def every(context: Context) -> list[Record]:
    """All records that can be read."""
    found = []
    for path in sorted((context.config.folder / "accounts").glob("rsm-*.json")):
        try:
            record = load(context, path.stem)
        except WorkFailed:
            continue
        if record is not None:
            found.append(record)
    return found


def fresh_uid(context: Context) -> int:
    """A number that no account and no group ever had here. It is on the disk as used when this returns."""
    path = context.config.folder / "last_uid"
    try:
        last = int(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        last = _highest_seen(context)
    except ValueError:
        raise WorkFailed(f"{path} does not hold a number.") from None
    for number in range(max(last + 1, FIRST_UID), LAST_UID + 1):
        if not is_taken(number):
            write_whole(path, f"{number}\n")
            return number
    raise WorkFailed(f"All user numbers from {FIRST_UID} to {LAST_UID} have been used on this machine.")


def last_uid(context: Context) -> int:
    """The last number that was given out, one below the first when none was."""
    try:
        return int((context.config.folder / "last_uid").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return FIRST_UID - 1


def _highest_seen(context: Context) -> int:
    """For an agent that remembers no number: the highest that any file on this machine or any record has."""
    from agent.work import filesystems  # only this once does an account's number need a walk

    seen = [FIRST_UID - 1, *(record.uid for record in every(context))]
    walk = filesystems.Walk(IdSet([(FIRST_UID, LAST_UID)]))
    for found in walk:
        seen += [number for number in (found.status.st_uid, found.status.st_gid) if FIRST_UID <= number <= LAST_UID]
    return max(seen)


def is_taken(number: int) -> bool:
    """Whether an account or a group of this machine, or of a directory that it asks, has this number."""
    for look in (pwd.getpwuid, grp.getgrgid):
        try:
            look(number)
        except KeyError:
            continue
        return True
    return False


def _path(context: Context, account: str) -> Path:
    return context.config.folder / "accounts" / f"{checked_name(account)}.json"


# What the marketplace sent


def checked_name(value: Any) -> str:
    """The account's name. WorkFailed unless it is one of the marketplace's: nothing else is ever touched."""
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise WorkFailed(f"{value!r} is no account of the marketplace's.")
    return value


def checked_booking(value: Any) -> str:
    if not isinstance(value, str) or not _BOOKING.fullmatch(value):
        raise WorkFailed("The work names no booking.")
    return value


def checked_keys(value: Any) -> list[str]:
    """Public keys of OpenSSH, one line each and without options, their comments taken off."""
    if not isinstance(value, list) or not value or len(value) > 100:
        raise WorkFailed("The work has no keys to let in.")
    keys = []
    for line in value:
        if not isinstance(line, str) or not _KEY.fullmatch(line.strip(" \n")) or not _is_whole(line):
            raise WorkFailed("One of the keys is no public key of OpenSSH.")
        keys.append(" ".join(line.split()[:2]))
    return list(dict.fromkeys(keys))


def _is_whole(line: str) -> bool:
    """Whether a key's second word decodes, and says the same kind as its first."""
    kind, text = line.split()[:2]
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return content.startswith(len(kind).to_bytes(4, "big") + kind.encode())


def checked_moment(value: Any) -> datetime:
    try:
        return parse_stamp(value)
    except (ValueError, TypeError):
        raise WorkFailed(f"{value!r} is no moment.") from None


def checked_number(value: Any, default: int) -> int:
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 10_000_000:
        raise WorkFailed(f"{value!r} is no limit.")
    return value


# What the system says


def of_system(account: str) -> pwd.struct_passwd | None:
    """Its entry in the system's list of users."""
    try:
        return pwd.getpwnam(account)
    except KeyError:
        return None


def group_of_system(account: str) -> grp.struct_group | None:
    try:
        return grp.getgrnam(account)
    except KeyError:
        return None


def must_be_ours(context: Context, account: str) -> Record | None:
    """The record. WorkFailed when the system has an account of that name which this agent did not make."""
    record, found = load(context, account), of_system(account)
    if found is not None and (record is None or record.phase in GONE or found.pw_uid != record.uid):
        raise WorkFailed(
            f"There is an account {account} on this machine that this agent did not make. It is not touched."
        )
    return record


def lock(account: str) -> list[Done]:
    """Let nobody in: no password, and an end that lies in the past, which ``sshd``, ``cron`` and ``at`` all ask for."""
    if of_system(account) is None:
        return []
    return [run(["usermod", "--lock", "--expiredate", "1", account])]


def is_locked(account: str) -> bool:
    """Whether the system's own list says so; true as well when there is no such account."""
    for fields_ in shadow_lines(account):
        return fields_[1].startswith("!") and fields_[7] == "1"
    return of_system(account) is None


def unlock(account: str, locks_at: datetime) -> list[Done]:
    """Let it in until the first midnight (UTC) at or after ``locks_at``.

    The password is ``*``: none fits, but unlike ``!`` it does not mean "locked" to an sshd without PAM.
    """
    days = -((datetime(1970, 1, 1, tzinfo=timezone.utc) - locks_at) // timedelta(days=1))
    return [
        run(["usermod", "--password", "*", account]),
        run(["chage", "-E", str(days), "-m", "0", "-M", "99999", "-I", "-1", account]),
    ]


def remove_entry(record: Record) -> list[Done]:
    """Take the account, its group and its subordinate numbers off the system's lists."""
    done = []
    found = of_system(record.account)
    if found is not None and found.pw_uid == record.uid:
        done.append(run(["userdel", record.account]))
        if not done[-1].ok:
            # It says that somebody is logged in, for example by a leftover in utmp: nobody is, that was looked at.
            done.append(run(["userdel", "--force", record.account]))
    group = group_of_system(record.account)
    if group is not None and group.gr_gid == record.uid:
        done.append(run(["groupdel", record.account]))
    return done


def shadow_lines(account: str) -> list[list[str]]:
    """Its lines of ``/etc/shadow``, in fields."""
    try:
        lines = Path("/etc/shadow").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line.split(":") for line in lines if line.startswith(f"{account}:") and line.count(":") >= 8]


def random_name() -> str:
    return secrets.token_hex(4)
