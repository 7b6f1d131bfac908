"""The story's end: the week read back as an app would, through every read at once, each held against the days."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ops.stage import Stage, expect, nearly

WEEK = 7
INDENT = "\n      "
Answers = Mapping[str, Any]


def read_back(stage: Stage) -> str:
    answers = asked(stage)
    days = {day["day"]: day["metrics"] for day in answers["days"]["days"]}
    expect("days of the week", WEEK, len(days))
    figures = {day: found["steps"]["value"] for day, found in days.items() if "steps" in found}
    return INDENT.join(
        ["", steps(answers, figures), slept(answers, days), trained(answers), sugar(answers), summed(answers, figures)]
    )


def asked(stage: Stage) -> Answers:
    """All reads of the week that is over, as one screen would ask for them."""
    span = {"from": stage.ago(WEEK).isoformat(), "to": stage.ago(1).isoformat()}
    reads = {
        "days": {"fresh": "1"}, "metrics/steps": {"resolution": "day"}, "sleep": {}, "workouts": {},
        "glucose": {"readings": "0"},
    }  # fmt: skip
    with ThreadPoolExecutor(len(reads) + 1) as screen:
        answers = {path: screen.submit(stage.api.get, path, **span, **more) for path, more in reads.items()}
        answers["summary"] = screen.submit(stage.api.post, "summary", json=span)
        return {path: answer.result() for path, answer in answers.items()}


def steps(answers: Answers, figures: Mapping[str, float]) -> str:
    """Of the sources' columns, one has the days' own figures."""
    columns = {c["source"]: c["values"] for c in answers["metrics/steps"]["series"]}
    expect("a column of steps like the days'", True, list(figures.values()) in columns.values())
    return "steps     " + " · ".join(f"{value:,.0f}" for value in figures.values())


def slept(answers: Answers, days: Mapping[str, Mapping[str, Any]]) -> str:
    nights = [s for s in answers["sleep"]["sleep"] if s["preferred"] and s["kind"] == "sleep"]
    expect("nights with their stages", True, bool(nights) and all(night["stages"] for night in nights))
    hours = {night["day"]: days[night["day"]]["sleep_duration"]["value"] for night in nights}
    return "sleep     " + " · ".join(f"{value:.1f} h" for value in hours.values())


def trained(answers: Answers) -> str:
    found = [workout for workout in answers["workouts"]["workouts"] if workout["preferred"]]
    return "workouts  " + (" · ".join(workout["sport"] for workout in found) or "none")


def sugar(answers: Answers) -> str:
    found, unit = answers["glucose"]["figures"], answers["glucose"]["unit"]
    nearly("percent in all ranges together", 100, sum(each["percent"] for each in found["ranges"]), 0.1)
    [within] = [each["percent"] for each in found["ranges"] if each["name"] == "in_range"]
    return f"glucose   {found['mean']:.0f} {unit}, {within:.0f} % in range, {found['readings']} readings"


def summed(answers: Answers, figures: Mapping[str, float]) -> str:
    found = answers["summary"]["metrics"]
    nearly("the week's mean of steps", sum(figures.values()) / len(figures), found["steps"]["mean"], 0.01)
    return f"summary   {len(found)} metrics, {found['steps']['mean']:,.0f} steps a day"
