"""Signatures: OpenSSH's own ``ssh-keygen`` is the judge, in both directions."""

import base64
import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key
from hypothesis import given
from hypothesis import strategies as st

from common import sshsig
from common.sshsig import BadSignature

DATA = '{"machine":"gpu-1","name":"größe 机"}'.encode()
SPACE = "rsm-report"


@pytest.fixture(scope="module", autouse=True)
def ssh_keygen() -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("key") / "key", "ed25519")


@pytest.fixture(scope="module")
def public(key_file: Path) -> str:
    return key_file.with_suffix(".pub").read_text()


@pytest.fixture(scope="module")
def signature(key_file: Path) -> str:
    return keygen_signs(key_file, DATA)


def make_key(file: Path, kind: str, *more: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *more, "-N", "", "-C", "a comment", "-f", file], check=True)
    return file


def keygen_signs(key: Path, data: bytes, namespace: str = SPACE, *options: str) -> str:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", namespace, *options]
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout.decode()


def keygen_verifies(folder: Path, signers: str, principal: str, namespace: str, data: bytes, signature: str) -> bool:
    (folder / "allowed_signers").write_text(signers)
    (folder / "data.sig").write_text(signature)
    command = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        "allowed_signers",
        "-I",
        principal,
        "-n",
        namespace,
        "-s",
        "data.sig",
    ]
    return subprocess.run(command, cwd=folder, input=data, check=False, capture_output=True).returncode == 0


def rewritten(signature: str, change) -> str:
    raw = change(base64.b64decode("".join(signature.splitlines()[1:-1])))
    return f"-----BEGIN SSH SIGNATURE-----\n{base64.b64encode(raw).decode()}\n-----END SSH SIGNATURE-----\n"


# Both directions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("-O", "hashalg=sha256"), ("-O", "hashalg=sha512")])
@pytest.mark.parametrize("data", [DATA, b"", b"\0" * 100_000])
def test_what_ssh_keygen_signs_verifies(key_file: Path, public: str, data: bytes, options: tuple[str, ...]) -> None:
    signature = keygen_signs(key_file, data, SPACE, *options)
    sshsig.verify(public_key=public, namespace=SPACE, data=data, signature=signature)


@pytest.mark.parametrize("data", [DATA, b""])
def test_ssh_keygen_accepts_what_is_signed_here(tmp_path: Path, data: bytes) -> None:
    key = Ed25519PrivateKey.generate()
    public = sshsig.public_key(key.public_key())
    signature = sshsig.sign(private_key=key, namespace="rsm-certificate", data=data)
    signers = sshsig.allowed_signers([("platform", public.text, "rsm-certificate")])

    assert keygen_verifies(tmp_path, signers, "platform", "rsm-certificate", data, signature)
    assert not keygen_verifies(tmp_path, signers, "platform", "rsm-certificate", data + b" ", signature)
    assert not keygen_verifies(tmp_path, signers, "machine", "rsm-certificate", data, signature)
    assert not keygen_verifies(tmp_path, signers, "platform", "rsm-erasure", data, signature)
    sshsig.verify(public_key=public.text, namespace="rsm-certificate", data=data, signature=signature)


def test_the_namespace_of_an_allowed_signer_is_kept_to(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    public = sshsig.public_key(key.public_key()).text
    signature = sshsig.sign(private_key=key, namespace="rsm-report", data=DATA)
    signers = sshsig.allowed_signers([("machine", public, "rsm-erasure")])
    assert not keygen_verifies(tmp_path, signers, "machine", "rsm-report", DATA, signature)


def test_a_signature_is_written_as_ssh_keygen_writes_it(key_file: Path, signature: str) -> None:
    key = load_ssh_private_key(key_file.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    assert sshsig.sign(private_key=key, namespace=SPACE, data=DATA) == signature


# What is refused ---------------------------------------------------------------------------------------


def refused(public: str, signature: str, *, data: bytes = DATA, namespace: str = SPACE) -> None:
    with pytest.raises(BadSignature):
        sshsig.verify(public_key=public, namespace=namespace, data=data, signature=signature)


def test_another_key_is_refused(signature: str) -> None:
    other = sshsig.public_key(Ed25519PrivateKey.generate().public_key())
    refused(other.text, signature)


def test_another_namespace_is_refused(public: str, signature: str) -> None:
    refused(public, signature, namespace="rsm-erasure")
    refused(public, signature, namespace="größe")


def test_changed_data_is_refused(public: str, signature: str) -> None:
    refused(public, signature, data=DATA + b"\n")
    refused(public, signature, data=b"")


def test_an_rsa_signature_is_refused(tmp_path: Path, public: str) -> None:
    rsa_key = make_key(tmp_path / "rsa", "rsa", "-b", "3072")
    signature = keygen_signs(rsa_key, DATA)
    refused(public, signature)
    with pytest.raises(ValueError, match="Only ssh-ed25519"):
        sshsig.verify(public_key=(tmp_path / "rsa.pub").read_text(), namespace=SPACE, data=DATA, signature=signature)


def test_another_hash_algorithm_is_refused(public: str, signature: str) -> None:
    for name in (b"sha384", b"md5___", b"\xff\xfe\xfd\xfc\xfb\xfa"):
        refused(public, rewritten(signature, lambda raw, name=name: raw.replace(b"sha512", name)))


def test_a_signature_of_another_kind_under_the_same_key_is_refused(public: str, signature: str) -> None:
    at = len(b"SSHSIG") + 4 + 4 + 51  # behind the key, which names its kind too
    refused(public, rewritten(signature, lambda raw: raw[:at] + raw[at:].replace(b"ssh-ed25519", b"ssh-ed25518")))
    sk = struct.pack(">I", 26) + b"sk-ssh-ed25519@openssh.com"
    refused(public, rewritten(signature, lambda raw: raw.replace(struct.pack(">I", 11) + b"ssh-ed25519", sk)))


def test_every_bit_of_a_signature_counts(public: str, signature: str) -> None:
    length = len(base64.b64decode("".join(signature.splitlines()[1:-1])))

    def flip(raw: bytes, at: int) -> bytes:
        return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]

    for at in range(length):
        refused(public, rewritten(signature, lambda raw, at=at: flip(raw, at)))


def test_a_signature_with_more_or_less_than_its_parts_is_refused(public: str, signature: str) -> None:
    refused(public, rewritten(signature, lambda raw: raw + b"\0"))
    refused(public, rewritten(signature, lambda raw: raw[:-1]))
    refused(public, rewritten(signature, lambda raw: raw.replace(b"\0\0\0\0", b"\0\0\0\x01x", 1)))


def test_garbage_is_refused(public: str, signature: str) -> None:
    body = "\n".join(signature.splitlines()[1:-1])
    for text in (
        "",
        "no signature",
        body,
        signature.replace("BEGIN", "BEGUN"),
        f"before\n{signature}",
        f"{signature}after",
        signature + signature,
        signature.replace("U1NIU0lH", "!!!!!!!!"),
        "-----BEGIN SSH SIGNATURE-----\n====\n-----END SSH SIGNATURE-----\n",
        "-----BEGIN SSH SIGNATURE-----\nüüüü\n-----END SSH SIGNATURE-----\n",
    ):
        refused(public, text)


def test_a_very_long_signature_is_refused_without_being_read(public: str) -> None:
    refused(public, "-----BEGIN SSH SIGNATURE-----\n" + "A" * 10_000_000 + "\n-----END SSH SIGNATURE-----\n")


@given(st.text(max_size=200))
def test_nothing_but_a_bad_signature_comes_of_garbage(text: str) -> None:
    key = sshsig.public_key(Ed25519PrivateKey.from_private_bytes(b"1" * 32).public_key())
    refused(key.text, text)
    refused(
        key.text,
        f"-----BEGIN SSH SIGNATURE-----\n{base64.b64encode(text.encode()).decode()}\n-----END SSH SIGNATURE-----\n",
    )


# Keys ---------------------------------------------------------------------------------------------------


def test_a_key_is_read_without_its_comment_and_with_its_fingerprint(key_file: Path, public: str) -> None:
    key = sshsig.read_public_key(public)
    printed = subprocess.run(["ssh-keygen", "-lf", key_file], check=True, capture_output=True, text=True).stdout
    assert key.text == " ".join(public.split()[:2])
    assert key.fingerprint == printed.split()[1]


def test_only_whole_ed25519_keys_are_read(public: str) -> None:
    rsa_key = rsa.generate_private_key(65537, 3072).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    kind, body, *_ = public.split()
    for text in (
        "",
        kind,
        rsa_key.decode(),
        f"{kind} {rsa_key.decode().split()[1]}",
        f"{kind} {body[:-8]}",
        f"{kind} {body}\n{kind} {body}",
        f"{kind} {'A' * 10_000}",
        f"{kind} größe",
        f"sk-ssh-ed25519@openssh.com {body}",
    ):
        with pytest.raises(ValueError, match=r"\.$"):
            sshsig.read_public_key(text)


@pytest.mark.parametrize("principal", ["", "a b", "*", "a,b", '"', "a\nb", "!machine"])
def test_a_principal_cannot_change_its_line(principal: str, public: str) -> None:
    with pytest.raises(ValueError, match="allowed_signers"):
        sshsig.allowed_signers([(principal, public, SPACE)])


# Canonical JSON -------------------------------------------------------------------------------------------

LETTERS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | LETTERS
OBJECTS = st.dictionaries(
    LETTERS, st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(LETTERS, inner), max_leaves=10)
)


@given(OBJECTS)
def test_what_is_written_canonically_is_read_again(value: dict) -> None:
    text = sshsig.canonical(value)
    assert sshsig.parse_canonical(text) == value
    assert sshsig.canonical(json.loads(text)) == text


@given(OBJECTS)
def test_any_other_way_to_write_it_is_refused(value: dict) -> None:
    for other in (json.dumps(value, indent=1), json.dumps(value, ensure_ascii=True), f" {sshsig.canonical(value)}"):
        if other != sshsig.canonical(value):
            with pytest.raises(ValueError):  # noqa: PT011 - whatever makes it so
                sshsig.parse_canonical(other)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":2}}',
        '{"b":1,"a":2}',
        '{"a": 1}',
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":1e400}',
        '{"a":1.00}',
        '{"a":"\\u00e4"}',
        '{"a":"\\ud800"}',
        "[]",
        "1",
        "",
        "{",
        '{"a":' + "[" * 100_000,
        '{"a":' + "9" * 5000 + "}",
    ],
)
def test_what_is_not_canonical_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever makes it so
        sshsig.parse_canonical(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_say_is_not_written(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever makes it so
        sshsig.canonical({"a": value})
