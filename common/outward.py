"""Requests to addresses that people give us: to public ones only, within a time, and to nowhere else.

The name is resolved here, every address that it has must be public, and the connection is made to the very address that
was looked at: a name that changes its address between the look and the connection (DNS rebinding) gains nothing. TLS still
asks for the name and verifies it. No redirect is followed, no proxy is used, nothing more than a part of the answer is
read. Why this is our own code: ``docs/decisions/0034-webhooks.md``.
"""

import ipaddress
import logging
import re
import socket
import ssl
import threading
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from django.conf import settings
from django.utils.translation import gettext as _
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from common.errors import MarketplaceError

log = logging.getLogger(__name__)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: So much of an answer's body is read.
MOST_READ = 2_000
#: Resolving a name takes at most this long, in seconds.
LONGEST_LOOKUP = 5.0

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Where IPv6 addresses of hosts lie that anybody can reach, and what in there is not: Teredo, 6to4, examples.
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
TUNNELS = [ipaddress.IPv6Network(net) for net in ("2001::/32", "2002::/16", "2001:db8::/32", "3fff::/20")]
#: Of IPv4, what newer versions of :mod:`ipaddress` know and older ones do not: protocol assignments, relays of 6to4.
SPECIAL = [ipaddress.IPv4Network(net) for net in ("192.0.0.0/24", "192.88.99.0/24")]

_lookups = ThreadPoolExecutor(max_workers=8, thread_name_prefix="lookup")


class TargetRefused(MarketplaceError):
    """Nothing is sent to such an address."""


class NoAnswer(MarketplaceError):
    """The other side did not answer as HTTP, or not in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    #: The beginning of its body.
    excerpt: str


def is_public(address: Address) -> bool:
    """Whether a host anywhere on the Internet may have it; addresses that carry another one in them are judged by that."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in GLOBAL_UNICAST or any(address in net for net in TUNNELS):
            return False
    elif any(address in net for net in SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def checked_url(url: str, *, ports: Collection[int], field: str = "url") -> Url:
    """The address in its parts, if something may be sent there as far as its letters say.

    Raises:
        TargetRefused: it is no address, not https, or has a name and password, a fragment or an unusual port in it.
    """
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise TargetRefused(_("An address has no spaces, line breaks or backslashes in it."), field=field)
    try:
        parts = parse_url(url)
    except (LocationParseError, UnicodeError) as error:
        raise TargetRefused(_("This is not a whole address. It begins with https://."), field=field) from error
    if parts.auth is not None or "@" in (parts.netloc or ""):
        raise TargetRefused(_("Leave out the name and password. Check the signature instead."), field=field)
    if not parts.host or parts.scheme not in ("http", "https"):
        raise TargetRefused(_("This is not a whole address. It begins with https://."), field=field)
    if parts.fragment is not None:
        raise TargetRefused(_("Leave out what follows the “#”: it is not sent anyway."), field=field)
    if is_trusted(parts):
        return parts
    if parts.scheme != "https":
        raise TargetRefused(
            _("The address begins with https://: what is sent must not be read on the way."), field=field
        )
    if port_of(parts) not in ports:
        allowed = ", ".join(map(str, sorted(ports)))
        raise TargetRefused(_("Only these ports are used: %(ports)s.") % {"ports": allowed}, field=field)
    return parts


def port_of(parts: Url) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def is_trusted(parts: Url) -> bool:
    """Whether the operator has named this host and port as one that may be inside, and spoken to without TLS."""
    return f"{_bare(parts)}:{port_of(parts)}" in settings.MARKETPLACE_WEBHOOK_TRUSTED


def _bare(parts: Url) -> str:
    """The host without the brackets of IPv6 and the dot of the root."""
    return (parts.host or "").strip("[]").rstrip(".").lower()


def addresses_of(parts: Url, *, within: float = LONGEST_LOOKUP, field: str = "url") -> list[str]:
    """The addresses of the host, now, if every one of them is public.

    Raises:
        TargetRefused: one of them is not.
        NoAnswer: the name has none, or nobody says in time.
    """
    host = _bare(parts)
    lookup = _lookups.submit(socket.getaddrinfo, host, port_of(parts), type=socket.SOCK_STREAM)
    try:
        found = lookup.result(timeout=max(within, 0.01))
    except (OSError, UnicodeError, TooLong) as error:
        raise NoAnswer(_("The host %(host)s cannot be found.") % {"host": host}, field=field) from error
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_rest, sockaddr in found))
    if not is_trusted(parts):
        for address in addresses:
            if not is_public(ipaddress.ip_address(address.partition("%")[0])):
                # Not which: it would tell strangers how the names inside are resolved.
                log.info("%s is at %s, where nothing is sent", host, address)
                raise TargetRefused(
                    _("%(host)s has an address that is not on the public Internet.") % {"host": host}, field=field
                )
    return addresses


def post(url: str, body: bytes, headers: Mapping[str, str], *, ports: Collection[int], within: float) -> Answer:
    """POST ``body`` once, and read the beginning of what is answered. Errors as of :func:`ask`."""
    status, answered, beginning = ask("POST", url, body, headers, ports=ports, within=within)
    return Answer(status, answered, beginning.decode("utf-8", "replace").replace("\0", ""))


def ask(
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str],
    *,
    ports: Collection[int],
    within: float,
    most: int = MOST_READ,
) -> tuple[int, Mapping[str, str], bytes]:
    """Ask once: status, headers, and at most ``most`` bytes of the body. Redirects are answers like others.

    Args:
        within: seconds for everything together.

    Raises:
        TargetRefused: not to such an address, or not any more.
        NoAnswer: no whole answer in time.
    """
    until = monotonic() + within
    parts = checked_url(url, ports=ports)
    addresses = addresses_of(parts, within=min(LONGEST_LOOKUP, within))
    failure: NoAnswer | None = None
    for address in addresses:
        left = until - monotonic()
        if left <= 0:
            break
        connection = _Held(parts, address, left)
        try:
            connection.connect()
        except (OSError, HTTPError) as error:
            failure = _no_answer(error, connection)
            connection.close()
            continue
        try:
            return _answer(connection, parts, method, body, headers, most)
        except (OSError, HTTPError, ValueError) as error:
            raise _no_answer(error, connection) from error
        finally:
            connection.close()
    raise failure or NoAnswer(_late())


def _answer(
    connection: "_Held", parts: Url, method: str, body: bytes | None, headers: Mapping[str, str], most: int
) -> tuple[int, Mapping[str, str], bytes]:
    host = parts.netloc or ""
    connection.http.request(
        method, parts.request_uri, body=body, headers={"Host": host, **headers}, preload_content=False
    )
    response = connection.http.getresponse()
    beginning = response.read(most, decode_content=False) or b""
    if connection.is_late:
        raise TimeoutError
    return response.status, response.headers, beginning


def _no_answer(error: Exception, connection: "_Held") -> NoAnswer:
    if connection.is_late or isinstance(error, TimeoutError):
        return NoAnswer(_late())
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return NoAnswer(_("Its certificate is not valid for this name."))
    if isinstance(error, ssl.SSLError) or "SSL" in type(error).__name__:
        return NoAnswer(_("No secure connection could be made."))
    if isinstance(error, ConnectionRefusedError) or "NewConnection" in type(error).__name__:
        return NoAnswer(_("It took no connection."))
    return NoAnswer(_("It broke the connection, or did not answer as HTTP."))


def _late() -> str:
    return _("It did not answer in time.")


class _Held:
    """A connection to one address that ends when its time is up, wherever it stands then.

    A socket's own timeout counts from each byte that comes: who sends one now and then could keep us for ever.
    """

    def __init__(self, parts: Url, address: str, seconds: float) -> None:
        self.is_late = False
        # To ``address``; what is asked for, and what TLS verifies, is the host's name.
        if parts.scheme == "https":
            self.http: _Plain | _Secure = _Secure(
                address, port_of(parts), timeout=seconds, server_hostname=_bare(parts), ssl_context=_tls()
            )
        else:
            self.http = _Plain(address, port_of(parts), timeout=seconds)
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def connect(self) -> None:
        self._timer.start()
        self.http.connect()

    def _end(self) -> None:
        self.is_late = True
        if self.http.handle is not None:
            with suppress(OSError):  # it may have ended by itself meanwhile
                self.http.handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._timer.cancel()
        self.http.close()
        if self.http.handle is not None:
            self.http.handle.close()


class _WithHandle(HTTPConnection):
    """TLS takes the socket over for itself; a second handle lets the connection be ended also while it shakes hands."""

    handle: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        self.handle = made.dup()
        return made


class _Plain(_WithHandle):
    pass


class _Secure(_WithHandle, HTTPSConnection):
    pass


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.MARKETPLACE_WEBHOOK_CA_FILE:
        context.load_verify_locations(settings.MARKETPLACE_WEBHOOK_CA_FILE)
    return context
