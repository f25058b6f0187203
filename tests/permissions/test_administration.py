"""The administration: its pages of models (``admin_pages.txt``), and what can be done there (``admin_actions.txt``).

The platform administrator asks as everybody asks anything here. The eleven others knock at each page's own view, which
is what turns them away: the middleware before it only ever refuses.
"""

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.contrib.messages import get_messages
from django.test import RequestFactory
from django.urls import reverse

from accounts.models import Role
from common.administration import MadeHere
from tests.admin.test_admin_pages import one_more_of_each
from tests.people import make_user
from tests.permissions.asking import TRACES, Person, undone, unrendered, word_of
from tests.permissions.routes import routes
from tests.permissions.tables import PEOPLE, lines

OUTSIDERS = [name for name in PEOPLE if name != "administrator"]
PAGES = (
    ("changelist", "GET"),
    ("add", "GET"),
    ("change", "GET"),
    ("change", "POST"),
    ("delete", "GET"),
    ("history", "GET"),
)
NOT_OFFERED = "No action selected."

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows(world):
    """One of each model that the administration shows."""
    one_more_of_each(world.things["listing"], 1)
    Group.objects.create(name="Nobody")
    return {model: model._default_manager.first() for model in admin.site._registry}


def place(model, page, row=None) -> str:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
    return reverse(name, args=[row.pk] if page in ("change", "delete", "history") else [])


def label(model) -> str:
    return model._meta.label_lower


def models() -> list:
    return sorted(admin.site._registry, key=label)


def staff(name: str, *permissions: Permission) -> Person:
    """Works here, and is no platform administrator."""
    user = make_user(f"{name}@example.com", Role.BUYER, is_staff=True)
    user.user_permissions.set(permissions)
    return Person(name, user)


def test_the_platform_administrator_gets_what_the_table_says(world, rows):
    met = []
    with unrendered():
        for model in models():
            answers = [world.people["administrator"].ask(how, place(model, page, rows[model])) for page, how in PAGES]
            met.append([label(model), *(answer.word for answer in answers)])
    assert met == list(lines("admin_pages.txt"))


def test_nobody_else_gets_in(world):
    """Not one of the eleven, at not one address, whatever the method: the list of every model, and all of its pages."""
    wrong = []
    here = {reverse("admin:login"), reverse("admin:logout")}
    for route in routes():
        if not route.name.startswith("admin:") or f"/{route.pattern}" in here:
            continue
        for name in OUTSIDERS:
            for method in ("GET", "POST"):
                word = knock(route, world.people[name], method)
                if word != "admin":
                    wrong.append(f"{route.name} {route.pattern} {method} as {name}: {word}")
    assert not wrong, "\n".join(wrong)


def knock(route, person, method: str) -> str:
    request = RequestFactory().generic(method, "/admin/")
    request.user, request.session = person.user or AnonymousUser(), {}
    request._dont_enforce_csrf_checks = True
    return word_of(route.view(request))


def test_staff_without_permissions_see_nothing(rows):
    nobody = staff("nobody")
    with unrendered():
        for model in models():
            words = {nobody.ask(how, place(model, page, rows[model])).word for page, how in PAGES}
            assert words == {"403"}, model


# What can be done there -------------------------------------------------------------------------------------


def test_every_action_is_for_whom_the_table_says(world, rows):
    administrator = world.people["administrator"]
    looks = staff("looks", *Permission.objects.filter(codename__startswith="view_"))
    nobody = staff("nobody")
    met, wrong = [], []
    with unrendered():
        for model in models():
            for action in offered(model, administrator):
                asked = {
                    name: ask_for(person, model, action, rows[model])
                    for name, person in (("administrator", administrator), ("looks", looks), ("nobody", nobody))
                }
                met.append([label(model), action, *(word for word, _ in asked.values())])
                wrong += [
                    f"{label(model)} {action} as {name}: wrote to {', '.join(sorted(wrote))}"
                    for name, (word, wrote) in asked.items()
                    if wrote and word != "done"
                ]
    assert met == list(lines("admin_actions.txt"))
    assert not wrong, "\n".join(wrong)


def offered(model, person) -> list[str]:
    request = RequestFactory().get("/admin/")
    request.user = person.user
    return list(admin.site._registry[model].get_actions(request))


def ask_for(person, model, action: str, row) -> tuple[str, set[str]]:
    """``reason``: it asks for a reason first. ``sure``: it asks whether one is. ``none``: there is no such action."""
    person.begin()
    with undone() as wrote:
        response = person.client.post(place(model, "changelist"), {"action": action, ACTION_CHECKBOX_NAME: row.pk})
        said = [str(message) for message in get_messages(response.wsgi_request)] if response.status_code == 302 else []
    template = str(getattr(response, "template_name", ""))
    if response.status_code == 302:
        word = "none" if NOT_OFFERED in said else "done"
    elif "decide.html" in template:
        word = "reason"
    elif "delete_selected" in template:
        word = "sure"
    else:
        word = "none" if "change_list" in template else str(response.status_code)
    return word, wrote - TRACES


def test_state_history_and_money_are_not_typed_by_administrators():
    """What asks for less than a row is a form of a service's: :class:`common.administration.MadeHere`."""
    added = {row[0] for row in lines("admin_pages.txt") if row[2] == "200"}
    made = {label(model) for model, page in admin.site._registry.items() if isinstance(page, MadeHere)}
    assert made == {"billing.refund", "billing.sepafile", "billing.payouthold"}
    assert added - made == {"accounts.user", "auth.group", "machines.gpumodel"}
