"""Decrypts a push message with PyPI's `http-ece`, as the browser with this key does: base64 in, its text out."""

import base64
import sys

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


private, auth, body = sys.stdin.read().split()
key = ec.derive_private_key(int.from_bytes(decoded(private), "big"), ec.SECP256R1())
print(http_ece.decrypt(base64.b64decode(body), private_key=key, auth_secret=decoded(auth)).decode())
