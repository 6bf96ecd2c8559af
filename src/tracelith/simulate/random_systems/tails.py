"""Plants hops that make the slowest requests slow: one place below an entry operation, with a cause of a known kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracelith.simulate.flow import External, Operation, Query, Sometimes, Stall, Step, Wait, Work
from tracelith.simulate.latency import Episodes, Latency, Queueing
from tracelith.simulate.random_systems.aiming import Place, Tail, aimed_strength, sampled_tail
from tracelith.simulate.random_systems.dice import Dice, rounded
from tracelith.simulate.random_systems.draft import CallDraft, EntryDraft, OperationDraft, SystemDraft
from tracelith.simulate.random_systems.plans import Cause, Tails
from tracelith.simulate.random_systems.vocabulary import plural
from tracelith.simulate.random_systems.weaving import new_operation

__all__ = ["PlantedTail", "plant_tails"]

_CLOSE_ENOUGH = 0.12  # between the share that was wanted and the one that was found
_ABOUT = 1.5  # factor between the slowdown that was wanted and the one that was found
_RIVAL_AT_MOST = 0.3  # share of a long tail that something else may have


@dataclass(frozen=True, slots=True)
class PlantedTail:
    """A hop that makes the slowest requests of an entry operation slow.

    Attributes:
        service, operation: of the entry. hop: the service in which, or the peer for which ``caller`` waits.
        kind: service, datastore or external. share: of the slowest percent's extra time, about. slowdown: how many
            times as long as ordinary ones these take, about.
        told: the cause for people.
    """

    service: str
    operation: str
    hop: str
    caller: str
    kind: str
    cause: Cause
    share: float
    slowdown: float
    told: str

    def planted(self) -> dict[str, Any]:
        """JSON-ready, for truth.json."""
        return {
            "service": self.service,
            "operation": self.operation,
            "hop": self.hop,
            "caller": self.caller,
            "kind": self.kind,
            "cause": self.cause,
            "aimed_share": self.share,
            "aimed_slowdown": self.slowdown,
        }


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a cause is planted in."""

    dice: Dice
    draft: SystemDraft
    network: Latency


@dataclass(frozen=True, slots=True)
class _Placed:
    """A cause where it acts, its strength still open.

    Attributes:
        among: the steps at whose end it stands. step: it at a strength. bounds: of the strength.
        calls: further calls that it needs.
    """

    among: list[Step]
    step: Callable[[float], Step]
    bounds: tuple[float, float]
    place: Place
    hop: str
    kind: str
    told: str
    calls: tuple[CallDraft, ...] = ()


def plant_tails(dice: Dice, draft: SystemDraft, tails: Tails, network: Latency) -> list[PlantedTail]:
    """Plants a hop below each entry operation whose chain serves nobody else; those where none fits stay ordinary."""
    ground = _Ground(dice, draft, network)
    planted = [_plant(ground, entry, tails) for entry in draft.entries if entry.fresh]
    return [tail for tail in planted if tail is not None]


def _plant(ground: _Ground, entry: EntryDraft, tails: Tails) -> PlantedTail | None:
    dice, spine = ground.dice, entry.spine()
    wanted = _wanted(dice, tails)
    where = spine[min(dice.whole(tails.hops_away), len(spine) - 1)]
    for cause in dice.some(tails.causes, len(tails.causes)):
        placed = _PLACES[cause](ground, where)
        if placed is None:
            continue
        before = where.calls
        where.calls = [*before, *placed.calls]
        seed = dice.whole((0, 2**31))
        found = _aim(placed, entry, wanted, ground.network, seed=seed)
        rival = None
        if wanted.slowdown > 1.0:
            rival, found = _with_rival(ground, entry, placed, wanted, seed=seed)
        if _is_close(found, wanted):
            return _planted(entry.operation, placed, cause, found, rival)
        if rival is not None:
            rival.among.pop()
        placed.among.pop()
        where.calls = before
    return None


def _wanted(dice: Dice, tails: Tails) -> Tail:
    """The tail that a cause is to make; a slowdown of 1 asks for none in particular."""
    share = dice.between(tails.share)
    if tails.long > 0 and dice.chance(tails.long):
        return Tail(max(share, 1 - _RIVAL_AT_MOST), dice.between(tails.slowdown))
    return Tail(share, 1.0)


def _with_rival(
    ground: _Ground, entry: EntryDraft, placed: _Placed, wanted: Tail, *, seed: int
) -> tuple[_Placed | None, Tail]:
    """A cause that makes requests many times as long leaves nothing of the tail to others: another one, elsewhere.

    Returns:
        it, None where there is no other place, and the tail seen from the place that was planted first.
    """
    elsewhere = [operation for operation in entry.spine() if operation.service.name != placed.place[0]]
    rival = _heavy_requests(ground, ground.dice.pick(elsewhere)) if elsewhere else None
    if rival is not None:
        _aim(rival, entry, Tail(1 - wanted.share, 1.0), ground.network, seed=seed)
    return rival, sampled_tail(entry.operation.freeze(), placed.place, ground.network, seed)


def _is_close(found: Tail, wanted: Tail) -> bool:
    slowdown = wanted.slowdown == 1.0 or wanted.slowdown / _ABOUT <= found.slowdown <= wanted.slowdown * _ABOUT
    return abs(found.share - wanted.share) <= _CLOSE_ENOUGH and slowdown


def _planted(entry: OperationDraft, placed: _Placed, cause: Cause, found: Tail, rival: _Placed | None) -> PlantedTail:
    return PlantedTail(
        entry.service.name,
        entry.freeze().name,
        placed.hop,
        placed.place[0],
        placed.kind,
        cause,
        round(found.share, 2),
        round(found.slowdown, 1),
        placed.told if rival is None else f"{placed.told}; less often, {rival.told}",
    )


def _aim(placed: _Placed, entry: EntryDraft, wanted: Tail, network: Latency, *, seed: int) -> Tail:
    """Gives the cause the strength at which it makes about that tail, and says which one it is."""
    placed.among.append(placed.step(placed.bounds[0]))

    def operation_at(strength: float) -> Operation:
        placed.among[-1] = placed.step(rounded(strength))
        return entry.operation.freeze()

    strength = aimed_strength(operation_at, placed.bounds, place=placed.place, least=wanted, network=network, seed=seed)
    return sampled_tail(operation_at(strength), placed.place, network, seed)


def _stalls(ground: _Ground, where: OperationDraft) -> _Placed:
    rarely = ground.dice.between((35, 70))

    def step(shortest_s: float) -> Step:
        return Stall(Episodes(rounded(shortest_s * rarely), shortest_s, rounded(shortest_s * 8), 1.6))

    told = "each of its instances stalls again and again, and whoever comes meanwhile waits"
    return _inside(where, where.before, step, (0.0003, 2.0), told)


def _queueing(ground: _Ground, where: OperationDraft) -> _Placed:
    name, busy = f"{where.service.name} connections", ground.dice.pick((0.3, 0.5, 0.7))

    def step(burst_ms: float) -> Step:
        return Wait(Queueing(name, busy, burst_ms, slot_ms=10.0))

    told = "requests queue there for a connection that others keep busy"
    return _inside(where, where.before, step, (0.3, 600.0), told)


def _heavy_requests(ground: _Ground, where: OperationDraft) -> _Placed:
    share = ground.dice.between((0.015, 0.05))

    def step(median_ms: float) -> Step:
        return Sometimes(share, (Work(Latency(median_ms, rounded(median_ms * 3))),))

    return _inside(where, where.before, step, (1.0, 3_000.0), "a few requests are much more work there than the others")


def _inside(
    where: OperationDraft, among: list[Step], step: Callable[[float], Step], bounds: tuple[float, float], told: str
) -> _Placed:
    name = where.service.name
    return _Placed(among, step, bounds, (name, ""), name, "service", f"{name}: {told}")


def _slow_table(ground: _Ground, where: OperationDraft) -> _Placed | None:
    name = where.service.name
    if name not in ground.draft.own_data:
        return None
    database, table = ground.draft.own_data[name], plural(name)
    ground.draft.table_owners[table] = name

    def step(ratio: float) -> Step:
        return Query(database, "SELECT", table, Latency(3.0, rounded(3.0 * ratio)))

    told = f"{name}: some statements on its table {table} take very long"
    hop = f"{database.system} {database.namespace}"
    return _Placed(where.data, step, (1.5, 400.0), (name, database.address), hop, "datastore", told)


def _slow_peer(_ground: _Ground, where: OperationDraft) -> _Placed:
    name = where.service.name
    address = f"api.{name}-bureau.example"

    def step(ratio: float) -> Step:
        return External(address, "POST", "/v1/requests", Latency(12.0, rounded(12.0 * ratio)))

    told = f"{name}: {address}, which belongs to somebody else, sometimes answers late"
    return _Placed(where.data, step, (1.05, 120.0), (name, address), address, "external", told)


def _fan_out(ground: _Ground, where: OperationDraft) -> _Placed | None:
    draft = ground.draft
    later = [other for tier in draft.tiers[draft.tier_of(where.service) + 1 :] for other in tier]
    if not later or not where.hops:
        return None
    leaf = ground.dice.pick(later)
    operation = new_operation(ground.dice, draft, leaf, listed=False)
    legs = ground.dice.whole((4, 7))
    calls = tuple(CallDraft(operation, together=True) for _ in range(legs))

    def step(ratio: float) -> Step:
        return Work(Latency(4.0, rounded(4.0 * ratio)))

    told = f"{where.service.name} asks {leaf.name} {legs} times at once, and the slowest answer decides"
    return _Placed(operation.after, step, (1.2, 150.0), (leaf.name, ""), leaf.name, "service", told, calls)


_PLACES: dict[Cause, Callable[[_Ground, OperationDraft], _Placed | None]] = {
    "stalls": _stalls,
    "queueing": _queueing,
    "slow table": _slow_table,
    "slow peer": _slow_peer,
    "fan-out": _fan_out,
    "heavy requests": _heavy_requests,
}
