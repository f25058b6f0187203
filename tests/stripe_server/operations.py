"""Which requests there are, read out of the services of the ``stripe`` package.

Each method of a service names its HTTP method, its path, the TypedDict of its parameters and the class of what it
answers, so the table cannot differ from what the package itself would send.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.stripe_server.names import evaluated, tree

#: The services whose requests the server answers.
SERVICES = [
    "account",
    "account_link",
    "account_login_link",
    "balance",
    "balance_transaction",
    "charge",
    "customer",
    "customer_payment_method",
    "dispute",
    "event",
    "invoice",
    "invoice_payment",
    "payment_intent",
    "payment_method",
    "payout",
    "price",
    "product",
    "refund",
    "setup_intent",
    "subscription",
    "subscription_item",
    "subscription_schedule",
    "transfer",
    "transfer_reversal",
]

#: Parameters that are sent although the newest types lack them, each with the reason.
ALLOWED_BESIDES: dict[tuple[str, str], tuple[str, ...]] = {
    # The application asks with the version 2026-07-29.dahlia, which still has payment_method_types; the types are
    # those of a later one, where allowed_payment_method_types took its place (docs/decisions/0005-stripe-version.md).
    ("POST", "/v1/payment_intents"): ("payment_method_types",),
    ("POST", "/v1/setup_intents"): ("payment_method_types",),
}


@dataclass(frozen=True)
class Operation:
    """``path`` is Stripe's with names in braces; ``name`` is the service and its method: payment_intent.create."""

    name: str
    method: str
    path: str
    module: str
    params_name: str
    answer_name: str

    @property
    def params(self) -> type:
        return _type(self.params_name, self.module)

    @property
    def answer(self) -> Any:
        return _type(self.answer_name, self.module)

    @property
    def allowed_besides(self) -> tuple[str, ...]:
        return ALLOWED_BESIDES.get((self.method, self.path), ())


@cache
def _type(annotation: str, module: str) -> Any:
    return evaluated(annotation, module)


@cache
def _patterns() -> list[tuple[re.Pattern[str], Operation]]:
    found = [(_pattern(o.path), o) for service in SERVICES for o in _of_service(service)]
    # Fixed words before names: /v1/accounts/{account} must not swallow another path.
    return sorted(found, key=lambda pair: pair[1].path.count("{"))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", r"([^/]+)", path) + r"\Z")


@cache
def _candidates(method: str) -> list[tuple[re.Pattern[str], Operation]]:
    return [(pattern, o) for pattern, o in _patterns() if o.method == method]


def find(method: str, path: str) -> tuple[Operation, tuple[str, ...]] | None:
    """The operation for a request, and the names in its path."""
    for pattern, operation in _candidates(method):
        if match := pattern.match(path):
            return operation, match.groups()
    return None


def _of_service(service: str) -> list[Operation]:
    module = f"stripe._{service}_service"
    cls = next(node for node in tree(module).body if isinstance(node, ast.ClassDef))
    return [
        _operation(service, module, node)
        for node in cls.body
        if isinstance(node, ast.FunctionDef) and any(a.arg == "params" for a in node.args.args)
    ]


def _operation(service: str, module: str, node: ast.FunctionDef) -> Operation:
    call = next(n for n in ast.walk(node) if isinstance(n, ast.Call) and getattr(n.func, "attr", "") == "_request")
    path = call.args[1]
    if isinstance(path, ast.Call):  # "/v1/…/{id}".format(id=…)
        path = path.func.value  # type: ignore[attr-defined]
    params = next(a.annotation for a in node.args.args if a.arg == "params")
    return Operation(
        name=f"{service}.{node.name}",
        method=ast.literal_eval(call.args[0]).upper(),
        path=ast.literal_eval(path),
        module=module,
        params_name=re.sub(r"Optional\[['\"]?(\w+)['\"]?\]", r"\1", ast.unparse(params).strip("'\"")),
        answer_name=str(ast.literal_eval(node.returns)) if node.returns else "",
    )
