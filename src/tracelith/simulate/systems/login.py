"""A login that needs seven services: four awaited hops, one spiky one, one database, and deployments in fours."""

from tracelith.simulate.flow import (
    Answer,
    Call,
    Consumer,
    Entry,
    External,
    Job,
    Operation,
    Parallel,
    Publish,
    Query,
    Sometimes,
    Stall,
    Step,
    Task,
    Work,
)
from tracelith.simulate.latency import Episodes, Latency
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.topology import Database, Service, System, Topic

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

All services keep their tables in one PostgreSQL cluster, in one schema. Billing and notification read the users table,
auth writes to it.

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

_cluster = Database("postgresql", "accounts-db.internal", 5432, "accounts.public")
_sign_ins = Topic("kafka", "broker.internal", 9092, "sign-ins")
_reset_requests = Topic("kafka", "broker.internal", 9092, "password-resets")
_renewals = Topic("kafka", "broker.internal", 9092, "renewals")

_LOOK_UP = Latency(1.6, 7)  # a row by its key
_CHANGE = Latency(2.8, 12)  # a row written, with its commit
_SCAN = Latency(85, 240)
_SEND = Latency(1.2, 6)


def _look_up(table: str) -> Query:
    return Query(_cluster, "SELECT", table, _LOOK_UP, failure=0.0002)


def _change(action: str, table: str) -> Query:
    return Query(_cluster, action, table, _CHANGE, failure=0.0003)


def _work(median_ms: float, p99_ms: float) -> Work:
    return Work(Latency(median_ms, p99_ms))


_evaluate = Operation(
    _permissions,
    "POST",
    "/permissions/evaluate",
    (
        _work(0.8, 4),
        Stall(Episodes(every_s=64, shortest_s=1.0, longest_s=8.0, tail_index=1.6)),
        _look_up("role_grants"),
        Task("evaluate policy", (_work(2.4, 9),)),
    ),
)
_plan = Operation(
    _billing,
    "GET",
    "/accounts/{id}/plan",
    (_work(1.5, 7), _look_up("subscriptions"), _look_up("users"), Call(_evaluate), _work(0.7, 3)),
)
_account = Operation(
    _user,
    "GET",
    "/users/{id}",
    (_work(1.1, 5), _look_up("users"), Call(_plan), _work(0.6, 3)),
)
_last_seen = Operation(_profile, "PUT", "/profiles/{id}/last-seen", (_work(0.9, 5), _change("UPDATE", "profiles")))
_session = Operation(
    _auth,
    "POST",
    "/sessions",
    (
        _work(1.2, 6),
        _look_up("credentials"),
        Task("verify password", (_work(24, 38),)),
        Answer(0.05, 401),
        Call(_account),
        _change("INSERT", "sessions"),
        _change("UPDATE", "users"),
        Call(_last_seen),
        Publish(_sign_ins, _SEND),
        _work(0.5, 2),
    ),
)
_login = Operation(_gateway, "POST", "/login", (_work(1.3, 6), Call(_session), _work(0.6, 3)))

_summary = Operation(_user, "GET", "/users/{id}/summary", (_work(1.0, 5), _look_up("users")))
_read_profile = Operation(_profile, "GET", "/profiles/{id}", (_work(1.4, 7), _look_up("profiles"), _work(0.8, 4)))
_profile_page = Operation(
    _gateway,
    "GET",
    "/profile",
    (_work(1.0, 5), Parallel(((Call(_read_profile),), (Call(_summary),))), _work(1.2, 6)),
)

_invoices = Operation(
    _billing, "GET", "/accounts/{id}/invoices", (_work(1.2, 6), _look_up("invoices"), _work(1.0, 5), Answer(0.01, 404))
)
_invoice_page = Operation(_gateway, "GET", "/invoices", (_work(1.1, 5), Call(_invoices), _work(1.0, 4)))

_begin_reset = Operation(
    _auth,
    "POST",
    "/password-resets",
    (_work(1.0, 5), _look_up("credentials"), _change("INSERT", "reset_tokens"), Publish(_reset_requests, _SEND)),
)
_reset = Operation(_gateway, "POST", "/password-reset", (_work(1.2, 5), Call(_begin_reset), _work(0.5, 2)))

_renew = Job(
    _billing,
    "renew subscriptions",
    (
        _work(12, 40),
        Query(_cluster, "SELECT", "subscriptions", _SCAN),
        Query(_cluster, "UPDATE", "subscriptions", _SCAN),
        Query(_cluster, "INSERT", "invoices", _SCAN),
        Publish(_renewals, _SEND),
    ),
)


def _mail(share: float) -> tuple[Step, ...]:
    """Looks the address up and hands a mail to the provider for this share of the messages."""
    mail = External("api.mail-provider.example", "POST", "/v3/send", Latency(95, 480))
    return (_work(1.5, 7), _look_up("users"), Sometimes(share, (mail, _change("INSERT", "mails"))))


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
    network=Latency(0.35, 1.6),
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
