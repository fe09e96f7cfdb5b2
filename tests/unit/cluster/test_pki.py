"""Certificates of a cluster."""

import ipaddress
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from boardroom.cluster.pki import Authority, Identity

SERVER = Identity(name="api", common_name="kube-apiserver", organization="o", hosts=["localhost", "10.96.0.1"])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


def _read(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_a_certificate_is_signed_by_the_authority(authority: Authority) -> None:
    issued = _read(authority.issue(SERVER).certificate)
    issued.verify_directly_issued_by(_read(authority.pair.certificate))  # raises where it is not


def test_a_certificate_names_user_and_group(authority: Authority) -> None:
    subject = _read(authority.issue(SERVER).certificate).subject
    names = {attribute.oid: attribute.value for attribute in subject}
    assert names == {NameOID.COMMON_NAME: "kube-apiserver", NameOID.ORGANIZATION_NAME: "o"}


def test_hosts_are_names_or_addresses(authority: Authority) -> None:
    certificate = _read(authority.issue(SERVER).certificate)
    hosts = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(hosts) == [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("10.96.0.1"))]


def test_a_key_fits_its_certificate(authority: Authority) -> None:
    pair = authority.issue(SERVER)
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    assert key.public_key() == _read(pair.certificate).public_key()


def test_private_keys_are_for_their_owner_only(authority: Authority) -> None:
    keys = [authority.pair.key, authority.issue(SERVER).key, authority.signing_key("service-account")]
    assert [stat.S_IMODE(key.stat().st_mode) for key in keys] == [0o600] * 3


def test_an_identity_may_be_issued_anew(authority: Authority) -> None:
    first = authority.issue(SERVER).key.read_bytes()
    assert authority.issue(SERVER).key.read_bytes() != first
