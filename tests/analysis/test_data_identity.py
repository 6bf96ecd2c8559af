"""Which names mean one server, database and table, and how surely."""

import pytest

from tracelith.analysis.datastores.identity import Place, Said, Table, locate, tables_of
from tracelith.analysis.datastores.ownership import _namesake
from tracelith.model.declarations import Declarations


def place(
    address: str, namespace: str = "orders.public", *others: str, system: str = "postgresql", **declared
) -> Place:
    """Where a service goes that says this address, while other services say others."""
    said = [Said(f"s{number}", system, one, namespace) for number, one in enumerate((address, *others))]
    return locate(said, Declarations(**declared))[said[0]]


def test_a_server_with_a_name_is_surely_itself() -> None:
    found = place("orders-db.internal:5432")

    assert (found.server, found.namespace, found.confidence) == ("orders-db.internal:5432", "orders.public", "high")
    assert not found.remark


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        ("x.cluster-ro-abc1.eu-west-1.rds.amazonaws.com:5432", "x.cluster-abc1.eu-west-1.rds.amazonaws.com:5432"),
        ("orders-ro.data.svc:5432", "orders-rw.data.svc:5432"),
        ("orders-replica-2:5432", "orders-primary:5432"),
        ("mongo-1.mongo.data.svc:27017", "mongo-0.mongo.data.svc:27017"),
    ],
)
def test_readers_and_writers_of_a_cluster_are_one_server(reader: str, writer: str) -> None:
    one, other = place(reader, "orders", writer), place(writer, "orders", reader)

    assert one.server == other.server
    assert one.confidence == "medium"
    assert "cluster" in one.remark


def test_servers_that_only_begin_alike_are_two() -> None:
    assert (
        place("orders-db:5432", "x", "orders-log:5432").server != place("orders-log:5432", "x", "orders-db:5432").server
    )
    assert place("shop-1.eu:5432", "x", "shop-2.eu:5432").confidence == "high"


@pytest.mark.parametrize("address", ["localhost:5432", "127.0.0.1:5432", "[::1]:5432", "/var/run/postgresql"])
def test_a_local_server_is_another_one_for_every_service(address: str) -> None:
    said = [Said("orders", "postgresql", address, "app"), Said("users", "postgresql", address, "app")]
    found = locate(said, Declarations())

    assert found[said[0]].server != found[said[1]].server
    assert found[said[0]].confidence == "low"
    assert "alias" in found[said[0]].remark


def test_declared_aliases_and_rewrites_count_first() -> None:
    assert place("localhost:5432", datastore_aliases={"localhost": "company-db"}).server == "company-db"
    rewritten = place("pg-7f9c.pods:5432", datastore_rewrites={r"pg-[0-9a-f]+\.pods": "pg"})
    assert (rewritten.server, rewritten.confidence) == ("pg:5432", "high")


def test_a_pooler_hides_what_is_behind_it() -> None:
    assert place("pgbouncer:6432", "orders.public").confidence == "medium"
    assert place("pgbouncer:6432", "postgres").confidence == "low"
    assert place("orders.proxy-abc1.eu-west-1.rds.amazonaws.com", "orders").remark
    assert place("10.2.3.4:5432").confidence == "medium"


def test_a_call_without_a_server_is_taken_to_the_only_one_with_that_database() -> None:
    adopted = place("", "orders.public", "orders-db:5432")

    assert (adopted.server, adopted.confidence) == ("orders-db:5432", "medium")
    assert place("", "orders.public", "a:5432", "b:5432").server == ""
    assert place("", "postgres", "orders-db:5432").server == ""
    assert place("", "postgres").confidence == "low"


def named(place: Place, *names: str, more: tuple[tuple[Place, str], ...] = ()) -> list[str]:
    found = tables_of([*((place, name) for name in names), *more])
    return [found[place, name].name for name in names]


def in_place(namespace: str, system: str = "postgresql") -> Place:
    return place("db:5432", namespace, system=system)


def test_a_table_is_in_the_schema_it_is_named_with() -> None:
    assert named(in_place("company.order_line"), "orders", "sales.orders", '"Sales"."Orders"') == [
        "company.order_line.orders",
        "company.sales.orders",
        "company.sales.orders",
    ]
    assert named(in_place("company|sales"), "orders") == ["company.sales.orders"]
    assert named(in_place("shop", "mysql"), "orders", "crm.users", "`crm`.`users`") == [
        "shop.orders",
        "crm.users",
        "crm.users",
    ]
    assert named(in_place("shop", "mongodb"), "fs.files") == ["shop.fs.files"]


def test_a_table_without_its_schema_is_in_the_only_one_known() -> None:
    known = ((in_place("company.public"), "users"), (in_place("company.audit"), "users"))

    assert named(in_place("company"), "users", more=known) == ["company.public.users"]
    assert named(in_place("company"), "users", more=known[1:]) == ["company.audit.users"]
    assert named(in_place("company"), "users") == ["company.users"]


def test_a_table_without_its_database_is_in_the_only_one_that_has_it() -> None:
    known = ((in_place("shop", "mysql"), "orders"),)

    assert named(in_place("", "mysql"), "orders", more=known) == ["shop.orders"]
    assert named(in_place("", "mysql"), "orders", more=(*known, (in_place("crm", "mysql"), "orders"))) == ["orders"]


@pytest.mark.parametrize(
    ("table", "namespace", "server", "services", "owner"),
    [
        ("users", "app.public", "db:5432", ["auth", "user-service"], "user-service"),
        ("order_lines", "app.public", "db:5432", ["order", "order-line"], "order-line"),
        ("order_status", "app.public", "db:5432", ["order", "billing"], "order"),
        ("lines", "company.order_line", "db:5432", ["order", "order-line"], "order-line"),
        ("lines", "orders.public", "db:5432", ["shop/orders", "billing"], "shop/orders"),
        ("lines", "app.public", "warehouses-db.internal:5432", ["warehouse", "billing"], "warehouse"),
        ("lines", "app.public", "db:5432", ["order", "billing"], None),
        ("data", "app.public", "db:5432", ["data", "api"], None),
    ],
)
def test_a_table_is_named_after_one_of_its_users(table, namespace, server, services, owner) -> None:
    assert _namesake(Table("postgresql", server, namespace, table), services) == owner
