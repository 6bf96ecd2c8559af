"""Who uses whose tables: foreign writes and reads, joins, owners, and who is not accused of any."""

import pytest

from analysis.data_worlds import DAYS, asks, data_document, rules_of, system, table_of
from analysis.pipelines import document_of
from tracelith.analysis import data_ownership


def finding(document, rule):
    return next(one for one in document["findings"] if one["rule"] == rule)


def test_8_write_shares_oracle() -> None:
    shares = [asks("a", "UPDATE t")] * 16 + [asks("b", "UPDATE t")] * 3 + [asks("c", "INSERT t")]
    document = data_document((system(*shares), DAYS), copies=2)

    table = table_of(document, "t")
    assert table["effective_writers"]["value"] == pytest.approx(1.504, abs=0.001)  # HHI .665
    assert table["foreign_write_share"]["value"] == pytest.approx(0.20)
    assert (table["owner"], table["owner_by"], table["band"], table["level"]) == ("a", "writes", "strong", "written")


def test_8_two_equal_writers_are_two() -> None:
    document = data_document((system(asks("a", "UPDATE t"), asks("b", "UPDATE t")), DAYS))

    table = table_of(document, "t")
    assert table["effective_writers"]["value"] == pytest.approx(2)
    assert table["owner"] is None
    assert table["foreign_write_share"]["value"] == pytest.approx(0.5)


def test_a_table_that_others_write_is_told_with_its_writers_and_examples() -> None:
    text = system(*[asks("orders", "UPDATE orders")] * 3, asks("billing", "UPDATE orders"))
    document = data_document((text, DAYS))

    told = finding(document, "foreign-write")
    assert told["subjects"] == ["shop-db:5432 shop.public.orders", "orders", "billing"]
    assert told["severity"] == "critical"
    assert told["title"] == "25 % of the writes to shop.public.orders come from billing, not from orders"
    assert told["metric"]["ci"][0] > 0.1
    assert 1 <= len(told["evidence"]["trace_ids"]) <= 3
    assert all(len(trace) == 32 for trace in told["evidence"]["trace_ids"])


def test_few_foreign_writes_are_a_warning_and_fewer_than_one_in_a_hundred_fine() -> None:
    few = system(*[asks("orders", "UPDATE orders")] * 24, asks("billing", "UPDATE orders"))
    fewer = system(*[asks("orders", "UPDATE orders")] * 199, asks("billing", "UPDATE orders"))

    assert finding(data_document((few, DAYS)), "foreign-write")["severity"] == "warning"
    rare = data_document((fewer, DAYS), copies=2)
    assert rules_of(rare) == []
    assert table_of(rare, "orders")["level"] == "written"


def test_absence_of_foreign_writes_has_an_upper_bound_by_the_rule_of_three() -> None:
    text = system(*[asks("orders", "UPDATE orders")] * 5, asks("billing", "SELECT orders"))
    table = table_of(data_document((text, DAYS)), "orders")

    assert table["foreign_write_share"]["value"] == 0
    assert table["foreign_write_share"]["ci"][1] == pytest.approx(3 / (5 * 4 * 7), rel=0.2)
    few = table_of(data_document((asks("orders", "UPDATE orders"), [0]), copies=3), "orders")
    assert (few["status"], few["band"]) == ("insufficient_data", "unknown")
    assert "10 writes" in few["reason"]


def test_readers_of_a_table_that_another_writes_are_told() -> None:
    text = system(asks("orders", "UPDATE orders"), asks("orders", "SELECT orders"), asks("report", "SELECT orders"))
    document = data_document((text, DAYS))

    told = finding(document, "foreign-read")
    assert told["subjects"] == ["shop-db:5432 shop.public.orders", "orders", "report"]
    assert told["severity"] == "warning"
    assert told["metric"]["value"] == pytest.approx(0.5)
    assert table_of(document, "orders")["level"] == "read"


def test_reading_what_nobody_writes_is_worth_knowing_only() -> None:
    text = system(*[asks("currency", "SELECT currencies")] * 3, asks("price", "SELECT currencies"))
    document = data_document((text, DAYS))

    assert finding(document, "foreign-read")["severity"] == "info"
    assert "Nobody wrote" in finding(document, "foreign-read")["advice"]
    assert table_of(document, "currencies")["owner"] == "currency"


def test_a_nightly_job_that_reads_what_another_writes_is_foreign_use_all_the_same() -> None:
    job = "report INTERNAL nightly 0..900ms\n" + "".join(
        f"  report CLIENT q 5..{9 + n}ms db=postgresql namespace=shop.public statement=SELECT+orders peer=db:1\n"
        for n in range(5)
    )
    document = data_document((asks("orders", "UPDATE orders", peer="db:1"), DAYS), (job, range(17, 7 * 24, 24)))

    assert finding(document, "foreign-read")["subjects"][2] == "report"


def test_a_join_across_owners_is_told_with_its_tables() -> None:
    text = system(
        asks("user", "UPDATE users"),
        asks("billing", "UPDATE subscriptions"),
        asks("billing", "SELECT subscriptions users"),
    )
    document = data_document((text, DAYS))

    told = finding(document, "cross-owner-join")
    assert told["subjects"] == [
        "billing",
        "shop-db:5432 shop.public.subscriptions",
        "shop-db:5432 shop.public.users",
    ]
    (join,) = document["datastores"]["joins"]
    assert (join["owners"], join["calls"]) == (["billing", "user"], 28)
    assert len(join["trace_ids"]) == 3


def test_a_join_of_ones_own_tables_is_not_accused() -> None:
    text = system(asks("shop", "UPDATE orders"), asks("shop", "SELECT orders lines"))

    document = data_document((text, DAYS))
    assert rules_of(document) == []
    assert document["datastores"]["joins"] == []


def test_a_declared_owner_counts_before_whoever_writes() -> None:
    text = system(asks("auth", "UPDATE people"), asks("billing", "SELECT people"))
    inferred, declared = (
        data_document((text, DAYS), table_owners=owners) for owners in ({}, {"shop.public.people": "billing"})
    )

    assert finding(inferred, "foreign-read")["subjects"][1:] == ["auth", "billing"]
    assert "declare" in finding(inferred, "foreign-read")["advice"]
    assert finding(declared, "foreign-write")["subjects"][1:] == ["billing", "auth"]
    assert table_of(declared, "people")["owner_by"] == "declared"


def test_a_table_belongs_to_its_namesake_even_if_a_stranger_does_all_the_writing() -> None:
    text = system(asks("auth", "UPDATE users"), asks("user", "SELECT users"), asks("mail", "SELECT users"))
    document = data_document((text, DAYS))

    told = finding(document, "foreign-write")
    assert rules_of(document) == ["foreign-write"]
    assert told["subjects"][1:] == ["user", "auth"]
    assert told["title"] == ("100 % of the writes to shop.public.users come from auth, not from user; mail reads it")
    assert told["severity"] == "warning"
    assert told["evidence"]["readers"] == ["mail"]
    assert "declare its owner" in told["advice"]


def test_who_alters_a_table_that_nobody_writes_owns_it() -> None:
    text = system(*[asks("audit", "SELECT t")] * 3, asks("ledger", "SELECT t"))
    document = data_document((text, DAYS), (asks("ledger", "ALTER TABLE t"), [30]))

    assert (table_of(document, "t")["owner"], table_of(document, "t")["owner_by"]) == ("ledger", "migrations")


# --- who is not accused --------------------------------------------------------------------------------------------


def test_sharing_a_server_or_a_database_without_a_common_table_is_not_accused() -> None:
    text = system(
        asks("orders", "UPDATE orders", namespace="orders.public"),
        asks("users", "UPDATE users", namespace="users.public"),
        asks("mails", "UPDATE mails", namespace="users.public"),
        asks("ledgers", "UPDATE orders", namespace="ledgers.public"),
    )
    document = data_document((text, DAYS))

    assert rules_of(document) == []
    assert document["datastores"]["pairs"] == []
    sharing = {row["namespace"]: row["sharing"] for row in document["datastores"]["stores"]}
    assert sharing == {"orders.public": "server", "users.public": "namespace", "ledgers.public": "server"}


def test_the_same_table_name_on_other_servers_is_not_accused() -> None:
    text = system(asks("a", "UPDATE users", peer="a-db:5432"), asks("b", "UPDATE users", peer="b-db:5432"))

    assert rules_of(data_document((text, DAYS))) == []


def test_services_with_local_databases_are_not_accused() -> None:
    text = system(asks("a", "UPDATE users", peer="localhost:5432"), asks("b", "UPDATE users", peer="localhost:5432"))

    document = data_document((text, DAYS))
    assert rules_of(document) == []
    assert {row["confidence"] for row in document["datastores"]["stores"]} == {"low"}


def test_databases_of_one_common_name_without_a_server_are_not_accused() -> None:
    text = system(*(asks(name, "UPDATE users", namespace="postgres", peer="") for name in "ab"))
    document = data_document((text, DAYS))

    assert rules_of(document, accusing=True) == []
    assert "not sure" in finding(document, "foreign-write")["advice"]


def test_what_is_behind_a_pooler_without_a_name_of_its_own_is_not_accused() -> None:
    text = system(*(asks(name, "UPDATE users", namespace="app", peer="pgbouncer:6432") for name in "ab"))

    assert rules_of(data_document((text, DAYS)), accusing=True) == []


def test_readers_and_writers_of_one_cluster_are_one_database() -> None:
    text = system(
        asks("orders", "UPDATE orders", peer="shop-rw.svc:5432"),
        asks("report", "SELECT orders", peer="shop-ro.svc:5432"),
    )

    assert rules_of(data_document((text, DAYS))) == ["foreign-read"]


@pytest.mark.parametrize("store", ["redis", "memcached", "elasticsearch"])
def test_a_shared_cache_or_search_index_is_not_accused(store: str) -> None:
    text = system(
        *(
            f"{name} SERVER GET /{name} 0..30ms\n"
            f"  {name} CLIENT set 5..9ms db={store} namespace=0 object=carts action=SET peer=cache:6379\n"
            for name in ("a", "b")
        )
    )
    document = data_document((text, DAYS))

    assert rules_of(document) == []
    assert document["datastores"]["stores"][0]["kind"] != "database"
    assert document["datastores"]["tables"] == []


@pytest.mark.parametrize(
    "table", ["outbox", "order_outbox", "flyway_schema_history", "shedlock", "pg_catalog.pg_class"]
)
def test_outboxes_and_tables_of_tools_are_not_accused(table: str) -> None:
    text = system(asks("orders", f"INSERT {table}"), asks("relay", f"DELETE {table}"), asks("relay", f"SELECT {table}"))

    document = data_document((text, DAYS))
    assert rules_of(document) == []
    assert document["datastores"]["tables"][0]["purpose"] != "data"


def test_a_one_off_backfill_is_not_accused() -> None:
    backfill = asks("migrator", "UPDATE orders")
    document = data_document((asks("orders", "UPDATE orders"), DAYS), (system(*[backfill] * 40), [5, 6, 7, 30]))

    assert rules_of(document) == []
    users = {use["service"]: use for use in table_of(document, "orders")["users"]}
    assert (users["migrator"]["writes"], users["migrator"]["days"]) == (640, 2)
    assert not users["migrator"]["regular"]


def test_migrations_are_not_accused_however_often_they_run() -> None:
    text = system(asks("orders", "UPDATE orders"), asks("deployer", "ALTER TABLE orders"))

    assert rules_of(data_document((text, DAYS))) == []


def test_a_burst_within_one_day_of_data_is_not_accused() -> None:
    document = data_document(
        (asks("orders", "UPDATE orders"), range(24)), (system(*[asks("admin", "UPDATE orders")] * 20), [3, 4]), days=1
    )

    assert rules_of(document) == []


def test_regular_foreign_use_within_two_hours_is_told() -> None:
    from analysis.pipelines import analysed, batches, over_windows

    text = system(asks("orders", "UPDATE orders"), asks("billing", "UPDATE orders"))
    document = analysed([batches(over_windows(text, copies=4, windows=25))], analyses=[data_ownership.ANALYSIS])

    assert rules_of(document) == ["foreign-write"]


def test_an_application_and_its_worker_are_not_accused() -> None:
    def release(version: str) -> str:
        return system(
            *(asks(name, "UPDATE orders", more=f"version={version}") for name in ("app", "worker")),
            asks("other", "UPDATE others", more="version=9.1"),
        )

    document = data_document((release("1.4"), range(0, 3 * 24, 24)), (release("1.5"), range(3 * 24, 7 * 24, 24)))

    assert rules_of(document) == []
    assert "one program" in table_of(document, "orders")["remark"]
    assert document["datastores"]["pairs"] == []


def test_services_that_all_carry_one_version_are_no_application_and_its_worker() -> None:
    text = system(*(asks(name, "UPDATE orders", more="version=1.4") for name in "abc"))

    assert rules_of(data_document((text, DAYS))) == ["foreign-write"]


@pytest.mark.parametrize(
    "folded",
    [
        asks("a", "UPDATE (other)"),
        asks("(other)", "UPDATE orders"),
        asks("a", "UPDATE orders", peer="(other)"),
        asks("a", "UPDATE orders", namespace="(other)"),
    ],
)
def test_many_that_are_kept_under_one_name_are_not_accused(folded: str) -> None:
    text = system(folded, folded.replace("a SERVER", "b SERVER").replace("a CLIENT", "b CLIENT"))

    document = data_document((system(text, asks("orders", "UPDATE orders")), DAYS))
    assert rules_of(document) == []
    assert document["datastores"]["calls_without_table"] == 2 * 28


def test_writes_that_failed_wrote_nothing() -> None:
    denied = asks("intern", "UPDATE orders").replace("5..9ms", "5..9ms !")

    document = data_document((system(asks("orders", "UPDATE orders"), denied), DAYS))
    assert rules_of(document) == []
    assert table_of(document, "orders")["effective_writers"]["value"] == 1


# --- pairs and missing evidence --------------------------------------------------------------------------------------


def test_pairs_share_as_much_as_their_use_of_the_same_tables_overlaps() -> None:
    text = system(
        *[asks("a", "UPDATE t")] * 3,  # 3 and 1 uses of t, 1 use of a table of a's own
        asks("b", "SELECT t"),
        asks("a", "UPDATE own"),
    )
    document = data_document((text, DAYS))

    (pair,) = document["datastores"]["pairs"]
    assert (pair["a"], pair["b"], pair["tables"], pair["written"]) == ("a", "b", ["shop.public.t"], True)
    assert pair["overlap"]["value"] == pytest.approx(1 / 4)
    low, high = pair["overlap"]["ci"]
    assert low <= 1 / 4 <= high


def test_two_readers_of_a_third_services_table_are_no_pair() -> None:
    text = system(asks("owner", "UPDATE t"), asks("b", "SELECT t"), asks("c", "SELECT t"))

    pairs = {(pair["a"], pair["b"]) for pair in data_document((text, DAYS))["datastores"]["pairs"]}
    assert pairs == {("b", "owner"), ("c", "owner")}


def test_calls_that_name_no_table_are_counted_and_never_read_as_healthy() -> None:
    nameless = "a SERVER GET /a 0..30ms\n  a CLIENT query 5..9ms db=postgresql namespace=shop peer=shop-db:5432\n"
    part = data_document((nameless, DAYS))["datastores"]

    assert (part["calls"], part["calls_without_table"], part["status"]) == (28, 28, "insufficient_data")
    many = data_document((system(*[nameless] * 5), DAYS))["datastores"]
    assert many["status"] == "not_identifiable"
    assert "db.query.text" in many["reason"]


def test_without_databases_nothing_is_said() -> None:
    part = document_of("a SERVER GET /a 0..30ms")["datastores"]

    assert part["status"] == "insufficient_data"
    assert part["tables"] == part["stores"] == part["pairs"] == []
    assert part.keys() == data_ownership.ANALYSIS.without_evidence("why")["datastores"].keys()
