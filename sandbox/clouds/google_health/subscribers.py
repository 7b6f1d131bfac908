"""Google Health's subscribers: made by the project's service account, verified in two steps, signed to by ECDSA."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox.google import wrong
from sandbox.webhooks import Webhook, call

AGENT = {"content-type": "application/json", "user-agent": "Google-Health-API-Webhooks"}
ID = re.compile(r"[a-z][a-z0-9-]{2,34}[a-z0-9]")
PER_CALL = 99
# What notifications are documented for, late in 2026.
TOLD = (
    *("active-zone-minutes", "activity-level", "altitude", "blood-glucose", "body-fat", "calories-in-heart-rate-zone"),
    *("daily-heart-rate-variability", "daily-heart-rate-zones", "daily-oxygen-saturation", "daily-respiratory-rate"),
    *("daily-resting-heart-rate", "daily-sleep-temperature-derivations", "distance", "exercise", "floors"),
    *("heart-rate", "heart-rate-variability", "height", "hydration-log", "nutrition-log"),
    *("respiratory-rate-sleep-summary", "run-vo2-max", "sedentary-period", "sleep", "steps"),
    *("time-in-heart-rate-zone", "total-calories", "weight"),
)


@dataclass
class Subscriber:
    name: str
    url: str
    secret: str
    data_types: frozenset[str]

    def shown(self) -> dict[str, Any]:
        """The secret is never shown again."""
        config = {"dataTypes": sorted(self.data_types), "subscriptionCreatePolicy": "AUTOMATIC"}
        return {
            "name": self.name,
            "endpointUri": self.url,
            "subscriberConfigs": [config],
            "endpointAuthorization": {"secretSet": True},
            "state": "ACTIVE",
        }


class Subscribers:
    def __init__(self) -> None:
        self._by_name: dict[str, Subscriber] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._key_id = 3_894_215_033

    def all(self) -> list[Subscriber]:
        return list(self._by_name.values())

    def create(self, project: str, id: str, wish: dict[str, Any]) -> Subscriber:
        if not ID.fullmatch(id):
            raise wrong(400, "subscriber_id: 4 to 36 characters, [a-z]([a-z0-9-]{2,34}[a-z0-9])")
        secret = (wish.get("endpointAuthorization") or {}).get("secret", "")
        types = frozenset(t for config in wish.get("subscriberConfigs") or () for t in config["dataTypes"])
        if not secret or " " not in secret:
            raise wrong(400, "endpoint_authorization.secret must name its scheme")
        if types - set(TOLD):
            raise wrong(400, f"unsupported data types: {', '.join(sorted(types - set(TOLD)))}")
        made = Subscriber(f"projects/{project}/subscribers/{id}", str(wish.get("endpointUri")), secret, types)
        verify(made)
        self._by_name[made.name] = made
        return made

    def delete(self, name: str) -> None:
        if self._by_name.pop(name, None) is None:
            raise wrong(404, "Subscriber not found.", "RESOURCE_NOT_FOUND")

    def tell(self, notifications: list[dict[str, Any]]) -> list[Webhook]:
        """To each subscriber what it asked for: a list, as live endpoints get it."""
        return [
            self._signed(subscriber, wanted[start : start + PER_CALL])
            for subscriber in self.all()
            if (wanted := [n for n in notifications if n["data"]["dataType"] in subscriber.data_types])
            for start in range(0, len(wanted), PER_CALL)
        ]

    def _signed(self, subscriber: Subscriber, notifications: list[dict[str, Any]]) -> Webhook:
        body = json.dumps(notifications, separators=(",", ":")).encode()
        prefix = b"\x01" + self._key_id.to_bytes(4, "big")
        signature = base64.b64encode(prefix + self._key.sign(body, ec.ECDSA(hashes.SHA256()))).decode()
        proof = {"authorization": subscriber.secret, "google-health-api-signature": signature}
        return Webhook(subscriber.url, {**AGENT, **proof}, body)

    def keyset(self) -> dict[str, Any]:
        """Tink's JSON: the value is a protobuf EcdsaPublicKey of params (2), x (3) and y (4)."""
        numbers = self._key.public_key().public_numbers()
        fields = [(2, b"\x08\x03\x10\x02\x18\x02")]
        fields += [(n, value.to_bytes(33, "big")) for n, value in ((3, numbers.x), (4, numbers.y))]
        value = b"".join(bytes([number << 3 | 2, len(field)]) + field for number, field in fields)
        data = {
            "typeUrl": "type.googleapis.com/google.crypto.tink.EcdsaPublicKey",
            "value": base64.b64encode(value).decode(),
            "keyMaterialType": "ASYMMETRIC_PUBLIC",
        }
        key = {"keyData": data, "status": "ENABLED", "keyId": self._key_id, "outputPrefixType": "TINK"}
        return {"primaryKeyId": self._key_id, "key": [key]}


def verify(subscriber: Subscriber) -> None:
    """With the secret the endpoint must say 201, without it 401 or 403."""
    body = b'{"type":"verification"}'
    welcomed = call("POST", subscriber.url, {**AGENT, "authorization": subscriber.secret}, body).status
    refused = call("POST", subscriber.url, AGENT, body).status
    if welcomed != 201 or refused not in (401, 403):
        raise wrong(400, "Endpoint verification failed.", status="FAILED_PRECONDITION")
