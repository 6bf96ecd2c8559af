"""What is true of systems whose answers can be told without a simulation."""

import numpy as np
import pytest

from small_systems import small_system
from tracelith.evaluate.claims import Case, Truth, hop_subject
from tracelith.evaluate.detectors import DETECTORS
from tracelith.evaluate.one_case import simulation_of
from tracelith.evaluate.truth import truths_of
from tracelith.evaluate.truth.deployments import _unbound
from tracelith.evaluate.truth.requests import tail_shares
from tracelith.simulate.releases import ReleaseHabit

ALL = tuple(one.name for one in DETECTORS)


def truths(system: str, *detectors: str, weeks: int = 8, **changes: object) -> dict[tuple[str, str], Truth]:
    case = Case(system, 1, weeks, 12_000, detectors=detectors or ALL, **changes)  # type: ignore[arg-type]  # fields of Case
    return {(one.detector, one.subject): one for one in truths_of(case, simulation_of(case))}


def test_6_3_tail_attribution_oracle() -> None:
    spent = np.array(
        [
            (10, 20, 5), (12, 22, 6), (11, 25, 5), (10, 21, 5), (13, 24, 6),
            (10, 23, 5), (12, 20, 7), (11, 22, 5), (12, 90, 6), (40, 80, 5),
        ],
        float,
    )  # fmt: skip

    slow, ordinary = tail_shares(spent.sum(axis=1), spent, 0.8)

    assert slow == pytest.approx([26, 85, 5.5])
    assert ordinary == pytest.approx([12, 21, 6.5])
    excess = slow - ordinary
    assert excess / excess.sum() == pytest.approx([0.1818, 0.8312, -0.0130], abs=1e-4)


def test_the_login_is_four_hops_deep_and_permissions_makes_its_tail() -> None:
    found = truths("login", "deep-chain", "depth-p95", "depth-max", "tail-hop")

    assert found["deep-chain", "gateway POST /login"].positive is True
    assert found["depth-p95", "gateway POST /login"].value == 4
    assert found["depth-max", "gateway POST /login"].value == 4
    assert found["deep-chain", "gateway GET /invoices"].positive is False
    assert found["tail-hop", hop_subject("gateway", "POST /login", "permissions")].positive is True
    assert found["tail-hop", hop_subject("gateway", "POST /login", "auth")].positive is False


def test_edges_say_who_waits_and_services_carry_their_namespace() -> None:
    login, trading = truths("login", "edge", "sync-edge"), truths("trading", "edge")

    assert login["sync-edge", "auth → user"].positive is True
    assert login["sync-edge", "auth → notification"].positive is False
    assert ("edge", "market-data/ticks → market-data/quotes") in trading


def test_planted_groups_are_bound_and_other_pairs_are_not() -> None:
    found = truths("login", "codeployment-pair", "codeployment-rate", "codeployment-excess", weeks=26)

    assert found["codeployment-pair", "auth + billing"].positive is True
    assert found["codeployment-pair", "auth + gateway"].positive is False
    assert found["codeployment-rate", "auth with billing"].value == pytest.approx(0.93, abs=0.06)
    # What coincides without bonds is little: about four deployments a week in 45 hours, one hour around each.
    assert 0.8 < (found["codeployment-excess", "auth with billing"].value or 0) < 1
    # Where nothing is bound, whether a pair is claimed says all: a thousand zeros would only flatter the intervals.
    assert ("codeployment-rate", "auth with gateway") in found
    assert ("codeployment-excess", "auth with gateway") not in found


def test_without_bonds_each_service_is_deployed_as_often_as_before_and_alone() -> None:
    pair = ReleaseHabit(("front", "back"), per_week=2, within_min=5, follows=0.5)
    alone = ReleaseHabit(("back",), per_week=3, follows=0.25)

    apart = _unbound(small_system(habits=(pair, alone)))

    # The first of a habit always takes part and the second every other time; of a single one ``follows`` says nothing.
    rates = [(habit.services, habit.per_week) for habit in apart.habits]
    assert rates == [(("front",), 2), (("back",), 1), (("back",), 3)]


def test_a_train_is_lockstep_but_binds_nobody() -> None:
    found = truths("train", "lockstep", "lockstep-excess", "codeployment-pair", "codeployment-excess", weeks=26)

    assert found["lockstep", "system"].positive is True
    assert not any(one.positive for (detector, _), one in found.items() if detector == "codeployment-pair")
    assert not any(detector == "codeployment-excess" for detector, _ in found)


def test_who_is_released_together_may_be_told_so_however_healthy() -> None:
    calm, train = (truths(name, "alarm", healthy=True, weeks=12) for name in ("gateway", "train"))

    assert ("alarm", "system-lockstep") not in calm
    assert train["alarm", "system-lockstep"].positive is None


def test_a_modular_system_shares_its_database_openly() -> None:
    found = truths("modular", "shared-datastore", "alarm", healthy=True, weeks=12)

    assert any(one.positive for (detector, _), one in found.items() if detector == "shared-datastore")
    assert ("alarm", "codeployment-pair") in found


def test_the_same_case_has_the_same_truths_and_defects_do_not_change_them() -> None:
    whole, again, lossy = (truths("random-tail", weeks=1, lost=lost) for lost in (0.0, 0.0, 0.2))

    assert whole == again == lossy
