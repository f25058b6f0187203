"""The server over HTTP, for a running site: ``python -m tests.stripe_server --port 8400``.

``POST /_happen/<method>`` with JSON arguments does what happens on Stripe's side, e.g.
``/_happen/fill_card_form`` with ``{"setup_intent": "seti_…", "number": "4242424242424242"}``; the methods are those
of :class:`tests.stripe_server.happenings.Happenings`. ``GET /_violations`` lists what the package's types refused.
"""

import argparse
import http.server
import json
import queue
import threading
from datetime import datetime
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.stripe_server.happenings import Happenings
from tests.stripe_server.server import Answer, StripeServer
from tests.stripe_server.world import Event


def serving(server: StripeServer, port: int = 0) -> http.server.ThreadingHTTPServer:
    """An HTTP server for it on 127.0.0.1, not started yet. ``port`` 0 takes a free one."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith("/_"):
                status, headers, content = _happening(server, self.path, body)
            else:
                status, headers, content = server.handle(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def do_DELETE(self) -> None:
            self._do()

        def log_message(self, *_: Any) -> None:
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)


def _happening(server: StripeServer, path: str, body: bytes) -> Answer:
    name = path.removeprefix("/_happen/")
    if path == "/_violations":
        result: Any = server.violations
    elif name in vars(Happenings) and not name.startswith("_"):
        arguments = json.loads(body or b"{}")
        if "to" in arguments:
            arguments["to"] = datetime.fromisoformat(arguments["to"])
        try:
            result = getattr(server, name)(**arguments)
        except Exception as error:
            return 400, {"Content-Type": "application/json"}, json.dumps({"error": str(error)}).encode()
    else:
        return 404, {"Content-Type": "application/json"}, b"{}"
    return 200, {"Content-Type": "application/json"}, json.dumps(result).encode()


def tell(told: "queue.Queue[Event]", url: str, secret: str, connect_secret: str) -> None:
    """Send every event on, in order, each once; ``connect_secret`` signs those of connected accounts."""
    while True:
        event = told.get()
        body, signature = event.signed(connect_secret if event.account and connect_secret else secret)
        request = Request(url, body, {"Content-Type": "application/json", "Stripe-Signature": signature})
        try:
            with urlopen(request, timeout=30) as answer:
                print(event.type, answer.status, flush=True)
        except URLError as error:
            print(event.type, error, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stripe_server", description=__doc__)
    parser.add_argument("--port", type=int, default=8400)
    parser.add_argument("--tell", help="where the webhooks go")
    parser.add_argument("--secret", default="whsec_test", help="what signs them")
    parser.add_argument("--connect-secret", default="", help="what signs those of connected accounts, if another")
    options = parser.parse_args()
    server = StripeServer()
    if options.tell:
        told: queue.Queue[Event] = queue.Queue()
        server.listeners.append(told.put)
        sender = threading.Thread(
            target=tell, args=(told, options.tell, options.secret, options.connect_secret), daemon=True
        )
        sender.start()
    web = serving(server, options.port)
    print(f"http://127.0.0.1:{web.server_address[1]}", flush=True)
    try:
        web.serve_forever()
    except KeyboardInterrupt:
        web.server_close()


if __name__ == "__main__":
    main()
