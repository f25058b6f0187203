"""The machine's local file systems: which there are, a walk over all of them, and removal that cannot be led astray.

Names are bytes: a buyer's need not be text.
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.work.accounts import IdSet

#: File systems of this machine's own whose files have owners. Network file systems belong to other machines too.
LOCAL = frozenset(
    b"ext2 ext3 ext4 xfs btrfs zfs f2fs jfs reiserfs bcachefs nilfs2 tmpfs ramfs devtmpfs overlay aufs mqueue hugetlbfs".split()
)
#: Where access lists are kept.
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602
_IMMUTABLE, _APPEND = 0x10, 0x20
#: How ``umount2`` takes a mount off: now, and through no symbolic link.
_DETACH, _NO_LINK = 2, 8
#: How deep a tree may be before its lower part is moved up to be removed: each level costs an open folder.
_DEEPEST = 64


@dataclass(frozen=True)
class Mount:
    """A line of ``/proc/self/mountinfo``."""

    number: int
    device: bytes
    root: bytes
    point: bytes
    kind: bytes
    options: bytes


def mounts() -> list[Mount]:
    """All mounts that can be reached, in the order in which they were made; what another mount hides is left out."""
    found: dict[bytes, Mount] = {}
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        before, _, after = line.partition(b" - ")
        words, kind_words = before.split(b" "), after.split(b" ")
        options = words[5] + b"," + (kind_words[2] if len(kind_words) > 2 else b"")
        mount = Mount(int(words[0]), words[2], _plain(words[3]), _plain(words[4]), kind_words[0], options)
        found.pop(mount.point, None)
        found[mount.point] = mount
    return list(found.values())


def to_walk(all_mounts: list[Mount]) -> list[Mount]:
    """The local mounts that together show every local file once."""
    local = [mount for mount in all_mounts if mount.kind in LOCAL]
    return [mount for mount in local if not any(_shows(other, mount, all_mounts) for other in local)]


def _shows(other: Mount, mount: Mount, all_mounts: list[Mount]) -> bool:
    """Whether what ``mount`` shows is seen at another place already (a bind mount of a folder, for example)."""
    if other is mount or other.device != mount.device or not _within(mount.root, other.root):
        return False
    if other.root == mount.root:
        return other.number < mount.number
    place = _join(other.point, mount.root[len(other.root.rstrip(b"/")) :].lstrip(b"/"))
    covering = [one for one in all_mounts if _within(place, one.point)]
    return max(covering, key=lambda one: len(one.point)) is other


def holding(path: bytes) -> Mount | None:
    """The mount that a path lies on."""
    return max((one for one in mounts() if _within(path, one.point)), key=lambda one: len(one.point), default=None)


def under(folder: bytes) -> list[Mount]:
    """The mounts at or below a folder, the deepest first."""
    return sorted((one for one in mounts() if _within(one.point, folder)), key=lambda one: -len(one.point))


def unmount_of_user(ids: IdSet, folders: list[bytes]) -> tuple[int, int]:
    """Take off what is mounted in these folders, and FUSE mounts that belong to the user. How many, and how many stayed."""

    def theirs() -> list[Mount]:
        found = [one for folder in folders for one in under(folder)]
        for one in mounts():
            owner = re.search(rb"(?:^|,)user_id=(\d+)", one.options)
            if one.kind.startswith(b"fuse") and owner and int(owner.group(1)) in ids and one not in found:
                found.append(one)
        return found

    first = theirs()
    for mount in first:
        _unmount(mount.point)
    return len(first), len(theirs()) if first else 0


def _unmount(point: bytes) -> None:
    """Take a mount off, at once and for whoever comes anew. By an open folder: a link on the way would lead to another mount."""
    try:
        parent = _open_folder(os.path.dirname(point))
    except OSError:
        return
    try:
        place = b"/proc/self/fd/%d/%s" % (parent, os.path.basename(point))
        ctypes.CDLL(None).umount2(place, _DETACH | _NO_LINK)
    finally:
        os.close(parent)


@dataclass(frozen=True)
class Found:
    """A file or folder of the buyer's. ``folder`` is the folder of the system's that it is in."""

    path: bytes
    status: os.stat_result
    folder: str
    #: The file is another's, but an access list names the buyer.
    by_list: bool = False


@dataclass
class Walk:
    """Looks at every object on all local file systems and yields those of these users and groups.

    It does not go on below a folder that it yields. It follows no symbolic link and steps over each mount's edge only as the list of
    mounts says, so that it sees every object once. ``unseen`` counts folders that could not be read.
    """

    ids: IdSet
    lists: bool = False
    objects: int = 0
    unseen: int = 0
    file_systems: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Found]:
        everything = mounts()
        edges = {mount.point for mount in everything}
        for mount in to_walk(everything):
            name = self._without_their_names(mount.point)
            if name not in self.file_systems:
                self.file_systems.append(name)
            try:
                status = os.lstat(mount.point)
            except OSError:
                continue
            if self._is_theirs(status):
                yield Found(mount.point, status, name)
            else:
                yield from self._below(mount.point, edges)

    def _without_their_names(self, point: bytes) -> str:
        """Where something is mounted, up to the first folder that is the buyer's: names that they chose are not told."""
        place = b"/"
        for name in point.split(b"/"):
            further = _join(place, name)
            try:
                if self._is_theirs(os.lstat(further)):
                    break
            except OSError:
                break
            place = further
        return printable(place)

    def _below(self, top: bytes, edges: set[bytes]) -> Iterator[Found]:
        ranges = self.ids.ranges or [(-1, -1)]
        low, high = ranges[0][0], max(last for _, last in ranges)
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                inside = _look(folder, edges)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                self.unseen += 1
                continue
            for path, status in inside:
                self.objects += 1
                uid, gid = status.st_uid, status.st_gid
                if (low <= uid <= high or low <= gid <= high) and self._is_theirs(status):
                    yield Found(path, status, printable(folder))
                    continue
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(path)
                if self.lists and not stat.S_ISLNK(status.st_mode) and self._lists_them(path):
                    yield Found(path, status, printable(folder), by_list=True)

    def _is_theirs(self, status: os.stat_result) -> bool:
        return status.st_uid in self.ids or status.st_gid in self.ids

    def _lists_them(self, path: bytes) -> bool:
        """Whether an access list (POSIX ACL) of the file names one of the users or groups."""
        try:
            names = os.listxattr(path, follow_symlinks=False)
        except OSError:
            return False
        for name in _ACLS:
            if name in names:
                try:
                    content = os.getxattr(path, name, follow_symlinks=False)
                except OSError:
                    continue
                # A version of four bytes, then entries: tag and permissions of two bytes each, an id of four.
                for at in range(4, len(content) - 7, 8):
                    if int.from_bytes(content[at + 4 : at + 8], "little") in self.ids:
                        return True
        return False


def _look(folder: bytes, edges: set[bytes]) -> list[tuple[bytes, os.stat_result]]:
    """What is in a folder, as paths with their facts. What goes away meanwhile is left out.

    So is what something is mounted on. It is not even asked about: root may not look at another user's FUSE mount, and a server
    that is away would never answer.
    """
    handle = -1
    try:
        try:
            entries = os.scandir(folder)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            # Too deep to be named at once: opened level by level.
            handle = _open_folder(folder)
            return list(_facts(os.scandir(handle), edges, folder))
        return list(_facts(entries, edges))
    finally:
        if handle >= 0:
            os.close(handle)


def _facts(entries: Any, edges: set[bytes], folder: bytes = b"") -> Iterator[tuple[bytes, os.stat_result]]:
    """``folder``: where the entries are, if they do not know their paths themselves."""
    with entries:
        for entry in entries:
            path = folder + b"/" + os.fsencode(entry.name) if folder else entry.path
            if path in edges:
                continue
            try:
                yield path, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue


@dataclass
class Removed:
    """What a removal did, in numbers. ``problems`` are system errors, without anybody's file names."""

    files: int = 0
    folders: int = 0
    unlocked: int = 0
    failed: int = 0
    problems: list[str] = field(default_factory=list)

    def __iadd__(self, other: Removed) -> Removed:
        self.files += other.files
        self.folders += other.folders
        self.unlocked += other.unlocked
        self.failed += other.failed
        self.problems += other.problems
        return self

    @property
    def counts(self) -> dict[str, int]:
        return {"files": self.files, "folders": self.folders, "unlocked": self.unlocked, "failed": self.failed}


def remove(path: bytes, ids: IdSet | None, *, whole: bool = False) -> Removed:
    """Remove a file, or a folder with what is in it.

    Every step is taken from an open folder and refuses symbolic links, so that nothing outside can be reached by swapping a
    name. With ``ids`` only what belongs to these users is removed (a folder that holds something of others' stays, and counts as
    failed); without, everything below goes, whoever owns it. ``whole``: everything below goes if the folder itself is theirs, or
    only root could have put it there; else somebody has put another's folder under its name. A mount inside is never entered: it
    has to be taken off before.
    """
    done = Removed()
    try:
        parent = _open_folder(os.path.dirname(path) or b"/")
    except FileNotFoundError:
        return done
    except OSError as error:
        return _failed(done, error)
    try:
        if whole and not stat.S_IMODE(os.fstat(parent).st_mode) & 0o022:
            ids = None
        _remove_in(parent, os.path.basename(path), ids, done, path, whole=whole)
    finally:
        os.close(parent)
    return done


def _remove_in(parent: int, name: bytes, ids: IdSet | None, done: Removed, path: bytes, *, whole: bool) -> None:
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        _failed(done, error)
        return
    if ids is not None and status.st_uid not in ids:
        return
    if not stat.S_ISDIR(status.st_mode):
        _unlink(parent, name, done)
        return
    if under(path):
        _failed(done, OSError(errno.EBUSY, "Something is mounted in it"))
        return
    try:
        top = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except OSError as error:
        _failed(done, error)
        return
    try:
        if ids is not None and os.fstat(top).st_uid not in ids:
            return  # swapped since it was looked at
        # A tree that is too deep has its lower parts moved up to ``top``; another round removes those.
        while _empty(top, top, None if whole else ids, done, 0):
            pass
    finally:
        os.close(top)
    _rmdir(parent, name, done)


def _empty(folder: int, top: int, ids: IdSet | None, done: Removed, depth: int) -> bool:
    """Remove what is in an open folder. Whether parts were moved up, so that another round is needed."""
    moved = False
    try:
        with os.scandir(folder) as entries:
            names = [os.fsencode(entry.name) for entry in entries]
    except OSError as error:
        _failed(done, error)
        return False
    for name in names:
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            continue
        except OSError as error:
            _failed(done, error)
            continue
        if ids is not None and status.st_uid not in ids:
            continue
        if not stat.S_ISDIR(status.st_mode):
            _unlink(folder, name, done)
            continue
        if depth >= _DEEPEST and folder != top:
            moved = _move_up(folder, name, top, done) or moved
            continue
        try:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except OSError as error:
            _failed(done, error)
            continue
        try:
            moved = _empty(below, top, ids, done, depth + 1) or moved
        finally:
            os.close(below)
        _rmdir(folder, name, done)
    return moved


def _move_up(folder: int, name: bytes, top: int, done: Removed) -> bool:
    place = b".rsm-" + os.urandom(12).hex().encode()  # a name that nobody could take before
    for again in (False, True):
        try:
            os.rename(name, place, src_dir_fd=folder, dst_dir_fd=top)
            return True
        except PermissionError as error:
            if again:
                _failed(done, error)
            else:
                _clear_flags(folder, name, done)
        except OSError as error:
            _failed(done, error)
            break
    return False


def _unlink(folder: int, name: bytes, done: Removed) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except PermissionError:
        _clear_flags(folder, name, done)
        try:
            os.unlink(name, dir_fd=folder)
        except OSError as error:
            _failed(done, error)
            return
    except OSError as error:
        _failed(done, error)
        return
    done.files += 1


def _rmdir(folder: int, name: bytes, done: Removed) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except PermissionError:
        _clear_flags(folder, name, done)
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as error:
            _failed(done, error)
            return
    except OSError as error:
        _failed(done, error)
        return
    done.folders += 1


def _clear_flags(folder: int, name: bytes, done: Removed) -> None:
    """Take "immutable" and "append only" off a file and the folder it is in, as ``chattr -i -a`` does."""
    done.unlocked += _without_flags(folder)
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return
    try:
        done.unlocked += _without_flags(handle)
    finally:
        os.close(handle)


def _without_flags(handle: int) -> int:
    flags = array.array("L", [0])
    try:
        fcntl.ioctl(handle, _GET_FLAGS, flags, True)
        if not flags[0] & (_IMMUTABLE | _APPEND):
            return 0
        flags[0] &= ~(_IMMUTABLE | _APPEND)
        fcntl.ioctl(handle, _SET_FLAGS, flags, True)
    except OSError:
        return 0
    return 1


def _failed(done: Removed, error: OSError) -> Removed:
    done.failed += 1
    done.problems.append(error.strerror or type(error).__name__)
    return done


def _open_folder(path: bytes) -> int:
    """Open a folder from the root down without following any symbolic link."""
    handle = os.open(b"/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in path.split(b"/"):
        if not name:
            continue
        try:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
        finally:
            os.close(handle)
        handle = below
    return handle


def printable(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _plain(word: bytes) -> bytes:
    """Without the escapes of mountinfo, ``\\040`` for a blank."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match.group(1), 8)]), word)


def _within(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _join(folder: bytes, rest: bytes) -> bytes:
    return folder.rstrip(b"/") + b"/" + rest if rest else folder
