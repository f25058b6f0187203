"""A passkey in software: it does what a device does, so that no browser is needed."""

import hashlib
import json
import secrets

from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.webauthn.internal.auth import WebAuthn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from fido2.cose import ES256
from fido2.webauthn import (
    Aaguid,
    AttestationObject,
    AttestedCredentialData,
    AuthenticationResponse,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    CollectedClientData,
    RegistrationResponse,
)

from accounts.models import User

#: Where Django's test client is.
HOST = "testserver"
FLAG = AuthenticatorData.FLAG
SEEN = FLAG.USER_PRESENT | FLAG.USER_VERIFIED


class Passkey:
    """One that the account knows already, and that signs in without a password."""

    def __init__(self, user: User) -> None:
        self.user, self.key, self.id = user, ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16)
        public = ES256.from_cryptography_key(self.key.public_key())
        data = self._data(SEEN | FLAG.ATTESTED, AttestedCredentialData.create(Aaguid(bytes(16)), self.id, public))
        registered = RegistrationResponse(
            raw_id=self.id,
            response=AuthenticatorAttestationResponse(
                client_data=self._client_data("webauthn.create", b"registered before"),
                attestation_object=AttestationObject.create("none", data, {}),
            ),
        )
        WebAuthn.add(user, "Passkey", dict(registered) | {"clientExtensionResults": {"credProps": {"rk": True}}})

    def sign_in(self, client: Client) -> HttpResponse:
        """As the page's script does: fetch a challenge, and post it signed."""
        page = reverse("mfa_login_webauthn")
        asked = client.get(page, headers={"X-Requested-With": "XMLHttpRequest"}).json()["request_options"]["publicKey"]
        said, data = self._client_data("webauthn.get", asked["challenge"]), self._data(SEEN)
        answer = AuthenticationResponse(
            raw_id=self.id,
            response=AuthenticatorAssertionResponse(
                client_data=said,
                authenticator_data=data,
                signature=self.key.sign(data + said.hash, ec.ECDSA(SHA256())),
                user_handle=user_pk_to_url_str(self.user).encode(),
            ),
        )
        return client.post(page, {"credential": json.dumps(dict(answer))})

    def _data(self, flags: FLAG, credential: bytes = b"") -> AuthenticatorData:
        return AuthenticatorData.create(hashlib.sha256(HOST.encode()).digest(), flags, 0, credential)

    def _client_data(self, kind: str, challenge: str | bytes) -> CollectedClientData:
        return CollectedClientData.create(kind, challenge, f"https://{HOST}")
