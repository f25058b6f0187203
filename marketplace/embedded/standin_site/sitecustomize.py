"""Read by Python itself when the payment stand-in starts, and by nothing else.

The stand-in keeps its store in one fixed file of ``/tmp`` and listens on every address of the machine.
Run beside a second one, each would overwrite the other's payments; and nobody but this machine has business
with it. So its store goes to ``$LOCALSTRIPE_STORE``, written whole or not at all, and it listens on loopback.
"""

import builtins
import io
import os
import socket
from typing import Any

FIXED = "/tmp/localstripe.pickle"  # noqa: S108 the path that is to be avoided
STORE = os.environ.get("LOCALSTRIPE_STORE", "")


class _Whole(io.BufferedWriter):
    """A file that takes the place of the old one only once it has been written to its end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._broken = False
        super().__init__(io.FileIO(f"{path}.new", "wb"))

    def __exit__(self, kind: Any, *rest: Any) -> None:
        self._broken = kind is not None
        super().__exit__(kind, *rest)

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if not self._broken:
            os.replace(f"{self._path}.new", self._path)


if STORE:
    _open = builtins.open

    def _redirecting_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if file != FIXED:
            return _open(file, mode, *args, **kwargs)
        return _Whole(STORE) if "w" in mode else _open(STORE, mode, *args, **kwargs)

    builtins.open = _redirecting_open
    io.open = _redirecting_open

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

    setattr(socket, "socket", _LoopbackSocket)  # noqa: B010 a type checker refuses the plain assignment
