"""Declared names that no span bears are told, with the name that was probably meant."""

from tracelith.analysis.quality.absent_services import absent_services
from tracelith.model.declarations import Declarations

SEEN = {"api-gateway", "order", "billing"}


def test_a_misspelt_name_is_told_with_the_one_it_is_most_like() -> None:
    declared = Declarations(gateways=frozenset({"api-gatway"}), table_owners={"shop.orders": "orders"})

    assert absent_services(declared, SEEN) == [
        {"declared_in": "gateways", "service": "api-gatway", "similar": "api-gateway"},
        {"declared_in": "table_owners", "service": "orders", "similar": "order"},
    ]


def test_a_service_that_is_merely_silent_is_told_without_a_guess() -> None:
    declared = Declarations(service_owners={"mainframe": "core", "order": "checkout"})

    assert absent_services(declared, SEEN) == [{"declared_in": "service_owners", "service": "mainframe", "similar": ""}]


def test_nothing_is_said_of_anybody_while_there_are_no_spans() -> None:
    assert absent_services(Declarations(gateways=frozenset({"api-gateway"})), set()) == []
