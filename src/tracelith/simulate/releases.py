"""How a system is released, as data: habits first, then what trains, canaries, rollbacks and monorepos make of them."""

from dataclasses import dataclass

__all__ = ["Canary", "Monorepo", "ReleaseHabit", "Rollback", "Train"]


@dataclass(frozen=True, slots=True)
class ReleaseHabit:
    """Who is deployed together, how often and how close in time.

    Attributes:
        services: names; several are deployed together, each within within_min minutes of the start.
        per_week: mean number of deployments a week, at random moments of working time.
        follows: probability that each service after the first takes part in a deployment; the first always does.
    """

    services: tuple[str, ...]
    per_week: float
    within_min: float = 0.0
    follows: float = 1.0


@dataclass(frozen=True, slots=True)
class Train:
    """A release train: a share of the deployments of these services waits for its next departure.

    A deployment of several services together waits or not as a whole, and waits for the first train that carries any of
    them. Changes of one service that wait for one departure leave as one deployment, so there are fewer of them.

    Attributes:
        share: of their deployments, 0 to 1.
        every_weeks: 1 is weekly, 2 fortnightly. departs: share of those weeks in which it departs at all, at random;
            below 1 the train is irregular, and its weekday and hour differ from time to time too.
        weekday: 0 is Monday. hour: UTC, of working time. within_min: deployments spread over so many minutes.
    """

    services: tuple[str, ...]
    share: float
    every_weeks: int = 1
    departs: float = 1.0
    weekday: int = 2
    hour: float = 14.0
    within_min: float = 20.0


@dataclass(frozen=True, slots=True)
class Canary:
    """A share of the deployments of these services runs on one instance for some hours before all others follow.

    A service with a single instance has no canaries.

    Attributes:
        fails: probability that the canary is taken back instead, and the others keep their version.
    """

    services: tuple[str, ...]
    share: float
    hours: float = 3.0
    fails: float = 0.0


@dataclass(frozen=True, slots=True)
class Rollback:
    """A share of the deployments of these services is followed by the version before.

    Attributes:
        after_min: from when the last instances got the new version to when the first gets the older one back.
    """

    services: tuple[str, ...]
    share: float
    after_min: float = 90.0


@dataclass(frozen=True, slots=True)
class Monorepo:
    """Services built from one repository, whose version is its commit: twelve hexadecimal digits.

    What is released at one moment (a habit's deployment, a train's departure) is built from one commit.

    Attributes:
        all_at_once: every deployment of one of them restarts all of them with the new commit, changed or not.
    """

    services: tuple[str, ...]
    all_at_once: bool = False
