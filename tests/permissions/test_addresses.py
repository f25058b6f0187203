"""Every address of the site × everybody: ``addresses.txt``."""

import pytest
from django.contrib import admin

from tests.permissions.asking import asked_in_turn, unrendered
from tests.permissions.routes import address, routes
from tests.permissions.tables import METHODS, PEOPLE, addresses

#: Pages of models have a table of their own (``admin_pages.txt``).
OF_MODELS = {
    f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
    for model in admin.site._registry
    for page in ("changelist", "add", "change", "delete", "history")
}


def named(route) -> bool:
    """The administration's addresses without a name only lead to others of it."""
    return route.name != "admin:None" and route.name not in OF_MODELS


def test_the_table_names_every_route():
    there = {route.name for route in routes() if named(route)}
    rows = addresses()
    of_table = {row.route for row in rows}
    assert sorted(there - of_table) == [], "routes without a row in the table"
    assert sorted(of_table - there) == [], "rows for routes that do not exist"
    asked = {(row.route, row.method) for row in rows if not row.thing}
    wanted = {(route.name, method) for route in routes() if named(route) for method in METHODS[:2]}
    wanted |= {(route.name, "PART") for route in routes() if named(route) and route.has_parts}
    assert sorted(wanted - asked) == [], "methods without a row in the table"
    assert sorted(asked - wanted) == [], "rows for parts that no page has"
    assert len(asked) == len([row for row in rows if not row.thing]), "two rows for one thing"


@pytest.mark.django_db
def test_everybody_gets_what_the_table_says(world):
    wrong = []
    with unrendered():
        for row in addresses():
            place = address(row.route, world.things, row.thing)
            answers = asked_in_turn([world.people[name] for name in PEOPLE], row.method, place)
            said = f"{row.route} {row.thing} {row.method}".replace("  ", " ")
            wrong += [
                f"{said} as {name}: {met}, should be {row.expected[name]}"
                for name, met in answers.items()
                if row.expected[name] not in (met, "any")
            ]
            if "any" in row.expected.values() and len(set(answers.values())) > 1:
                wrong.append(f"{said}: {answers}, should be one for all")
    assert not wrong, "\n".join(wrong)
