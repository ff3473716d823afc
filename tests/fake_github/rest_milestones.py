"""Milestones."""

from __future__ import annotations

from tests.fake_github.calls import Answer, Call, Router, invalid, not_found
from tests.fake_github.pages import PAGING, page_of
from tests.fake_github.render_accounts import milestone_json
from tests.fake_github.values import Milestone

router = Router()


@router.add(
    "GET /repos/{owner}/{repo}/milestones",
    answers="list[Milestone]",
    query=("state", "sort", "direction", *PAGING),
)
def list_milestones(call: Call) -> Answer:
    """Only open ones unless asked for more."""
    wanted = call.query.get("state", "open")
    found = [one for one in call.repository.milestones.values() if wanted in {"all", one.state}]
    page, headers = page_of(call, found)
    return Answer([milestone_json(call.server.url, call.repository, one) for one in page], headers=headers)


@router.add("POST /repos/{owner}/{repo}/milestones", answers="Milestone", takes="ReposOwnerRepoMilestonesPostBody")
def create_milestone(call: Call) -> Answer:
    """A title once, open or closed."""
    state, fields = call.writable("issues"), call.fields
    if any(one.title == fields["title"] for one in state.milestones.values()):
        raise invalid("Milestone", "title", "already_exists")
    milestone = Milestone(
        next(state.world.ids),
        len(state.milestones) + 1,
        fields["title"],
        call.account,
        state.world.clock.stamp(),
        fields.get("state", "open"),
        fields.get("description"),
    )
    state.milestones[milestone.number] = milestone
    return Answer(milestone_json(call.server.url, state, milestone), 201)


@router.add("GET /repos/{owner}/{repo}/milestones/{milestone}", answers="Milestone")
def get_milestone(call: Call) -> Answer:
    """One milestone, with how many pull requests it has open and closed."""
    number = call.path["milestone"]
    found = call.repository.milestones.get(int(number)) if number.isdecimal() else None
    if found is None:
        raise not_found()
    return Answer(milestone_json(call.server.url, call.repository, found))
