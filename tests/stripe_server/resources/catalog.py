from decimal import Decimal

from tests.stripe_server.errors import invalid
from tests.stripe_server.world import PAGE, Call, Thing, answers, merged


@answers("product.create", "id name description metadata active")
def create_product(call: Call) -> Thing:
    now = call.world.stamp()
    wanted = call.params.get("id", "")
    if wanted and call.world.find("product", wanted):
        raise invalid(f"Product already exists: {wanted}", code="resource_already_exists")
    product = call.world.make(
        "product",
        id=wanted,
        active=call.params.get("active", True),
        created=now,
        default_price=None,
        description=call.params.get("description"),
        images=[],
        livemode=False,
        marketing_features=[],
        metadata=merged({}, call.params.get("metadata")),
        name=call.params["name"],
        package_dimensions=None,
        shippable=None,
        statement_descriptor=None,
        tax_code=None,
        type="service",
        unit_label=None,
        updated=now,
        url=None,
    )
    call.world.tell("product.created", product)
    return product


@answers("product.retrieve")
def retrieve_product(call: Call) -> Thing:
    return call.get("product")


@answers("product.list", PAGE + "created active")
def list_products(call: Call) -> Thing:
    return call.page(call.world.all("product"), equal="active", url="/v1/products")


@answers(
    "price.create",
    "active currency product product_data recurring unit_amount metadata nickname lookup_key tax_behavior",
)
def create_price(call: Call) -> Thing:
    world, params = call.world, call.params
    if "product" in params:
        product = world.get("product", params["product"], param="product")["id"]
    else:
        data = params.get("product_data", {})
        product = create_product(Call(world, (), {"name": data.get("name", "")}, ""))["id"]
    if "unit_amount" not in params:
        raise invalid("Missing required param: unit_amount.", code="parameter_missing", param="unit_amount")
    recurring = params.get("recurring")
    price = world.make(
        "price",
        active=params.get("active", True),
        billing_scheme="per_unit",
        created=world.stamp(),
        currency=params["currency"],
        custom_unit_amount=None,
        livemode=False,
        lookup_key=params.get("lookup_key"),
        metadata=merged({}, params.get("metadata")),
        nickname=params.get("nickname"),
        product=product,
        recurring=None
        if recurring is None
        else {
            "interval": recurring["interval"],
            "interval_count": recurring.get("interval_count", 1),
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        },
        tax_behavior=params.get("tax_behavior", "unspecified"),
        tiers_mode=None,
        transform_quantity=None,
        type="one_time" if recurring is None else "recurring",
        unit_amount=params["unit_amount"],
        unit_amount_decimal=str(Decimal(params["unit_amount"])),
    )
    world.tell("price.created", price)
    return price


@answers("price.retrieve")
def retrieve_price(call: Call) -> Thing:
    return call.get("price")


@answers("price.update", "active metadata nickname lookup_key")
def update_price(call: Call) -> Thing:
    price = call.get("price")
    for name in ("active", "nickname", "lookup_key"):
        price[name] = call.params.get(name, price[name])
    price["metadata"] = merged(price["metadata"], call.params.get("metadata"))
    call.world.tell("price.updated", price, previous={})
    return price


@answers("price.list", PAGE + "created active currency product type lookup_keys")
def list_prices(call: Call) -> Thing:
    things = call.world.all("price")
    if "lookup_keys" in call.params:
        things = [thing for thing in things if thing["lookup_key"] in call.params["lookup_keys"]]
    return call.page(things, equal="active currency product type", url="/v1/prices")


def plan_of(price: Thing) -> Thing:
    """A price as the older object that subscriptions still carry."""
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
        "livemode": False,
        "metadata": dict(price["metadata"]),
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }
