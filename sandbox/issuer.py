"""A little OpenID issuer, so that the backend's callers have verified tokens. It asks for no secret: a sandbox."""

import base64
import json
import re
import time

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, plain_door, refuse

AUDIENCE = "tributary"
ACT_FOR_USERS = "tributary/users:act"
LIFETIME = 8 * 3600


class Issuer:
    """One RS256 key per run."""

    def __init__(self, base_url: str) -> None:
        self.url = f"{base_url}/issuer"
        self._key = generate_private_key(public_exponent=65537, key_size=2048)
        self._key_id = f"sandbox-{int(time.time())}"

    def doors(self) -> list[BaseRoute]:
        return [
            plain_door("/.well-known/openid-configuration", self.discovery),
            plain_door("/jwks.json", self.jwks),
            plain_door("/token", self.token, "POST"),
        ]

    def discovery(self, call: Call) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks.json",
                "token_endpoint": f"{self.url}/token",
                "authorization_endpoint": f"{self.url}/token",
                "grant_types_supported": ["password", "client_credentials"],
                "response_types_supported": ["token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    def jwks(self, call: Call) -> Response:
        public = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._key_id}
        numbers = {"n": _base64(_bytes(public.n)), "e": _base64(_bytes(public.e))}
        return JSONResponse({"keys": [key | numbers]})

    def token(self, call: Call) -> Response:
        form = call.form
        if form.get("grant_type") == "password" and re.fullmatch(r"[a-z0-9_-]{1,40}", form.get("username", "")):
            claims = {"sub": f"user-{form['username']}"}
        elif form.get("grant_type") == "client_credentials":
            claims = {"sub": "machine", "client_id": "machine", "scope": ACT_FOR_USERS}
        else:
            raise refuse(400, {"error": "invalid_request"})
        reply = {"access_token": self.sign(claims), "token_type": "Bearer", "expires_in": LIFETIME}
        return JSONResponse(reply, headers={"cache-control": "no-store"})

    def sign(self, claims: dict[str, str]) -> str:
        now = int(time.time())
        standard = {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + LIFETIME}
        header = {"alg": "RS256", "typ": "JWT", "kid": self._key_id}
        signed = ".".join(_base64(json.dumps(part).encode()) for part in (header, standard | claims))
        return f"{signed}.{_base64(self._key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
