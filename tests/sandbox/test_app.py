import base64
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from shared.providers.registry import providers

ROOT = Path(__file__).parents[2]


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified(client, token: str) -> dict:
    head, body, signature = token.split(".")
    (key,) = client.get("/issuer/jwks.json").json()["keys"]
    assert json.loads(decode(head)) == {"alg": "RS256", "typ": "JWT", "kid": key["kid"]}
    numbers = (int.from_bytes(decode(key[name]), "big") for name in ("e", "n"))
    public = RSAPublicNumbers(*numbers).public_key()
    with pytest.raises(InvalidSignature):
        public.verify(decode(signature), f"{head}.{body}x".encode(), PKCS1v15(), SHA256())
    public.verify(decode(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
    return json.loads(decode(body))


def test_tokens_for_a_person_and_for_a_machine(client):
    asked = {"grant_type": "password", "username": "ada", "password": "any"}
    person = verified(client, client.post("/issuer/token", data=asked).json()["access_token"])
    assert (person["sub"], person["aud"]) == ("user-ada", "tributary")
    assert person["iss"] == f"{str(client.base_url).rstrip('/')}/issuer"
    assert person["exp"] - person["iat"] == 8 * 3600
    assert "scope" not in person
    reply = client.post("/issuer/token", data={"grant_type": "client_credentials"}).json()
    assert verified(client, reply["access_token"])["scope"] == "tributary/users:act"
    assert client.post("/issuer/token", data={"grant_type": "password", "username": "a b"}).status_code == 400
    discovery = client.get("/issuer/.well-known/openid-configuration").json()
    assert (discovery["issuer"], discovery["jwks_uri"]) == (person["iss"], f"{person['iss']}/jwks.json")


def test_the_page_lists_every_cloud_and_the_apps_rewrite_every_host(client):
    page, apps = client.get("/").text, client.get("/control/apps").json()
    assert apps.keys() == {provider.id for provider in providers() if provider.connects}
    base_url = str(client.base_url).rstrip("/")
    assert all(f"{base_url}/{name}" in page for name in apps)
    assert apps["oura"]["urls"] == dict.fromkeys(
        ("https://api.ouraring.com", "https://cloud.ouraring.com"), f"{base_url}/oura"
    )
    assert all("secret" in app["client_secret"] for app in apps.values())


def test_the_sandbox_is_an_independent_witness():
    for source in (ROOT / "sandbox").rglob("*.py"):
        for line in source.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in {"functions", "shared", "infra", "ops"}, source


def test_it_serves_from_the_command_line(tmp_path):
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "sandbox", "--port-file", str(port_file), "--now", "2026-11-21T10:00:00+00:00"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline().strip()
            base_url = f"http://127.0.0.1:{port_file.read_text()}"
            assert line == f"sandbox: {base_url}"
            assert json.loads(_until_up(f"{base_url}/control/apps"))["oura"]["urls"][
                "https://api.ouraring.com"
            ].startswith(base_url)
        finally:
            process.terminate()


def _until_up(url: str) -> bytes:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return reply.read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the sandbox did not answer")
