"""Every route of the site, and of which things its address speaks."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import URLPattern, get_resolver, reverse

from tests.permissions.world import Things

#: The things in the address of a route, in their order.
SPEAKS_OF: dict[str, tuple[str, ...]] = {
    "organization_budget_end": ("institute", "budget"),
    "organization_approval": ("institute", "waiting"),
    "organization_key_delete": ("institute", "shared_key"),
    "organization_statement_detail": ("institute", "month"),
    "organization_statement_pdf": ("institute", "month"),
    "organization_statement_csv": ("institute", "month"),
    "organization_token_revoke": ("institute", "team_token"),
    "sign_on_require": ("institute",),
    "sign_on_remove": ("institute",),
    "sign_on_domain_add": ("institute",),
    "sign_on_domain_remove": ("institute", "domain"),
    "sign_on_edit": ("institute", "protocol"),
    "sso_entrance": ("slug",),
    "sso_go": ("slug",),
    "sso_callback": ("institute",),
    "sso_acs": ("institute",),
    "sso_finish": ("institute",),
    "sso_metadata": ("institute",),
    "invitation": ("letter_secret",),
    "invitation_accept": ("letter",),
    "invitation_resend": ("institute", "letter"),
    "invitation_revoke": ("institute", "letter"),
    "member_role": ("institute", "colleague"),
    "member_remove": ("institute", "colleague"),
    "project_create": ("institute",),
    "project_edit": ("institute", "project"),
    "project_archive": ("institute", "project"),
    "project_restore": ("institute", "project"),
    "cost_centre_create": ("institute",),
    "cost_centre_archive": ("institute", "centre"),
    "cost_centre_restore": ("institute", "centre"),
    "notification_read": ("told",),
    "notification_keep": ("told",),
    "unsubscribe": ("unsubscribing",),
    "webhook_redeliver": ("hook", "delivery"),
    "verification_document": ("document",),
    "verification_document_remove": ("draft_document",),
    "verification_file": ("link",),
    "ssh_key_delete": ("key",),
    "token_detail": ("token",),
    "token_revoke": ("token",),
    "export_file": ("export",),
    "session_end": ("session",),
    "mfa_edit_webauthn": ("passkey",),
    "mfa_remove_webauthn": ("passkey",),
    "account_reset_password_from_key": ("zero", "no_key"),
    "feed_bookings": ("feed",),
    "feed_machines": ("machine_feed",),
    "agent_revoke": ("machine", "agent"),
    "agent_work_ack": ("work",),
    "agent_work_report": ("work",),
    "maintenance_cancel": ("machine", "upkeep"),
    "benchmark_create": ("machine",),
    "listing_create": ("machine",),
    "booking_wipe": ("over",),
    "wipe_evidence": ("erased", "wipe"),
    "booking_certificate": ("signed",),
    "evidence_logs": ("signed", "evidence"),
    "erasure_check": ("certificate",),
    "erasure_file": ("certificate", "evidence_file"),
    "booking_pay": ("held",),
    "booking_pay_authenticated": ("held",),
    "booking_pay_abandon": ("held",),
    "charge_pay": ("staged", "stage"),
    "charge_pay_card": ("staged", "first"),
    "charge_pay_authenticated": ("staged", "stage"),
    "charge_pay_abandon": ("staged", "stage"),
    "card_default": ("card",),
    "card_remove": ("card",),
    "payment_detail": ("payment",),
    "payment_history": ("payment",),
    "payout_detail": ("payout",),
    "payout_account_remove": ("account",),
    "plan_change": ("tier",),
    "statement_detail": ("month",),
    "statement_pdf": ("month",),
    "statement_csv": ("month",),
    "admin:app_list": ("app",),
    "admin:view_on_site": ("kind", "nothing"),
    "admin:auth_user_password_change": ("member",),
    "admin:billing_sepafile_download": ("nothing",),
}
#: Where the beginning of a name says it.
USUALLY = {
    "organization_": ("institute",),
    "webhook_": ("hook",),
    "booking_": ("paid",),
    "invoice_": ("invoice",),
    "machine_": ("machine",),
    "listing_": ("listing",),
}
#: "… of organization" in the table: the same of another thing.
OF = {
    "organization": {
        "booking_": ("booked",),
        "invoice_": ("team_invoice",),
        "webhook_redeliver": ("team_hook", "team_delivery"),
        "webhook_": ("team_hook",),
        "feed_": ("team_feed",),
    },
}


@dataclass(frozen=True)
class Route:
    name: str
    pattern: str
    view: Any

    @property
    def ids(self) -> int:
        """How many things its address names by what could be somebody else's id."""
        return self.pattern.count("<uuid:") + self.pattern.count("<int:")

    @property
    def has_parts(self) -> bool:
        """Whether it answers htmx with a part of the page."""
        return ".htmx" in inspect.getsource(inspect.unwrap(self.view))


def routes(patterns: Any = None, namespace: str = "", before: str = "") -> Iterator[Route]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        whole = f"{before}{pattern.pattern}"
        if isinstance(pattern, URLPattern):
            yield Route(f"{namespace}{pattern.name}", whole, pattern.callback)
        else:
            inner = f"{pattern.namespace}:" if pattern.namespace else namespace
            yield from routes(pattern.url_patterns, inner, whole)


def address(name: str, things: Things, thing: str = "") -> str:
    return reverse(name, args=[id_of(things[one]) for one in _speaks_of(name, thing)])


def _speaks_of(name: str, thing: str) -> tuple[str, ...]:
    if thing:
        return next(names for beginning, names in OF[thing].items() if name.startswith(beginning))
    if name in SPEAKS_OF:
        return SPEAKS_OF[name]
    if not _by_name()[name].ids:
        return ()
    return next(names for beginning, names in USUALLY.items() if name.startswith(beginning))


@cache
def _by_name() -> dict[str, Route]:
    return {route.name: route for route in routes()}


def id_of(thing: Any) -> Any:
    return getattr(thing, "pk", thing)
