"""Read by Python itself when the payment stand-in starts, and by nothing else.

The stand-in keeps its store in one fixed file of ``/tmp`` and listens on every address of the machine.
Run beside a second one, each would overwrite the other's payments; and nobody but this machine has business
with it. So its store goes to ``$LOCALSTRIPE_STORE``, and it listens on loopback.

It also writes the whole store again for every object that it makes, also for every one that it reads when it starts:
that takes a minute with 3,000 objects, and who ends it meanwhile loses those that were not read yet. So the store is
written once for each request that changes something, whole or not at all and before the answer goes out; and with
``$LOCALSTRIPE_DURABLE`` set to 0 only when the stand-in is stopped.
"""

import atexit
import builtins
import io
import os
import pickle
import socket
from typing import Any

FIXED = "/tmp/localstripe.pickle"  # noqa: S108 the path that is to be avoided
STORE = os.environ.get("LOCALSTRIPE_STORE", "")
IS_DURABLE = os.environ.get("LOCALSTRIPE_DURABLE", "1") != "0"
READING = ("GET", "HEAD", "OPTIONS")


class _Fixed(io.BytesIO):
    """Takes the place of the file that must not be written."""


class _Keeper:
    """Writes the store when it is time to, whatever the stand-in asks for."""

    def __init__(self) -> None:
        self._dump, self._load = pickle.dump, pickle.load
        self._store: Any = None
        self._is_loading = False
        self._is_changed = False

    def load(self, file: Any, **options: Any) -> Any:
        self._is_loading = True
        try:
            return self._load(file, **options)
        finally:
            self._is_loading = False

    def dump(self, thing: Any, file: Any, *args: Any, **options: Any) -> None:
        if not isinstance(file, _Fixed):
            self._dump(thing, file, *args, **options)
        elif not self._is_loading:
            self._store, self._is_changed = thing, True

    def write(self) -> None:
        """A file that takes the place of the old one once it is written to its end."""
        if self._store is None:
            return
        with _open(f"{STORE}.new", "wb") as file:
            self._dump(self._store, file, protocol=pickle.HIGHEST_PROTOCOL)
        os.replace(f"{STORE}.new", STORE)
        self._is_changed = False

    async def before_answering(self, request: Any, _response: Any) -> None:
        if self._is_changed or request.method not in READING:
            self.write()


def _redirecting_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    if file != FIXED:
        return _open(file, mode, *args, **kwargs)
    return _Fixed() if "w" in mode else _open(STORE, mode, *args, **kwargs)


class _LoopbackSocket(socket.socket):
    def __init__(self, family: int = -1, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(family, *args, **kwargs)
        except OSError:
            if family != socket.AF_INET6:
                raise
            super().__init__(socket.AF_INET, *args, **kwargs)  # a machine without IPv6

    def bind(self, address: Any) -> None:
        if address[0] == "::":
            host = "::ffff:127.0.0.1" if self.family == socket.AF_INET6 else "127.0.0.1"
            address = (host, address[1])
        super().bind(address)


def _running(application: Any, **options: Any) -> None:
    application.on_response_prepare.append(_keeper.before_answering)
    _run(application, **options)


if STORE:
    _keeper = _Keeper()
    _open = builtins.open
    builtins.open = io.open = _redirecting_open
    setattr(pickle, "load", _keeper.load)  # noqa: B010 a type checker refuses the plain assignment
    setattr(pickle, "dump", _keeper.dump)  # noqa: B010
    setattr(socket, "socket", _LoopbackSocket)  # noqa: B010
    atexit.register(_keeper.write)
    if IS_DURABLE:
        from aiohttp import web

        _run = web.run_app
        setattr(web, "run_app", _running)  # noqa: B010
