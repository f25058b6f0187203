"""What SAML providers sign with, and say about themselves, as administrators paste it."""

import base64
import re
import textwrap
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils.translation import gettext
from lxml import etree
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser
from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

from common.errors import MarketplaceError

LONGEST_METADATA = 200_000
LEAST_RSA = 2048
#: While a provider changes its key it has two; nobody has more for long.
MOST_CERTIFICATES = 5
PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


class WrongProvider(MarketplaceError):
    """What was pasted does not describe a provider at which people can sign in."""


@dataclass(frozen=True)
class Described:
    """A provider, as its metadata describes it."""

    issuer: str
    sign_in_url: str
    certificates: str


def in_pieces(certificates: str) -> list[str]:
    """Each certificate of a stored text, in base64 without its frame."""
    return ["".join(found.split()) for found in PEM.findall(certificates)]


def checked_certificates(typed: str) -> str:
    """Certificates as they are pasted, with or without their frames; as PEM, one after the other.

    Raises:
        WrongProvider: one is none, or its key is weak.
    """
    pieces = in_pieces(typed) or (["".join(typed.split())] if typed.strip() else [])
    if not pieces:
        raise WrongProvider(gettext("Paste the certificate that the provider signs with."), field="certificates")
    if len(pieces) > MOST_CERTIFICATES:
        raise WrongProvider(
            gettext("These are more than %(most)d certificates. Paste those that it signs with now.")
            % {"most": MOST_CERTIFICATES},
            field="certificates",
        )
    return "".join(_checked(piece) for piece in dict.fromkeys(pieces))


def _checked(piece: str) -> str:
    try:
        found = x509.load_der_x509_certificate(base64.b64decode(piece, validate=True))
        key = found.public_key()
    except (ValueError, TypeError) as error:
        raise WrongProvider(
            gettext("This is no certificate. It begins with -----BEGIN CERTIFICATE-----."), field="certificates"
        ) from error
    if (isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA) or isinstance(key, ec.EllipticCurvePublicKey):
        return found.public_bytes(Encoding.PEM).decode("ascii")
    raise WrongProvider(
        gettext("The key of this certificate is too weak. It has to be RSA with at least 2048 bits, or ECDSA."),
        field="certificates",
    )


def read_metadata(typed: str) -> Described:
    """
    Raises:
        WrongProvider: it is not the metadata of one provider, with an address to sign in at and a certificate.
    """
    if len(typed) > LONGEST_METADATA:
        raise WrongProvider(gettext("This is too long for the metadata of one provider."), field="metadata")
    try:
        described = OneLogin_Saml2_XML.query(OneLogin_Saml2_XML.to_etree(typed.strip()), "//md:IDPSSODescriptor")
        found = OneLogin_Saml2_IdPMetadataParser.parse(typed.strip()).get("idp", {})
    except (etree.LxmlError, ValueError) as error:  # what refuses entities and DTDs is a ValueError
        raise WrongProvider(
            gettext("This is no metadata. It is XML, and begins with an EntityDescriptor."), field="metadata"
        ) from error
    if len(described) != 1:
        raise WrongProvider(
            gettext("This does not describe one provider. Paste the metadata of yours alone."), field="metadata"
        )
    certificates = found.get("x509certMulti", {}).get("signing") or [found.get("x509cert", "")]
    address = found.get("singleSignOnService", {}).get("url", "")
    if not found.get("entityId") or not address or not all(certificates):
        raise WrongProvider(
            gettext("The metadata lacks an entity ID, a sign-in address for HTTP-Redirect, or a certificate."),
            field="metadata",
        )
    frames = (
        f"-----BEGIN CERTIFICATE-----\n{textwrap.fill(piece, 64)}\n-----END CERTIFICATE-----" for piece in certificates
    )
    return Described(str(found["entityId"]), str(address), checked_certificates("\n".join(frames)))
