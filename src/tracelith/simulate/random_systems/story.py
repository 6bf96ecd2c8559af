"""The README of a random system: in plain words, what was planted in it and what was not."""

from collections.abc import Sequence

from tracelith.simulate.random_systems.draft import SystemDraft
from tracelith.simulate.random_systems.planting import PlantedSymptom
from tracelith.simulate.random_systems.tails import PlantedTail
from tracelith.simulate.releases import ReleaseHabit, Train

__all__ = ["tell"]


def tell(
    heading: str,
    draft: SystemDraft,
    *,
    tails: Sequence[PlantedTail],
    symptoms: Sequence[PlantedSymptom],
    together: Sequence[ReleaseHabit],
    trains: Sequence[Train],
) -> str:
    """Markdown for people."""
    parts = [
        f"# {heading}",
        f"{len(draft.services)} services that nobody has, put together at random. What follows was put in on purpose;"
        " `truth.json` says the same for programs. Whatever is not named here is as ordinary as chance made it.",
        _depth_told(draft),
        _tails_told(tails),
        *_symptoms_told(symptoms),
        _together_told(together),
        _trains_told(trains),
    ]
    return "\n\n".join(parts) + "\n"


def _depth_told(draft: SystemDraft) -> str:
    lines = ["Awaited hops of each entry operation at most:", ""]
    for entry in draft.entries:
        operation = entry.operation
        lines.append(f"- {operation.service.name} `{operation.freeze().name}`: {operation.hops}")
    return "\n".join(lines)


def _tails_told(tails: Sequence[PlantedTail]) -> str:
    if not tails:
        return "No hop was made to dominate the slowest requests of any entry operation."
    lines = ["The slowest percent of requests is made slow by one hop:", ""]
    for tail in tails:
        share = f"about {tail.share:.0%} of what it takes longer"
        lines.append(f"- {tail.service} `{tail.operation}`: {tail.told} ({share}).")
    return "\n".join(lines)


def _symptoms_told(symptoms: Sequence[PlantedSymptom]) -> list[str]:
    return ["Moreover:\n\n" + "\n".join(f"- {symptom.told}." for symptom in symptoms)] if symptoms else []


def _together_told(together: Sequence[ReleaseHabit]) -> str:
    if not together:
        return "No services are bound to each other by their deployments."
    lines = ["Deployed together:", ""]
    for habit in together:
        members = ", ".join(habit.services[1:])
        follows = "always" if habit.follows == 1 else f"in {habit.follows:.0%} of the cases each"
        lines.append(
            f"- with **{habit.services[0]}**, {habit.per_week:g} times a week: {members} ({follows}, within"
            f" {habit.within_min:g} minutes)."
        )
    return "\n".join(lines)


def _trains_told(trains: Sequence[Train]) -> str:
    if not trains:
        return "There is no release train."
    train = trains[0]
    rhythm = "every week" if train.every_weeks == 1 else "every two weeks"
    if train.departs < 1:
        rhythm = f"in {train.departs:.0%} of the weeks, never on the same day"
    return (
        f"{train.share:.0%} of all deployments wait for the release train, which leaves {rhythm}. It binds nobody to"
        " anybody: all it says is when people release."
    )
