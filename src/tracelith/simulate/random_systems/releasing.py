"""Draws how a random system is deployed: rhythms of its services, planted pairs and groups, trains, harmless extras."""

from tracelith.simulate.random_systems.dice import Dice
from tracelith.simulate.random_systems.plans import Releasing
from tracelith.simulate.releases import Canary, Monorepo, ReleaseHabit, Rollback, Train

__all__ = ["draw_habits", "draw_releasing_extras", "draw_trains"]

_RESTED = 0.05  # deployments a week that even a service that nobody changes gets


def draw_habits(dice: Dice, names: list[str], releasing: Releasing) -> tuple[list[ReleaseHabit], list[ReleaseHabit]]:
    """Every service's own rhythm, and the planted deployments together; no service is in two of these."""
    together = _draw_together(dice, names, releasing)
    bound = {name for habit in together for name in habit.services}
    own = []
    for name in names:
        per_week = dice.around(releasing.per_week, releasing.spread)
        per_week *= releasing.alone if name in bound else 1
        own.append(ReleaseHabit((name,), per_week=round(max(per_week, _RESTED), 2)))
    return own, together


def _draw_together(dice: Dice, names: list[str], releasing: Releasing) -> list[ReleaseHabit]:
    sizes = [2] * dice.whole(releasing.pairs)
    sizes += [dice.whole(releasing.group_size) for _ in range(dice.whole(releasing.groups))]
    waiting = dice.some(names, len(names))
    habits = []
    for size in sizes:
        # At least half of the services are bound to nobody, so that there is something to tell them from.
        if len(waiting) - size < len(names) / 2:
            continue
        members, waiting = waiting[:size], waiting[size:]
        habits.append(
            ReleaseHabit(
                tuple(members),
                per_week=dice.between(releasing.together_per_week),
                within_min=dice.between(releasing.within_min),
                follows=dice.between(releasing.follows),
            )
        )
    return habits


def draw_trains(dice: Dice, names: list[str], releasing: Releasing) -> tuple[Train, ...]:
    """The train of all services, or none."""
    if not releasing.train_share:
        return ()
    kind = dice.pick(releasing.departures)
    return (
        Train(
            tuple(names),
            releasing.train_share,
            every_weeks=2 if kind == "fortnightly" else 1,
            departs=dice.between((0.4, 0.7)) if kind == "irregular" else 1.0,
            weekday=dice.whole((0, 4)),
            hour=float(dice.whole((9, 16))),
        ),
    )


def draw_releasing_extras(
    dice: Dice, names: list[str], releasing: Releasing
) -> tuple[tuple[Canary, ...], tuple[Rollback, ...], tuple[Monorepo, ...]]:
    """Canaries, rollbacks and a monorepo whose services are deployed on their own all the same."""
    half = max(len(names) // 2, 1)
    canaries = (Canary(tuple(dice.some(names, half)), 0.5, dice.between((1, 5)), 0.1),)
    rollbacks = (Rollback(tuple(dice.some(names, half)), 0.08),)
    monorepos = (Monorepo(tuple(dice.some(names, half))),)
    return (
        canaries if dice.chance(releasing.canaries) else (),
        rollbacks if dice.chance(releasing.rollbacks) else (),
        monorepos if dice.chance(releasing.monorepos) else (),
    )
