from tests.stripe_server.errors import Failure, invalid
from tests.stripe_server.world import PAGE, Call, Thing, World, answers, listed, merged

_DUE = ["business_type", "external_account", "individual.dob.day", "individual.first_name", "tos_acceptance.date"]
_CURRENCIES = {"US": "usd", "GB": "gbp", "JP": "jpy", "CH": "chf", "SE": "sek", "DK": "dkk", "NO": "nok", "PL": "pln"}
_DASHBOARDS = {"none": "custom", "express": "express", "full": "standard"}


@answers(
    "account.create",
    "type country email controller capabilities settings metadata business_type business_profile default_currency",
)
def create(call: Call) -> Thing:
    world, params = call.world, call.params
    country = params.get("country", "DE")
    currency = params.get("default_currency") or _CURRENCIES.get(country, "eur")
    controller = params.get("controller", {})
    if controller and "type" in params:
        raise invalid("You may not provide the `type` parameter and `controller` parameters together.", param="type")
    dashboard = controller.get("stripe_dashboard", {}).get("type", "full")
    kind = params.get("type") or _DASHBOARDS[dashboard]
    if controller.get("losses", {}).get("payments") == "stripe" and dashboard == "express":
        raise invalid("Accounts with the Express Dashboard need controller[losses][payments]=application.")
    account = world.make(
        "account",
        business_profile={
            "annual_revenue": None,
            "estimated_worker_count": None,
            "mcc": None,
            "name": None,
            "product_description": None,
            "support_address": None,
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        }
        | params.get("business_profile", {}),
        business_type=params.get("business_type"),
        capabilities={name: "inactive" for name, wish in params.get("capabilities", {}).items() if wish["requested"]},
        charges_enabled=False,
        controller={
            "fees": {"payer": controller.get("fees", {}).get("payer", "application_express")},
            "is_controller": True,
            "losses": {"payments": controller.get("losses", {}).get("payments", "application")},
            "requirement_collection": controller.get("requirement_collection", "stripe"),
            "stripe_dashboard": {
                "type": dashboard if controller else {"custom": "none", "standard": "full"}.get(kind, kind)
            },
            "type": "application",
        },
        country=country,
        created=world.stamp(),
        default_currency=currency,
        details_submitted=False,
        email=params.get("email"),
        external_accounts=None,
        future_requirements=_requirements(),
        metadata=merged({}, params.get("metadata")),
        payouts_enabled=False,
        requirements=_requirements(due=list(_DUE), disabled="requirements.past_due"),
        settings={
            "bacs_debit_payments": {"display_name": None, "service_user_number": None},
            "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
            "card_payments": {
                "decline_on": {"avs_failure": False, "cvc_failure": False},
                "statement_descriptor_prefix": None,
                "statement_descriptor_prefix_kana": None,
                "statement_descriptor_prefix_kanji": None,
            },
            "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
            "payments": {
                "statement_descriptor": None,
                "statement_descriptor_kana": None,
                "statement_descriptor_kanji": None,
            },
            "payouts": {
                "debit_negative_balances": True,
                "schedule": {"delay_days": 2, "interval": "daily"},
                "statement_descriptor": None,
            },
            "sepa_debit_payments": {},
        },
        tos_acceptance={"date": None, "ip": None, "user_agent": None},
        type=kind if "type" in params else "none",
    )
    account["external_accounts"] = listed([], f"/v1/accounts/{account['id']}/external_accounts")
    _set(account, params)
    world.tell("account.updated", account, account["id"], previous={})
    return account


def _requirements(due: list[str] | None = None, disabled: str | None = None) -> Thing:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due or [],
        "disabled_reason": disabled,
        "errors": [],
        "eventually_due": list(due or []),
        "past_due": list(due or []),
        "pending_verification": [],
    }


def _set(account: Thing, params: Thing) -> None:
    schedule = account["settings"]["payouts"]["schedule"]
    schedule |= params.get("settings", {}).get("payouts", {}).get("schedule", {})
    for name in ("email", "business_type"):
        account[name] = params.get(name, account[name])
    account["metadata"] = merged(account["metadata"], params.get("metadata"))


def onboard(world: World, account: Thing, *, currencies: tuple[str, ...] = ()) -> None:
    """The provider has told Stripe who they are, and to which bank accounts they are paid."""
    place = account["id"]
    for currency in currencies or (account["default_currency"],):
        bank = world.make(
            "bank_account",
            place,
            account=place,
            account_holder_name="A Provider",
            account_holder_type=None,
            account_type=None,
            available_payout_methods=["standard"],
            bank_name="STRIPE TEST BANK",
            country=account["country"],
            currency=currency,
            default_for_currency=True,
            fingerprint=f"ba{currency}",
            future_requirements=_bank_requirements(),
            last4="3000",
            metadata={},
            requirements=_bank_requirements(),
            routing_number=None,
            status="new",
        )
        account["external_accounts"]["data"].append(bank)
        world.tell("account.external_account.created", bank, place)
    account |= {
        "details_submitted": True,
        "charges_enabled": "card_payments" in account["capabilities"],
        "payouts_enabled": True,
        "requirements": _requirements(),
        "capabilities": dict.fromkeys(account["capabilities"], "active"),
        "business_type": account["business_type"] or "individual",
    }
    account["tos_acceptance"]["date"] = world.stamp()
    world.tell("account.updated", account, place, previous={"details_submitted": False, "payouts_enabled": False})


def _bank_requirements() -> Thing:
    return {"currently_due": [], "errors": [], "past_due": [], "pending_verification": []}


def restrict(world: World, account: Thing, *, due: tuple[str, ...], transfers: bool) -> None:
    """Stripe wants to know more, and pays nothing out until then (nor takes ``transfers`` in, if so)."""
    account |= {
        "payouts_enabled": False,
        "charges_enabled": False,
        "requirements": _requirements(due=list(due), disabled="requirements.past_due"),
    }
    if transfers:
        account["capabilities"] = dict.fromkeys(account["capabilities"], "inactive")
    world.tell("account.updated", account, account["id"], previous={"payouts_enabled": True})


def lift(world: World, account: Thing) -> None:
    """What Stripe wanted to know has been told."""
    account |= {
        "payouts_enabled": True,
        "charges_enabled": "card_payments" in account["capabilities"],
        "requirements": _requirements(),
        "capabilities": dict.fromkeys(account["capabilities"], "active"),
    }
    world.tell("account.updated", account, account["id"], previous={"payouts_enabled": False})


@answers("account.retrieve")
def retrieve(call: Call) -> Thing:
    found = call.world.find("account", call.ids[0])
    if found is None:
        raise Failure(
            403,
            "invalid_request_error",
            f"The provided key does not have access to account '{call.ids[0]}' (or that account does not exist).",
            code="account_invalid",
        )
    return found


@answers("account.update", "email settings metadata business_type")
def update(call: Call) -> Thing:
    account = retrieve(call)
    _set(account, call.params)
    call.world.tell("account.updated", account, account["id"], previous={})
    return account


@answers("account.list", PAGE + "created")
def list_(call: Call) -> Thing:
    return call.page(call.world.all("account"), url="/v1/accounts")


@answers("account_link.create", "account type return_url refresh_url collection_options")
def link(call: Call) -> Thing:
    world, params = call.world, call.params
    account = world.get("account", params["account"], param="account")
    for name in ("return_url", "refresh_url"):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    now = world.stamp()
    url = f"https://connect.stripe.com/setup/e/{account['id']}/{world.new_id('link')}"
    return {"object": "account_link", "created": now, "expires_at": now + 300, "url": url}


@answers("account_login_link.create")
def login(call: Call) -> Thing:
    account = retrieve(call)
    if not account["details_submitted"]:
        raise invalid("Cannot create a login link for an account that has not completed onboarding.")
    url = f"https://connect.stripe.com/express/{account['id']}/{call.world.new_id('login')}"
    return {"object": "login_link", "created": call.world.stamp(), "url": url}
