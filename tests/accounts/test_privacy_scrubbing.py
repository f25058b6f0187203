"""What a deletion leaves as it is in texts of others: whatever can mean somebody or something else."""

import json

import pytest
from allauth.account.models import EmailAddress

from accounts import outbox
from accounts.models import Invitation, OutgoingMail, SSHKey, User, WebhookDelivery, WebhookEndpoint
from accounts.scrubbing import INSTEAD
from accounts.services import deletions
from accounts.services.notifications import notify
from machines.models import Machine
from tests.organizations import make_organization, make_project
from tests.people import DAY, make_billing_details, make_machine, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(db) -> User:
    return make_user("meier@uni.example", name="Anna Meier")


def after(person, *texts, to, now):
    """The texts, as somebody else reads them once the person has been deleted."""
    for number, text in enumerate(texts):
        notify(user=to, key=f"told-{number}", title="Something happened", text=text, now=now)
    deletions.erase(person, now=now)
    told = dict(to.notifications.filter(key__startswith="told-").values_list("key", "text"))
    return [told[f"told-{number}"] for number in range(len(texts))]


def test_a_longer_address_or_a_double_name_is_somebody_elses(anna, buyer, now):
    others = (
        "Write to anna.meier@uni.example, x-meier@uni.example, a+meier@uni.example or meier@uni.example.org",
        "Anna Meier-Schulz has joined, and so has Hanna Meier, and Lea-Anna Meier",
    )
    theirs = "Anna Meier (meier@uni.example), <meier@uni.example>. Anna Meier: meier@uni.example."
    assert after(anna, *others, theirs, to=buyer, now=now) == [
        *others,
        f"{INSTEAD} ({INSTEAD}), <{INSTEAD}>. {INSTEAD}: {INSTEAD}.",
    ]


def test_a_name_that_is_part_of_somebody_elses_stays(anna, buyer, now):
    make_user("other@uni.example", name="Anna Meier Vogt")
    text = "Anna Meier Vogt has joined"
    assert after(anna, text, to=buyer, now=now) == [text]


def test_what_was_typed_and_never_confirmed_is_nobodys(anna, buyer, other_buyer, now):
    make_billing_details(anna, invoice_email="ops@provider.example")
    EmailAddress.objects.create(user=anna, email="desk@provider.example", verified=False)
    invitation = Invitation.objects.create(
        organization=make_organization(buyer), email="desk@provider.example", token_hash="0" * 64, invited_by=buyer,
        expires_at=now + DAY,
    )  # fmt: skip
    for person in (anna, other_buyer):
        SSHKey.objects.create(
            user=person, name="k", public_key="ssh-ed25519 AAAA", key_type="ssh-ed25519", fingerprint="SHA256:both"
        )
    other_buyer.ssh_keys.all().delete()
    text = "Write to ops@provider.example or desk@provider.example. SHA256:both was let in"
    assert after(anna, text, to=buyer, now=now) == [text]
    invitation.refresh_from_db()
    assert (invitation.email, invitation.revoked_at) == ("desk@provider.example", None)


@pytest.mark.parametrize("name", ["a href", 'organization": null', "a class"])
def test_a_name_like_markup_leaves_it_whole(name, anna, buyer, now):
    User.objects.filter(pk=anna.pk).update(name=name)
    anna.refresh_from_db()
    endpoint = WebhookEndpoint.objects.create(user=buyer, name="w", url="https://example.org/", events=[])
    body = json.dumps({"organization": None, "text": f"By {name}\nmeier@uni.example"})
    sent = WebhookDelivery.objects.create(endpoint=endpoint, key="k", event="e", title="t", body=body)
    outbox.write_mail(
        user=buyer, key="k", subject="Hello", paragraphs=["meier@uni.example"], action=("See", "/?of=meier@uni.example")
    )
    before = OutgoingMail.objects.get(key="k").html
    deletions.erase(anna, now=now)
    sent.refresh_from_db()
    said = json.loads(sent.body)
    assert said["organization"] is None
    assert said["text"].endswith(f"\n{INSTEAD}")
    assert OutgoingMail.objects.get(key="k").html == before.replace("meier@uni.example", INSTEAD)


@pytest.mark.parametrize("name", ["Blue Whale", "Tesla Volta", "Protein folding", "Institute of Mills"])
def test_a_name_of_a_thing_stays(name, anna, buyer, provider, now):
    User.objects.filter(pk=anna.pk).update(name=name)
    anna.refresh_from_db()
    make_machine(provider, "Blue Whale 2", gpu_model="NVIDIA Tesla Volta")
    make_project(make_organization(buyer, "Institute of Mills"), "Protein folding")
    text = f"{name} is free again"
    assert after(anna, text, to=buyer, now=now) == [text]


def test_a_machine_of_ones_own_does_not_keep_ones_name(anna, buyer, now):
    machine = make_machine(anna, "Box of Anna Meier")
    assert after(anna, "Anna Meier has a machine", to=buyer, now=now) == [f"{INSTEAD} has a machine"]
    assert "Anna" not in Machine.objects.get(pk=machine.pk).name
