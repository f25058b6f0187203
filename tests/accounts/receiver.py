"""Another side for webhooks: a real HTTP or HTTPS server on loopback that remembers what it was sent, and a network.

:func:`played_network` stands for the Internet: it answers names with the addresses that a test gives them, one answer after
another, and brings connections to public addresses to the server on loopback. What is looked at, connected to and verified
stays ours and OpenSSL's.
"""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PUBLIC = "93.184.215.14"


@dataclass
class Said:
    """One answer. ``drips``: it comes byte for byte and never ends, until the server does."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    drips: bool = False


@dataclass
class Got:
    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """``answers`` are given in turn, the last for ever; ``got`` is what came."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[Said] = [Said()]
        self.got: list[Got] = []
        self.ends = threading.Event()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def place(self) -> str:
        """As the setting names a host that is trusted."""
        return f"127.0.0.1:{self.port}"

    def next_answer(self) -> Said:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def receiving(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.got.append(Got(self.path, dict(self.headers.items()), body))
            said = receiver.next_answer()
            if said.drips:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not receiver.ends.wait(0.02):
                    self.wfile.write(b"x")
                return
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Connections that the other side ends are what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ends.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def certificate_for(name: str, folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that vouches for itself: the file to believe, and the server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    ca, both = folder / f"{name}.pem", folder / f"{name}-key.pem"
    public = certificate.public_bytes(serialization.Encoding.PEM)
    ca.write_bytes(public)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(public + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return ca, context


class Network:
    """``names``: for each name its answers in turn, the last for ever. ``connected``: the addresses that were connected to."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.names: dict[str, list[list[str]]] = {}
        self.connected: list[tuple[str, int]] = []
        self.lookups: list[str] = []


@contextmanager
def played_network(monkeypatch: Any, port: int) -> Iterator[Network]:
    network = Network(port)
    really_look, really_connect = socket.getaddrinfo, socket.create_connection

    def look(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in network.names:
            return really_look(host, port, *args, **kwargs)
        network.lookups.append(host)
        answers = network.names[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]

    def connect(address: tuple[str, int], timeout: Any = None, **_: Any) -> socket.socket:
        network.connected.append(address)
        is_elsewhere = ipaddress.ip_address(address[0]).is_global
        return really_connect(("127.0.0.1", network.port) if is_elsewhere else address, timeout)

    monkeypatch.setattr(socket, "getaddrinfo", look)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    yield network
    monkeypatch.undo()
