"""What was missed, question by question: errors first, then what nothing was said of, each with its command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from tracelith.evaluate.one_case import UNTIL
from tracelith.evaluate.page import words
from tracelith.present import text
from tracelith.present.chart import Table

__all__ = ["MissGroup", "miss_groups"]


@dataclass(frozen=True, slots=True)
class MissGroup:
    """Misses of one question.

    Attributes:
        title: the question's name and how much of what there is. table: a row for each; commands: likewise.
    """

    title: str
    table: Table
    commands: tuple[Markup, ...]


def miss_groups(
    misses: Sequence[Mapping[str, Any]], detectors: Mapping[str, Mapping[str, Any]]
) -> tuple[MissGroup, ...]:
    """One group for each question with misses, in their order."""
    found = []
    places = {name: place for place, name in enumerate(detectors)}
    for name, group in groupby(
        sorted(misses, key=lambda one: places[one["detector"]]), key=lambda one: one["detector"]
    ):
        members = list(group)
        found.append(MissGroup(_title(name, members, detectors[name]), _table(members, detectors[name]), _all(members)))
    return tuple(found)


def _title(name: str, members: Sequence[Mapping[str, Any]], detector: Mapping[str, Any]) -> str:
    silent = sum(_is_silent(one) for one in members)
    several = "s" if len(members) - silent > 1 else ""
    wrong = "wrong" if detector["kind"] == "claim" else f"interval{several} beside the truth"
    parts = [f"{len(members) - silent} {wrong}"] if len(members) > silent else []
    return f"{name}: {', '.join([*parts, *([f'{silent} without an answer'] if silent else [])])}"


def _is_silent(miss: Mapping[str, Any]) -> bool:
    return miss["positive"] is not None and miss["claimed"] is None


def _table(members: Sequence[Mapping[str, Any]], detector: Mapping[str, Any]) -> Table:
    return Table.of(
        ("Subject", "Said", "True", "System"),
        (
            (
                text.printable(miss["subject"], 90) or "many that were not named",
                *words.said(miss, detector),
                f"{text.printable(miss['system'])}, seed {miss['seed']}",
            )
            for miss in members
        ),
    )


def _all(members: Sequence[Mapping[str, Any]]) -> tuple[Markup, ...]:
    return tuple(Markup("<code>{}</code>").format(_command(miss)) for miss in members)


def _command(miss: Mapping[str, Any]) -> str:
    train = "" if miss["train_share"] is None else f"--train {miss['train_share']:g} "
    return (
        f"tracelith simulate {miss['system']} --seed {miss['seed']} --weeks {miss['weeks']} --traces {miss['traces']} "
        f"{train}--until {UNTIL:%Y-%m-%d} --out system"
    )
