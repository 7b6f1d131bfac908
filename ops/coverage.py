"""What each provider brings, read off the specs, as Markdown: docs/providers.md, and the table in the README.

`python -m ops.coverage` writes both; tests/unit/test_docs.py fails while either is out of date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from shared import oauth
from shared.catalogue import METRICS
from shared.providers import FileUpload, HmacSignature, Hosted, PhonePush, Provider, PublishedKey, Resource
from shared.providers.registry import providers
from shared.settings import BACKFILL_DAYS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
OVERVIEW = ROOT / "docs" / "providers.md"
MARKED = re.compile(r"(<!-- providers: [^\n]*-->\n).*?(<!-- /providers -->)", re.DOTALL)
GAPS = re.compile(r"^## Known gaps\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
BULLET = re.compile(r"^- (.*(?:\n  .*)*)", re.MULTILINE)
NO = "–"

INTRO = """# Providers

Written by `python -m ops.coverage` from the specs in `shared/providers/`. Do not edit it by hand.

How an operator gets credentials, and what to enter at the vendor, stands on each provider's own page.
"""
CELLS = """
`total`: the vendor's own figure for the day. `series`: samples over time. `spot`: single readings at an instant.
Inside one provider, one resource alone owns a metric's totals and one its series.
"""


def documents() -> dict[Path, str]:
    """Every text written here, by the file that must hold it."""
    readme, found = MARKED.subn(lambda m: m[1] + summary() + m[2], README.read_text(encoding="utf-8"))
    if found != 1:
        raise ValueError("the README must hold the providers' table between its two marks once")
    return {OVERVIEW: overview(), README: readme}


def summary() -> str:
    head = ("Provider", "Connect by", "Told of news by", "Catches up by", "First fill", "Metrics")
    rows = [
        (f"[{p.name}](docs/providers/{p.id}.md)", way_in(p), told(p), polled(p), depth(p), str(len(metrics(p))))
        for p in providers()
    ]
    return table(head, rows)


def overview() -> str:
    return "\n".join([INTRO, ways(), "## Metrics", CELLS, matrix(), "## Resources\n", resources(), shortfalls()])


def ways() -> str:
    head = ("Provider", "Kind", "Connect by", "Webhook", "Proof of a webhook", "Catches up by", "First fill")
    rows = [(link(p), kind(p), way_in(p), told(p), proof(p), polled(p), depth(p)) for p in providers()]
    return table(head, rows)


def matrix() -> str:
    rows = [
        (f"`{metric}`", f"`{METRICS[metric].unit}`", *(shapes(p, metric) or NO for p in providers()))
        for metric in METRICS
    ]
    head = ("Metric", "Unit", *map(link, providers()))
    return table(head, rows)


def resources() -> str:
    """One row each: what an answer does to what is stored, how often it is asked for, whether the vendor tells."""
    head = ("Provider", "Resource", "An answer", "Polled", "The vendor tells", "Metrics")
    rows = [
        (p.name, f"`{r.name}`", mode(r), r.cadence if on_ring(p) else NO, "yes" if r.topics else NO, owned(r))
        for p in providers()
        for r in p.resources
    ]
    return table(head, rows)


def shortfalls() -> str:
    parts = ["## Known gaps\n"]
    for p in providers():
        parts.append(f"### {p.name}\n")
        parts.extend(f"- {gap.replace('](../', '](')}" for gap in gaps(p))  # a folder further up
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


# ---------------------------------------------------------------- one provider


def link(provider: Provider) -> str:
    return f"[{provider.name}](providers/{provider.id}.md)"


def kind(provider: Provider) -> str:
    return "by source" if provider.upstreams else provider.kind


def page(provider: Provider) -> Path:
    return ROOT / "docs" / "providers" / f"{provider.id}.md"


def gaps(provider: Provider) -> list[str]:
    """The list under "Known gaps" on the provider's page, each gap on one line."""
    found = GAPS.search(page(provider).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"docs/providers/{provider.id}.md has no list under '## Known gaps'")
    return [" ".join(bullet.split()) for bullet in BULLET.findall(found[1])]


def metrics(provider: Provider) -> frozenset[str]:
    return frozenset[str]().union(*(r.series | r.totals | r.spots for r in provider.resources))


def shapes(provider: Provider, metric: str) -> str:
    """How the provider gives it: one or several of total, series and spot."""
    found = {
        "total": any(metric in r.totals for r in provider.resources),
        "series": any(metric in r.series for r in provider.resources),
        "spot": any(metric in r.spots for r in provider.resources),
    }
    return ", ".join(name for name, given in found.items() if given)


def owned(resource: Resource) -> str:
    """Nothing, where a resource brings episodes alone."""
    return ", ".join(sorted(resource.series | resource.totals | resource.spots)) or "episodes only"


def mode(resource: Resource) -> str:
    return "replaces its days" if resource.mode == "replace" else "adds and corrects"


def way_in(provider: Provider) -> str:
    if isinstance(provider.auth, FileUpload):
        return f"file ({', '.join(provider.auth.formats)})"
    if isinstance(provider.auth, Hosted):
        return "a page of its own, opened with the app's key"
    if isinstance(provider.auth, PhonePush):
        return "the first push"
    return "OAuth 2, PKCE" if provider.auth.pkce else "OAuth 2"


def told(provider: Provider) -> str:
    if isinstance(provider.auth, PhonePush):
        return "the person's phone"
    if provider.webhook is None:
        return NO
    if isinstance(provider.webhook.proof, HmacSignature) and provider.webhook.proof.key == "connection":
        return "nobody, or a relay of your own"  # only who was given our secret can sign
    per = "one address" if provider.webhook.path == "app" else "an address per connection"
    return f"webhook, {per}" + ("" if provider.subscriptions else ", set up by hand")


def proof(provider: Provider) -> str:
    if provider.webhook is None:
        return NO
    how = provider.webhook.proof
    if isinstance(how, PublishedKey):
        return f"our token, and `{how.headers[0]}`: ECDSA with a key that the vendor publishes"
    if not isinstance(how, HmacSignature):
        return "derived path; the event is only a hint to fetch"
    whose = {
        "client_secret": "the app's client secret",
        "connection": "a secret derived per connection",
        "issued": "the secret the vendor gave with the subscription",
        "webhook_secret": "the webhook secret from its site",
    }[how.key]
    dated = f" and `{how.timestamp_header}` (±{how.tolerance_s} s)" if how.timestamp_header else ""
    dated = f" with its time (±{how.tolerance_s} s)" if how.stamped else dated
    partly = ", over parts of the body; the event is only a hint to fetch" if how.covers else ""
    return f"`{how.header}`{dated}: HMAC-{how.digest.upper()} with {whose}{partly}"


def on_ring(provider: Provider) -> bool:
    return provider.connects and provider.timer_polling


def polled(provider: Provider) -> str:
    return "polling" if on_ring(provider) else NO


def depth(provider: Provider) -> str:
    if isinstance(provider.auth, FileUpload):
        return "what the file holds"
    if isinstance(provider.auth, PhonePush):
        return "what the phone sends"
    older = min(BACKFILL_DAYS, provider.history_days or BACKFILL_DAYS)
    return f"{oauth.FRESH_DAYS + older} days"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
