from tests.stripe_server.resources import payment_methods
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, merged

_PLAIN = ("address", "description", "email", "name", "phone", "preferred_locales", "shipping", "tax_exempt")
_HEEDED = " ".join(_PLAIN) + " metadata invoice_settings "


def get(world: World, wanted: str, account: str = "", *, param: str | None = None) -> Thing:
    """A customer that is still there.

    Raises:
        Failure: there is none, or it was deleted.
    """
    found = world.get("customer", wanted, account, param=param)
    if found.get("deleted"):
        world.get("customer", wanted + " ", account, param=param)
    return found


@answers("customer.create", _HEEDED + "payment_method")
def create(call: Call) -> Thing:
    customer = call.world.make(
        "customer",
        call.account,
        address=None,
        balance=0,
        created=call.world.stamp(),
        currency=None,
        default_source=None,
        delinquent=False,
        description=None,
        discount=None,
        email=None,
        invoice_prefix=f"{len(call.world.all('customer', call.account)) + 1:08X}",
        invoice_settings={
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        livemode=False,
        metadata={},
        name=None,
        next_invoice_sequence=1,
        phone=None,
        preferred_locales=[],
        shipping=None,
        tax_exempt="none",
        test_clock=None,
    )
    _change(call, customer)
    if method := call.params.get("payment_method"):
        payment_methods.attach_to(call.world, method, customer["id"], call.account)
    call.world.tell("customer.created", customer, call.account)
    return customer


@answers("customer.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("customer")


@answers("customer.update", _HEEDED)
def update(call: Call) -> Thing:
    customer = get(call.world, call.ids[0], call.account)
    _change(call, customer)
    call.world.tell("customer.updated", customer, call.account, previous={})
    return customer


@answers("customer.list", PAGE + "created email")
def list_(call: Call) -> Thing:
    things = [thing for thing in call.world.all("customer", call.account) if not thing.get("deleted")]
    return call.page(things, equal="email", url="/v1/customers")


@answers("customer.delete")
def delete(call: Call) -> Thing:
    customer = get(call.world, call.ids[0], call.account)
    call.world.tell("customer.deleted", customer, call.account)
    for method in call.world.all("payment_method", call.account, customer=customer["id"]):
        method["customer"] = None
    number = customer["_number"]
    customer.clear()
    customer.update(id=call.ids[0], object="customer", deleted=True, _number=number)
    return customer


@answers("customer_payment_method.list", PAGE + "type")
def list_methods(call: Call) -> Thing:
    customer = get(call.world, call.ids[0], call.account)
    things = call.world.all("payment_method", call.account, customer=customer["id"])
    return call.page(things, equal="type", url=f"/v1/customers/{customer['id']}/payment_methods")


@answers("customer_payment_method.retrieve")
def retrieve_method(call: Call) -> Thing:
    get(call.world, call.ids[0], call.account)
    return call.world.get("payment_method", call.ids[1], call.account)


def _change(call: Call, customer: Thing) -> None:
    for name in _PLAIN:
        if name in call.params:
            customer[name] = call.params[name] or None
    if address := customer["address"]:
        customer["address"] = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")) | address
    customer["metadata"] = merged(customer["metadata"], call.params.get("metadata"))
    settings = call.params.get("invoice_settings", {})
    if method := settings.get("default_payment_method"):
        found = call.world.get("payment_method", method, call.account, param="invoice_settings[default_payment_method]")
        payment_methods.require_owner(found, customer["id"])
    customer["invoice_settings"] |= {name: value or None for name, value in settings.items()}
