"""Everything on one port: /<provider>/… the clouds, /issuer the OpenID issuer, /control the switches, / a page."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount

from sandbox.cloud import Call, Cloud, plain_door
from sandbox.clouds import open_clouds
from sandbox.clouds.dexcom import Dexcom
from sandbox.control import Control
from sandbox.faults import KINDS
from sandbox.issuer import Issuer
from sandbox.life import PEOPLE, Life
from sandbox.world import World


@dataclass(frozen=True)
class Options:
    base_url: str
    seed: int = 7
    now: datetime | None = None  # freezes the lives' clock; tokens and signatures keep real time
    dexcom_delay_minutes: int = 0


def build(options: Options) -> Starlette:
    life = Life(options.seed, options.now or datetime.now(UTC))
    world = World(life, frozen=options.now is not None)
    clouds = open_clouds(world)
    dexcom = clouds["dexcom"]
    assert isinstance(dexcom, Dexcom)
    dexcom.delay_minutes = options.dexcom_delay_minutes
    control = Control(world, clouds, options.base_url)

    def page(call: Call) -> Response:
        return HTMLResponse(_page(world, clouds, options.base_url))

    return Starlette(
        routes=[
            plain_door("/", page),
            Mount("/control", routes=control.doors()),
            Mount("/issuer", routes=Issuer(options.base_url).doors()),
            *(Mount(f"/{name}", routes=cloud.doors()) for name, cloud in clouds.items()),
        ]
    )


SWITCHES = (
    ("GET /control/apps", "", "client ids, and where each real host lives here"),
    ("POST /control/night", '{"person","day"}', "reveal a held-back night and tell every subscriber"),
    ("POST /control/steps", '{"person","day","steps"}', "a late correction of a past day"),
    ("POST /control/weigh", '{"person","kg"}', "a new weighing, now"),
    ("POST /control/delete", '{"provider","person","kind","day"}', "delete a record at one provider"),
    ("POST /control/revoke", '{"provider","person"}', "end the person's grants at the provider"),
    ("POST /control/permit", '{"provider","person","scopes"}', "change what the person's grants allow"),
    ("POST /control/relay", '{"url","secret","person","minutes"}', "send the glucose relay"),
    ("POST /control/dashboard", '{"provider","url","push"}', "enter a webhook address on the vendor's own site"),
    ("POST /control/resend", '{"provider","times"}', "the last webhook again, byte for byte"),
    ("POST /control/faults", '{"provider","kind","times",…}', "see below; GET lists, DELETE clears"),
    ("POST /control/weather", '{"seed","rate_limit":0.1,…}', "faults by chance, at every cloud; {} is fair weather"),
    ("POST /control/stop", "{}", "every life stands still, for good"),
    ("POST /control/limits", '{"provider","on","limits"}', "enforce the documented rate limit, or others"),
    ("GET /control/truth", "?person&from&to", "what really happened, per day"),
    ("GET /control/holdings", "?person&from&to", "every record that each cloud holds, per day"),
    ("GET /control/phone", "?person&platform&from&to", "the batches that the person's phone would push"),
    ("GET /control/secrets", "", "every code, token and client secret, to look for leaks with"),
    ("GET /control/log", "", "requests, refreshes and webhooks so far, and the busiest window of each limit"),
    ("POST /issuer/token", "grant_type=password&username=ada", "a token for the backend; no password, a sandbox"),
)


def _page(world: World, clouds: dict[str, Cloud], base_url: str) -> str:
    switches = "".join(
        f"<tr><td><code>{escape(where)}</code><td><code>{escape(body)}</code><td>{escape(what)}"
        for where, body, what in SWITCHES
    )
    hosts = "".join(
        f"<tr><td><code>{base_url}/{name}</code><td>{' '.join(cloud.hosts)}" for name, cloud in clouds.items()
    )
    people = "".join(
        f"<li>{name.title()}, {person.zone.key}: the nights of {world.life.local_today(person) - timedelta(days=1)}"
        f" and {world.life.local_today(person)} are held back"
        for name, person in PEOPLE.items()
    )
    return f"""<!doctype html><meta charset="utf-8"><title>sandbox</title>
<style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:3rem auto}}td{{padding:.1rem 1rem .1rem 0}}</style>
<h1>The providers' clouds, faked</h1>
<p>One synthetic life (seed {world.life.seed}) told by every provider in its own words. Nobody's data.</p>
<ul>{people}</ul><h2>Clouds</h2><table>{hosts}</table>
<h2>Switches</h2><table>{switches}</table>
<p>Faults: {", ".join(KINDS)}.
Each is used up by the next <code>times</code> calls (or events) whose path contains <code>path</code>.</p>"""
