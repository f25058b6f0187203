"""Every main page as everybody who sees it: accessible, within its width, without a complaint of the browser.

Two of the four looks of each are gone through by axe, by turns: light on a phone and dark on a desk, or the other way
round. ``ALL_LOOKS=1 bin/test tests/e2e/test_pages.py`` goes through all four, and ``SCREENSHOTS=1`` leaves a picture of each
in ``var/screenshots``.
"""

import os
from itertools import product

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.conftest import Complaints, Opens, Site
from tests.running import ROOT

SCREENSHOTS = ROOT / "var" / "screenshots"
WIDTHS = (360, 390, 768, 1440, 1920)
SIZES = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1440, "height": 900}}
SCHEMES = ("light", "dark")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}

#: A colour that is on its way from light to dark has any contrast.
SETTLED = "Promise.all(document.getAnimations().map(animation => animation.finished)).then(() => {})"

#: Who looks, at what. Of the world that the seed made: {listing}, {machine}, {measured} (with an agent's past), and a booking by its state.
PAGES = {
    "home": ("", "/"),
    "browse": ("", "/listings/"),
    "browse nothing found": ("", "/listings/?q=nothing&gpu_count=x"),
    "browse not yet verified": ("", "/listings/?verified=any&sort=newest"),
    "browse a window": ("buyer", "/listings/?days=2&within=7"),
    "listing": ("", "/listings/{listing}/"),
    "listing signed in": ("buyer", "/listings/{listing}/"),
    "reliability": ("", "/listings/{measured}/reliability/"),
    "how it works": ("", "/how-it-works/"),
    "sign in": ("", "/accounts/login/"),
    "sign up": ("", "/accounts/signup/"),
    "password reset": ("", "/accounts/password/reset/"),
    "bookings": ("buyer", "/bookings/"),
    "bookings past": ("buyer", "/bookings/?when=past"),
    "bookings none": ("newcomer", "/bookings/"),
    "booking held": ("buyer", "/bookings/{held}/"),
    "booking paid": ("buyer", "/bookings/{paid}/"),
    "booking started": ("buyer", "/bookings/{started}/"),
    "booking running": ("buyer", "/bookings/{running}/"),
    "booking over": ("buyer", "/bookings/{over}/"),
    "booking completed": ("buyer", "/bookings/{completed}/"),
    "booking paid, provider": ("provider", "/bookings/{paid}/"),
    "booking completed, administrator": ("administrator", "/bookings/{completed}/"),
    "booking not as booked": ("buyer", "/bookings/{mismatched}/"),
    "booking not as booked, provider": ("provider", "/bookings/{mismatched}/"),
    "leave": ("buyer", "/bookings/{mismatched}/leave/"),
    "extend": ("buyer", "/bookings/{running}/extend/"),
    "end early": ("buyer", "/bookings/{running}/end/"),
    "booking in stages": ("buyer", "/bookings/{staged}/"),
    "booking extending": ("buyer", "/bookings/{extending}/"),
    "extend, held": ("buyer", "/bookings/{extending}/extend/"),
    "booking erased by its agent": ("buyer", "/bookings/{signed}/"),
    "booking not erased, provider": ("provider", "/bookings/{not_erased}/"),
    "certificate of erasure": ("", "/erasure/{certificate}/"),
    "certificate of erasure lookup": ("", "/erasure/"),
    "pay": ("buyer", "/bookings/{held}/pay/"),
    "cancel": ("buyer", "/bookings/{paid}/cancel/"),
    "pay the extension": ("buyer", "/bookings/{extending}/charges/{extension}/pay/"),
    "pay the stage": ("buyer", "/bookings/{staged}/charges/{later_stage}/pay/"),
    "payments": ("buyer", "/billing/payments/"),
    "payments none": ("newcomer", "/billing/payments/"),
    "payment": ("buyer", "/billing/payments/{payment}/"),
    "payment given back": ("buyer", "/billing/payments/{refunded}/"),
    "payment, administrator": ("administrator", "/billing/payments/{refunded}/"),
    "cards": ("buyer", "/billing/cards/"),
    "cards none": ("newcomer", "/billing/cards/"),
    "invoices": ("buyer", "/billing/invoices/"),
    "invoices none": ("newcomer", "/billing/invoices/"),
    "invoice": ("buyer", "/billing/invoices/{invoice}/"),
    "invoice of a stage": ("buyer", "/billing/invoices/{stage}/"),
    "statements": ("buyer", "/billing/statements/"),
    "statements none": ("newcomer", "/billing/statements/"),
    "statement": ("buyer", "/billing/statements/{month}/"),
    "plan": ("buyer", "/billing/plan/"),
    "profile": ("buyer", "/accounts/profile/"),
    "privacy": ("", "/privacy/"),
    "privacy, one's own": ("buyer", "/accounts/privacy/"),
    "delete one's account": ("newcomer", "/accounts/privacy/delete/"),
    "delete one's account, not yet": ("buyer", "/accounts/privacy/delete/"),
    "billing details": ("provider", "/accounts/billing/"),
    "billing details none": ("newcomer", "/accounts/billing/"),
    "keys": ("buyer", "/accounts/keys/"),
    "tokens": ("buyer", "/accounts/tokens/"),
    "tokens none": ("newcomer", "/accounts/tokens/"),
    "feeds": ("provider", "/feeds/"),
    "keys of a booking": ("buyer", "/bookings/{running}/keys/"),
    "keys none": ("newcomer", "/accounts/keys/"),
    "verification": ("newcomer", "/accounts/verification/"),
    "verification begun": ("begun", "/accounts/verification/"),
    "verification details": ("begun", "/accounts/verification/details/"),
    "verification documents": ("begun", "/accounts/verification/documents/"),
    "verification check": ("begun", "/accounts/verification/check/"),
    "verification sent": ("sent", "/accounts/verification/"),
    "verification, more wanted": ("wanted", "/accounts/verification/"),
    "verification answer": ("wanted", "/accounts/verification/check/"),
    "verification refused": ("refused", "/accounts/verification/"),
    "verification valid": ("provider", "/accounts/verification/"),
    "administration verification": ("administrator", "/admin/accounts/verification/{request}/change/"),
    "addresses": ("buyer", "/accounts/email/"),
    "security": ("buyer", "/accounts/security/"),
    "password": ("buyer", "/accounts/password/change/"),
    "passkeys none": ("buyer", "/accounts/2fa/webauthn/"),
    "sessions": ("buyer", "/accounts/sessions/"),
    "sign up with a passkey": ("", "/accounts/signup/passkey/"),
    "step up": ("buyer", "/accounts/reauthenticate/?next=/"),
    "history of a booking": ("buyer", "/bookings/{completed}/history/"),
    "history of a machine": ("provider", "/machines/{machine}/history/"),
    "history of one's own": ("buyer", "/accounts/history/"),
    "history in the administration": ("administrator", "/admin/bookings/booking/{completed}/history/"),
    "organizations": ("boss", "/organizations/"),
    "organizations none": ("newcomer", "/organizations/"),
    "organization new": ("newcomer", "/organizations/new/"),
    "organization": ("boss", "/organizations/{organization}/"),
    "organization members": ("boss", "/organizations/{organization}/members/"),
    "organization history": ("boss", "/organizations/{organization}/history/"),
    "organization role": ("boss", "/organizations/{organization}/members/{colleague}/role/"),
    "organization remove": ("boss", "/organizations/{organization}/members/{colleague}/remove/"),
    "organization leave": ("boss", "/organizations/{organization}/leave/"),
    "organization transfer": ("boss", "/organizations/{organization}/transfer/"),
    "organization projects": ("boss", "/organizations/{organization}/projects/"),
    "organization project": ("boss", "/organizations/{organization}/projects/{project}/"),
    "organization settings": ("boss", "/organizations/{organization}/settings/"),
    "organization billing": ("boss", "/organizations/{organization}/billing/"),
    "organization bookings": ("boss", "/organizations/{organization}/bookings/"),
    "organization machines": ("boss", "/organizations/{organization}/machines/"),
    "organization spend": ("boss", "/organizations/{organization}/spend/?period=year"),
    "organization spend none": (
        "boss",
        "/organizations/{organization}/spend/?period=own&first=2020-01-01&last=2020-01-31",
    ),
    "organization spend, dates": ("boss", "/organizations/{organization}/spend/?period=own&first=2020-01-01&last=x"),
    "organization invoices": ("boss", "/organizations/{organization}/invoices/"),
    "organization invoice": ("boss", "/billing/invoices/{organization_invoice}/"),
    "organization statements": ("boss", "/organizations/{organization}/statements/"),
    "organization statement": ("boss", "/organizations/{organization}/statements/{month}/"),
    "organization sign-on": ("boss", "/organizations/{organization}/sign-on/"),
    "organization sign-on, SAML": ("boss", "/organizations/{organization}/sign-on/saml/"),
    "organization sign-on, OpenID Connect": ("boss", "/organizations/{organization}/sign-on/oidc/"),
    "single sign-on": ("", "/accounts/sso/"),
    "single sign-on of an organization": ("", "/accounts/sso/fjord/"),
    "invitation": ("", "/organizations/invitations/{invitation}/"),
    "invitation of somebody else": ("buyer", "/organizations/invitations/{invitation}/"),
    "machines": ("provider", "/machines/"),
    "machines none": ("newcomer", "/machines/"),
    "earnings": ("provider", "/machines/earnings/"),
    "earnings none": ("newcomer", "/machines/earnings/"),
    "payout": ("provider", "/billing/payouts/{received_payout}/"),
    "payout failed": ("provider", "/billing/payouts/{failed_payout}/"),
    "payout, administrator": ("administrator", "/billing/payouts/{scheduled_payout}/"),
    "payout accounts": ("provider", "/billing/payout-accounts/"),
    "administration payouts": ("administrator", "/admin/billing/payout/"),
    "administration SEPA file": ("administrator", "/admin/billing/sepafile/add/"),
    "machine": ("provider", "/machines/{machine}/"),
    "machine add": ("provider", "/machines/add/"),
    "machine add cluster": ("provider", "/machines/add/?kind=cluster"),
    "machine agent": ("provider", "/machines/{machine}/agent/"),
    "machine agent enrolled": ("provider", "/machines/{read}/agent/"),
    "machine agent of a cluster": ("provider", "/machines/{half_read}/agent/"),
    "machine read": ("provider", "/machines/{read}/"),
    "machine passport": ("provider", "/machines/{read}/passport/"),
    "machine passport none": ("provider", "/machines/{machine}/passport/"),
    "listing with a passport": ("", "/listings/{read_listing}/"),
    "machine new": ("provider", "/machines/new/?kind=cluster"),
    "machine edit": ("provider", "/machines/{machine}/edit/"),
    "machine health": ("provider", "/machines/{measured_machine}/health/"),
    "machine health, a month": ("provider", "/machines/{measured_machine}/health/?span=month"),
    "machine health none": ("provider", "/machines/{machine}/health/"),
    "notifications": ("provider", "/accounts/notifications/"),
    "notifications none": ("newcomer", "/accounts/notifications/"),
    "what one is told": ("provider", "/accounts/notifications/settings/"),
    "unsubscribe": ("", "{unsubscribe}"),
    "webhooks": ("buyer", "/accounts/notifications/webhooks/"),
    "webhooks none": ("newcomer", "/accounts/notifications/webhooks/"),
    "webhook": ("buyer", "/accounts/notifications/webhooks/{webhook}/"),
    "webhook new": ("provider", "/accounts/notifications/webhooks/new/"),
    "machine maintenance": ("provider", "/machines/{measured_machine}/maintenance/"),
    "machine calendar": ("provider", "/machines/{machine}/calendar/"),
    "benchmark new": ("provider", "/machines/{machine}/benchmarks/new/"),
    "listing edit": ("provider", "/machines/listings/{listing}/edit/"),
    "bookings of machines": ("provider", "/bookings/?of=machines"),
    "access": ("provider", "/bookings/{started}/access/"),
    "wipe": ("provider", "/bookings/{over}/wipe/"),
    "administration": ("administrator", "/admin/"),
    "administration bookings": ("administrator", "/admin/bookings/booking/"),
}


def opened(site: Site, browse: Opens, name: str) -> Page:
    who, path = PAGES[name]
    page = browse(who)
    words = {
        **site.world["bookings"],
        **site.world["documents"],
        "certificate": site.world["certificates"]["signed"],
        "request": site.world["verifications"]["sent"],
        "listing": site.world["listings"]["busy-1"],
        "machine": site.world["machines"]["busy-1"],
        "read": site.world["machines"]["read-1"],
        "half_read": site.world["machines"]["half-read-1"],
        "read_listing": site.world["listings"]["read-1"],
        "measured": site.world["listings"]["measured-1"],
        "measured_machine": site.world["machines"]["measured-1"],
    }
    answer = page.goto(path.format(**words))
    assert answer.status == 200
    assert "/accounts/login/" not in page.url or "login" in path
    return page


def violations(page: Page, options: dict) -> list[str]:
    page.evaluate(SETTLED)
    # Preloading, for a rule that is not asked for, it takes imports for relative to the page, and gets 404.
    found = Axe().run(page, options={**options, "preload": False}).response["violations"]
    return [
        f"{violation['id']} ({violation['impact']}): {violation['help']}: "
        + "; ".join(
            f"{node['target']} {node['html'][:160]} {[check['message'] for check in node['any']]}"
            for node in violation["nodes"][:4]
        )
        for violation in found
    ]


@pytest.mark.parametrize("name", PAGES)
def test_page(site: Site, browse: Opens, complaints: Complaints, name: str):
    page = opened(site, browse, name)
    wrong = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{wide} px wide in a window of {width} px")
    if os.environ.get("SCREENSHOTS"):
        shoot(page, name.replace(", ", " ").replace(" ", "-"))
    complaints.no_more()  # axe writes inline styles
    for size, scheme in looks(name):
        page.set_viewport_size(SIZES[size])
        page.emulate_media(color_scheme=scheme)
        # What is dark differs from what is light in its colours only.
        wrong += [f"{size}, {scheme}: {words}" for words in violations(page, RULES if scheme == "light" else CONTRAST)]
    assert not wrong, "\n".join(wrong)


def looks(name: str) -> list[tuple[str, str]]:
    if os.environ.get("ALL_LOOKS"):
        return list(product(SIZES, SCHEMES))
    turn = list(PAGES).index(name) % 2
    return list(zip(SIZES, SCHEMES[::-1] if turn else SCHEMES, strict=True))


def shoot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            # Hiding the caret is an inline style, which the pages forbid.
            page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{scheme}.png", caret="initial")


@pytest.mark.parametrize(("path", "status"), [("/no-such-page/", 404), ("/listings/0/", 404)])
def test_error_page(browse: Opens, complaints: Complaints, path: str, status: int):
    complaints.allowed.add(status)
    page = browse()
    assert page.goto(path).status == status
    assert page.get_by_role("link", name="Find a server").first.is_visible()
    complaints.no_more()
    assert violations(page, RULES) == []
