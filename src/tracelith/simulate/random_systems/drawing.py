"""One system drawn from a plan: what runs, what it does, how it is released, and the story of what was planted."""

from tracelith.simulate.flow import Consumer
from tracelith.simulate.latency import Latency
from tracelith.simulate.random_systems.dice import Dice
from tracelith.simulate.random_systems.draft import SystemDraft
from tracelith.simulate.random_systems.plans import SystemPlan
from tracelith.simulate.random_systems.releasing import draw_habits, draw_releasing_extras, draw_trains
from tracelith.simulate.random_systems.story import tell
from tracelith.simulate.random_systems.symptoms import plant_symptoms
from tracelith.simulate.random_systems.tails import plant_tails
from tracelith.simulate.random_systems.weaving import draw_ordinary
from tracelith.simulate.topology import System

__all__ = ["draw_system"]

_NETWORK = Latency(0.35, 1.6)


def draw_system(seed: int, plan: SystemPlan) -> System:
    """The system that this seed draws from the plan: the same one everywhere and always.

    What happens while it runs and how it is released come from streams of their own, so a plan with another train or
    other pairs draws the same services and flows.
    """
    dice = Dice.named(seed, f"{plan.name} flows")
    shape = dice.pick(plan.shapes)
    draft = draw_ordinary(dice, shape, fresh=plan.tails.planted if plan.tails else 0.0)
    tails = plant_tails(Dice.named(seed, f"{plan.name} tails"), draft, plan.tails, _NETWORK) if plan.tails else []
    symptoms = plant_symptoms(Dice.named(seed, f"{plan.name} symptoms"), draft, plan.symptoms)
    names = [service.name for service in draft.services]
    dice = Dice.named(seed, f"{plan.name} releases")
    releasing = dice.pick(plan.releasing)
    own, together = draw_habits(dice, names, releasing)
    trains = draw_trains(Dice.named(seed, f"{plan.name} trains"), names, releasing)
    canaries, rollbacks, monorepos = draw_releasing_extras(Dice.named(seed, f"{plan.name} extras"), names, releasing)
    deepest = max(entry.operation.hops for entry in draft.entries)
    heading = f"random-{plan.name}, drawn from seed {seed}"
    return System(
        name=f"random-{plan.name}",
        title=plan.title,
        readme=tell(heading, draft, tails=tails, symptoms=symptoms, together=together, trains=trains),
        services=draft.services,
        entries=(*(entry.freeze() for entry in draft.entries), *draft.jobs),
        consumers=_consumers(draft),
        habits=(*own, *together),
        network=_NETWORK,
        trains=trains,
        canaries=canaries,
        rollbacks=rollbacks,
        monorepos=monorepos,
        incidents=tuple(incident for symptom in symptoms for incident in symptom.incidents),
        rushes=tuple(rush for symptom in symptoms for rush in symptom.rushes),
        table_owners=dict(sorted(draft.table_owners.items())),
        planted={
            "plan": plan.name,
            "tails": [tail.planted() for tail in tails],
            "codeploying_groups": [sorted(habit.services) for habit in together],
            **{
                kind: [symptom.facts for symptom in symptoms if symptom.kind == kind]
                for kind in sorted({symptom.kind for symptom in symptoms})
            },
            "distributed_monolith": bool(together) and deepest > 2,
        },
    )


def _consumers(draft: SystemDraft) -> tuple[Consumer, ...]:
    return tuple(
        Consumer(
            consumer.service,
            consumer.topic,
            consumer.group,
            consumer.delay,
            consumer.body.steps(),
            own_trace=consumer.own_trace,
        )
        for consumer in draft.consumers
    )
