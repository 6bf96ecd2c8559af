"""A login that needs seven services: four awaited hops, one spiky, a locked table for all, deployments in fours."""

from tracelith.simulate.flow import (
    Answer,
    Call,
    Consumer,
    Entry,
    External,
    Job,
    Operation,
    Parallel,
    Query,
    Sometimes,
    Stall,
    Step,
    Task,
)
from tracelith.simulate.incidents import Moments, TableLock
from tracelith.simulate.latency import Episodes, Latency
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.systems.parts import NETWORK, change, kafka, look_up, postgresql, send, work
from tracelith.simulate.topology import Service, System
from tracelith.simulate.traffic_shape import Rush

__all__ = ["LOGIN"]

README = """\
# login

Signing in was one function once. Then it was split into services, and now a sign-in needs all seven of them.

`POST /login` reaches **gateway**, which asks **auth**, which asks **user**, which asks **billing** whether the account
is paid for, which asks **permissions** what the plan allows. Everybody waits for the next one: four awaited hops. Auth
then has **profile** note the visit, and puts a message on a queue from which **notification** writes an e-mail when the
device is new. Nobody waits for the e-mail.

Looked at one by one, every service is fine: each answers within a few milliseconds at the median. Signing in is not.
About every minute each instance of permissions rebuilds its role graph, for one to eight seconds, and whoever arrives
meanwhile waits. The chart of the slowest percent of sign-ins looks like a heartbeat monitor, and the dashboard of every
service above permissions shows the same spikes, so each team suspects the next.

All services keep their tables in one PostgreSQL cluster, in one schema, with foreign keys from everywhere to the users
table. It belongs to user, but billing joins it to its subscriptions, notification looks addresses up in it, and auth
writes to it at every sign-in. One morning, when everybody comes to work, user runs a migration on this table. It holds
its lock for 85 seconds. Whoever signs in meanwhile waits half a second for the table and gets an error.

A feature in this area touches auth, user, billing and permissions, so about twice a week these four are deployed within
minutes of each other. Gateway, profile and notification have their own rhythm.

`truth.json` says what was planted. Nothing in the traces gives it away.
"""

_gateway = Service("gateway", "nodejs", 3, "5.2")
_auth = Service("auth", "java", 3, "3.14")
_user = Service("user", "java", 3, "2.31")
_billing = Service("billing", "python", 2, "1.8")
_permissions = Service("permissions", "java", 3, "4.0")
_profile = Service("profile", "nodejs", 2, "1.22")
_notification = Service("notification", "python", 2, "0.9")

_cluster = postgresql("accounts-db", "accounts.public")
_sign_ins, _reset_requests, _renewals = kafka("sign-ins"), kafka("password-resets"), kafka("renewals")

_SCAN = Latency(85, 240)
_MIGRATION = 0.58784  # of the period; in one of twelve weeks, five past nine on a Monday


def _read(table: str, *joins: str) -> Query:
    return look_up(_cluster, table, *joins)


def _write(action: str, table: str) -> Query:
    return change(_cluster, action, table)


_evaluate = Operation(
    _permissions,
    "POST",
    "/permissions/evaluate",
    (
        work(0.8, 4),
        Stall(Episodes(every_s=64, shortest_s=1.0, longest_s=8.0, tail_index=1.6)),
        _read("role_grants"),
        Task("evaluate policy", (work(2.4, 9),)),
    ),
)
_plan = Operation(
    _billing,
    "GET",
    "/accounts/{id}/plan",
    (work(1.5, 7), _read("subscriptions", "users"), Call(_evaluate), work(0.7, 3)),
)
_account = Operation(
    _user,
    "GET",
    "/users/{id}",
    (work(1.1, 5), _read("users"), Call(_plan), work(0.6, 3)),
)
_last_seen = Operation(_profile, "PUT", "/profiles/{id}/last-seen", (work(0.9, 5), _write("UPDATE", "profiles")))
_session = Operation(
    _auth,
    "POST",
    "/sessions",
    (
        work(1.2, 6),
        _read("credentials"),
        Task("verify password", (work(24, 38),)),
        Answer(0.05, 401),
        Call(_account),
        _write("INSERT", "sessions"),
        _write("UPDATE", "users"),
        Call(_last_seen),
        send(_sign_ins),
        work(0.5, 2),
    ),
)
_login = Operation(_gateway, "POST", "/login", (work(1.3, 6), Call(_session), work(0.6, 3)))

_summary = Operation(_user, "GET", "/users/{id}/summary", (work(1.0, 5), _read("users")))
_read_profile = Operation(_profile, "GET", "/profiles/{id}", (work(1.4, 7), _read("profiles"), work(0.8, 4)))
_profile_page = Operation(
    _gateway,
    "GET",
    "/profile",
    (work(1.0, 5), Parallel(((Call(_read_profile),), (Call(_summary),))), work(1.2, 6)),
)

_invoices = Operation(
    _billing, "GET", "/accounts/{id}/invoices", (work(1.2, 6), _read("invoices"), work(1.0, 5), Answer(0.01, 404))
)
_invoice_page = Operation(_gateway, "GET", "/invoices", (work(1.1, 5), Call(_invoices), work(1.0, 4)))

_begin_reset = Operation(
    _auth,
    "POST",
    "/password-resets",
    (work(1.0, 5), _read("credentials"), _write("INSERT", "reset_tokens"), send(_reset_requests)),
)
_reset = Operation(_gateway, "POST", "/password-reset", (work(1.2, 5), Call(_begin_reset), work(0.5, 2)))

_renew = Job(
    _billing,
    "renew subscriptions",
    (
        work(12, 40),
        Query(_cluster, "SELECT", "subscriptions", _SCAN),
        Query(_cluster, "UPDATE", "subscriptions", _SCAN),
        Query(_cluster, "INSERT", "invoices", _SCAN),
        send(_renewals),
    ),
)


def _mail(share: float) -> tuple[Step, ...]:
    """Looks the address up and hands a mail to the provider for this share of the messages."""
    mail = External("api.mail-provider.example", "POST", "/v3/send", Latency(95, 480))
    return (work(1.5, 7), _read("users"), Sometimes(share, (mail, _write("INSERT", "mails"))))


LOGIN = System(
    name="login",
    title="Signing in needs seven services, four of them in a row; the slow percent looks like a heartbeat monitor",
    readme=README,
    services=(_gateway, _auth, _user, _billing, _permissions, _profile, _notification),
    entries=(
        Entry(_login, share=55),
        Entry(_profile_page, share=28),
        Entry(_invoice_page, share=12),
        Entry(_reset, share=5),
        Entry(_renew, nightly_hour=2.5),
    ),
    consumers=(
        Consumer(_notification, _sign_ins, "notification-sign-ins", Latency(18, 160), _mail(0.1)),
        Consumer(_notification, _reset_requests, "notification-resets", Latency(18, 160), _mail(1.0)),
        Consumer(_notification, _renewals, "notification-renewals", Latency(18, 160), _mail(1.0)),
    ),
    habits=(
        ReleaseHabit(("auth", "billing", "permissions", "user"), per_week=2.0, within_min=14),
        ReleaseHabit(("auth",), per_week=0.15),
        ReleaseHabit(("user",), per_week=0.15),
        ReleaseHabit(("billing",), per_week=0.2),
        ReleaseHabit(("permissions",), per_week=0.1),
        ReleaseHabit(("gateway",), per_week=1.1),
        ReleaseHabit(("profile",), per_week=1.4),
        ReleaseHabit(("notification",), per_week=0.9),
    ),
    network=NETWORK,
    incidents=(
        TableLock(
            _cluster,
            "users",
            Moments(at=(_MIGRATION,)),
            seconds=85,
            by="user",
            statement="ALTER TABLE users ALTER COLUMN locale SET NOT NULL",
            patience_s=0.5,
        ),
    ),
    rushes=(Rush(_MIGRATION, minutes=4, share=0.02),),
    table_owners={
        "credentials": "auth",
        "reset_tokens": "auth",
        "sessions": "auth",
        "users": "user",
        "invoices": "billing",
        "subscriptions": "billing",
        "role_grants": "permissions",
        "profiles": "profile",
        "mails": "notification",
    },
    planted={
        "tail": {
            "service": "gateway",
            "operation": "POST /login",
            "hop": "permissions",
            "kind": "service",
            "cause": "each instance stalls for 1 to 8 s about once a minute while it rebuilds its role graph",
        },
        "codeploying_groups": [["auth", "billing", "permissions", "user"]],
        "distributed_monolith": True,
    },
)
