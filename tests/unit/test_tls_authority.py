"""What `segint certs` makes is what openssl, Python and gRPC take for what it is meant."""

from __future__ import annotations

import socket
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from segint_grpc import errors
from segint_grpc.tls.authority import GATEWAY_URI
from segint_grpc.tls.folder import AuthorityFolder, names_in
from segint_grpc.tls.names import machine_names
from segint_grpc.tls.view import view_of


@pytest.fixture
def folder(tmp_path: Path) -> AuthorityFolder:
    folder = AuthorityFolder(tmp_path / "tls")
    folder.make(["segint.example", "10.1.2.3", "fd00::2"])
    return folder


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def purposes(certificate: x509.Certificate) -> list[x509.ObjectIdentifier]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_keys_are_on_p256_and_their_owners_alone(folder: AuthorityFolder) -> None:
    folder.client("anna", gateway=False)
    keys = [folder.authority_key, folder.server_key, folder.clients / "anna.key"]
    assert [stat.S_IMODE(key.stat().st_mode) for key in keys] == [0o600] * 3
    for path in (folder.authority, folder.server, folder.clients / "anna.pem"):
        key = load(path).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"


def test_the_server_is_known_by_names_and_addresses_and_may_only_serve(folder: AuthorityFolder) -> None:
    server = load(folder.server)
    assert names_in(server) == ["segint.example", "10.1.2.3", "fd00::2"]
    assert purposes(server) == [ExtendedKeyUsageOID.SERVER_AUTH]
    server.verify_directly_issued_by(load(folder.authority))


def test_a_client_may_only_ask_and_a_gateway_carries_its_name(folder: AuthorityFolder) -> None:
    folder.client("anna", gateway=False)
    folder.client("front", gateway=True)
    anna, front = load(folder.clients / "anna.pem"), load(folder.clients / "front.pem")
    assert purposes(anna) == purposes(front) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert names_in(anna) == []
    assert names_in(front) == [GATEWAY_URI]


def test_the_authority_outlives_what_it_signs(folder: AuthorityFolder) -> None:
    authority, server = load(folder.authority), load(folder.server)
    assert authority.not_valid_after_utc - server.not_valid_after_utc > timedelta(days=365 * 7)
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)


def test_nothing_is_replaced_unless_that_is_asked_for(folder: AuthorityFolder) -> None:
    before = folder.authority.read_bytes()
    with pytest.raises(errors.AlreadyExists, match=r"certs renew.*--force"):
        folder.make(["segint.example"])
    assert folder.authority.read_bytes() == before
    folder.client("anna", gateway=False)
    with pytest.raises(errors.AlreadyExists):
        folder.client("anna", gateway=True)
    folder.make(["segint.example"], force=True)
    assert folder.authority.read_bytes() != before


def test_a_renewed_server_keeps_its_names_and_its_authority(folder: AuthorityFolder) -> None:
    authority, old = folder.authority.read_bytes(), folder.server.read_bytes()
    folder.renew(["new.example", "10.1.2.3"])
    assert folder.authority.read_bytes() == authority
    assert folder.server.read_bytes() != old
    assert names_in(load(folder.server)) == ["segint.example", "10.1.2.3", "fd00::2", "new.example"]


def test_without_an_authority_nothing_is_signed(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound, match="segint certs init"):
        AuthorityFolder(tmp_path).client("anna", gateway=False)


@pytest.mark.parametrize("name", ["../anna", "/anna", ".anna", "an na", "anna\n", "ä", "", "a" * 65])
def test_a_clients_name_is_no_way_out_of_the_folder(folder: AuthorityFolder, name: str) -> None:
    with pytest.raises(errors.InvalidRequest, match="no name for a client"):
        folder.client(name, gateway=False)


@pytest.mark.parametrize("name", ["a..b", "x" * 300])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.InvalidRequest, match="neither a host name nor an IP address"):
        AuthorityFolder(tmp_path).make([name])


def test_a_name_beyond_ascii_is_written_as_dns_has_it(tmp_path: Path) -> None:
    folder = AuthorityFolder(tmp_path)
    folder.make(["bücher.example", "*.clinic.example"])
    assert names_in(load(folder.server)) == ["xn--bcher-kva.example", "*.clinic.example"]


def test_the_machines_names_are_all_there_once() -> None:
    names = machine_names("https://Public.example:8443/x", ["127.0.0.1", "own.example"])
    assert names[:3] == ["127.0.0.1", "own.example", "public.example"]
    assert {socket.gethostname().lower(), "localhost", "::1"} <= set(names)
    assert len(names) == len(set(names))
    assert not any("%" in name or name.startswith("fe80") for name in names)


def test_openssl_finds_the_chain_right_and_the_fingerprint_the_same(folder: AuthorityFolder) -> None:
    try:
        done = subprocess.run(
            ["openssl", "verify", "-purpose", "sslserver", "-CAfile", folder.authority, folder.server],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert done.stdout.endswith(": OK\n"), done.stderr
    printed = subprocess.run(
        ["openssl", "x509", "-in", folder.server, "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.strip().rpartition("=")[2] == view_of(folder.server)[0].fingerprint
