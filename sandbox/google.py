"""What Google's clouds have in common: one sign-in for all of them, and one shape of errors."""

from urllib.parse import parse_qs, urlsplit

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from sandbox.cloud import Call, Cloud, Refused, refuse
from sandbox.grants import Grants
from sandbox.life import PEOPLE, Person

STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
SIGN_IN = ("https://accounts.google.com", "https://oauth2.googleapis.com")


def wrong(code: int, message: str, reason: str = "", status: str = "") -> Refused:
    """Google's error envelope; `reason` is what clients branch on."""
    error: dict[str, object] = {"code": code, "message": message, "status": status or STATUS[code]}
    if reason:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
        error["details"] = [info]
    return refuse(code, {"error": error})


class GoogleCloud(Cloud):
    def open_grants(self) -> Grants:
        self._online: set[str] = set()  # codes that buy no refresh token
        self._known: set[str] = set()  # who has consented before
        return Grants(code_seconds=600, access_seconds=3599, rotates=False)

    def sign_in(self) -> list[BaseRoute]:
        return [
            self.door("/o/oauth2/v2/auth", self.consent, "GET", "POST"),
            self.door("/token", self.token, "POST"),
            self.door("/revoke", self.revoke, "POST"),
        ]

    def too_many(self, retry_after: int) -> Response:
        return wrong(429, "Quota exceeded.", status="RESOURCE_EXHAUSTED").response

    def unavailable(self) -> Response:
        return wrong(503, "The service is currently unavailable.", status="UNAVAILABLE").response

    def _decide(self, call: Call, scopes: list[str]) -> Response:
        """A refresh token only for offline access, and for a person who comes back only with prompt=consent."""
        reply, person = super()._decide(call, scopes), call.form.get("person", "")
        again = person in self._known and call.query.get("prompt") != "consent"
        code = parse_qs(urlsplit(reply.headers.get("location", "")).query).get("code")
        if code:
            self._known.add(person)
            if again or call.query.get("access_type") != "offline":
                self._online.add(code[0])
        return reply

    def token(self, call: Call) -> Response:
        tokens = self.token_reply(call)
        shown = {
            "access_token": tokens.access,
            "expires_in": tokens.expires_in,
            "scope": " ".join(tokens.grant.scopes),
            "token_type": "Bearer",
        }
        # A refresh says nothing of the refresh token, which lives on.
        if call.form["grant_type"] == "authorization_code" and call.form["code"] not in self._online:
            shown["refresh_token"] = tokens.refresh
        return JSONResponse(shown)

    def revoke(self, call: Call) -> Response:
        """Either token ends the grant."""
        grant = self.grants.held_by(call.form.get("token", ""))
        if grant is None:
            raise refuse(400, {"error": "invalid_token", "error_description": "Token expired or revoked"})
        self.grants.revoke(grant.person, grant.id)
        return JSONResponse({})

    def reader(self, call: Call, *scopes: str) -> Person:
        """Whose token this is, if any of the scopes was granted."""
        grant = self.holder(call)
        if grant is None:
            raise wrong(401, "Request had invalid authentication credentials.")
        if scopes and not set(scopes) & set(grant.scopes):
            raise wrong(403, "Request had insufficient authentication scopes.", "MISSING_OAUTH_SCOPE")
        return PEOPLE[grant.person]
