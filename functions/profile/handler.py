"""GET and PUT /v1/profile: what the person told about themselves."""

from __future__ import annotations

from shared import profiles, views
from shared.api import answers, resolver, user
from shared.replies import outgoing
from shared.schemas import Profile, ProfileRequest

app = resolver()


@app.get("/v1/profile", summary="The profile", tags=["profile"], responses=answers(Profile))
def read() -> Profile:
    return views.profile(user(app))


@app.put("/v1/profile", summary="Change the profile", tags=["profile"], responses=answers(Profile))
def change(request: ProfileRequest) -> Profile:
    return views.profile_of(profiles.change(user(app), request))


handler = outgoing(app.resolve)
