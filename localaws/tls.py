"""TLS on the embedded AWS's port, for addresses that are always `https://` (a search domain's endpoint).

The certificate is made anew for each process, for `localhost` only. `ca_bundle` holds it beside the usual authorities:
SDKs take it from the standard variable AWS_CA_BUNDLE, and other addresses keep working.
"""

from __future__ import annotations

import atexit
import ipaddress
import shutil
import ssl
import tempfile
from datetime import timedelta
from functools import cache
from pathlib import Path

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from localaws import pace

# First byte of a TLS handshake; no HTTP method begins with it.
HANDSHAKE = b"\x16"
NAME = "localhost"


@cache
def ca_bundle() -> Path:
    """Return the file with our certificate and the usual authorities; it lives as long as the process."""
    directory = _directory()
    usual = (Path(botocore.__file__).parent / "cacert.pem").read_bytes()
    bundle = directory / "ca-bundle.pem"
    bundle.write_bytes(usual + b"\n" + (directory / "certificate.pem").read_bytes())
    return bundle


def certificate() -> str:
    """Return our certificate (PEM), for whoever trusts it and no authority."""
    return (_directory() / "certificate.pem").read_text(encoding="ascii")


@cache
def server_context() -> ssl.SSLContext:
    """Return the context with which a server answers handshakes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_directory() / "certificate.pem", _directory() / "key.pem")
    return context


@cache
def _directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="localaws-tls-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    key = ec.generate_private_key(ec.SECP256R1())
    (directory / "certificate.pem").write_bytes(_certificate(key).public_bytes(serialization.Encoding.PEM))
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "key.pem").write_bytes(text)
    return directory


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = pace.wall_now()  # peers check it by their own clock
    names = [x509.DNSName(NAME), x509.DNSName(f"*.{NAME}"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
        .sign(key, hashes.SHA256())
    )
