"""The page at which a person signs in to another vendor's cloud through an aggregator."""

from html import escape

from sandbox.life import PEOPLE


def page(title: str, offered: list[str]) -> str:
    """For a script: POST to the same address with person, provider and decision."""
    people = "".join(f'<option value="{name}">{name.title()}</option>' for name in PEOPLE)
    sources = "".join(f'<option value="{escape(name)}">{escape(name.title())}</option>' for name in offered)
    return f"""<!doctype html><meta charset="utf-8"><title>{title} (sandbox)</title>
<style>body{{font:16px/1.6 system-ui;max-width:26rem;margin:4rem auto}}button{{font:inherit;padding:.4rem 1rem}}</style>
<h1>{title.title()}</h1><p>This is a sandbox: nobody's data, no password.</p><form method="post">
<p><label>Sign in as <select name="person">{people}</select></label></p>
<p><label>to <select name="provider">{sources}</select></label></p>
<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></form>"""
