"""ECDSA on P-256 with SHA-256. Apart, because importing the cryptography costs a door more than opening it."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from shared.providers import Point


def is_signed(body: bytes, signature: bytes, key: Point) -> bool:
    """Whether the signature (DER) over the body is by this key; a point off the curve has signed nothing."""
    try:
        public = ec.EllipticCurvePublicNumbers(key.x, key.y, ec.SECP256R1()).public_key()
        public.verify(signature, body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
