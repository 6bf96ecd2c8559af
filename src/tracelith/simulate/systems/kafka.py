"""The login system after queues: nobody calls anybody any more, yet everybody still waits for everybody."""

from tracelith.simulate.flow import (
    Answer,
    Call,
    Consumer,
    Entry,
    External,
    Job,
    Operation,
    Publish,
    Query,
    Sometimes,
    Stall,
    Step,
    Task,
)
from tracelith.simulate.incidents import GroupStall, Moments
from tracelith.simulate.latency import Episodes, Latency
from tracelith.simulate.releases import ReleaseHabit
from tracelith.simulate.systems.parts import (
    NETWORK,
    POLL,
    SEND,
    change,
    kafka,
    look_up,
    postgresql,
    send,
    work,
)
from tracelith.simulate.topology import Service, System
from tracelith.simulate.traffic_shape import Rush

__all__ = ["KAFKA"]

README = """\
# kafka

The seven services behind the sign-in were told to stop calling each other. So they got Kafka. On the new diagram there
are almost no arrows between services, and everybody was pleased. The coupling moved; it didn't disappear.

`POST /login` reaches **gateway**, which still calls **auth**. Auth no longer calls anybody: it publishes an
`access-requests` message, and waits until the answer comes back over `access-replies`. **billing** takes the message,
reads the subscription joined to the users table, calls **permissions**, and answers. The customer waits for all of it:
three hops as before, one of them dressed as an event. Permissions still rebuilds its role graph about every minute and
holds everybody up for one to eight seconds, now behind a queue where nobody looks for it.

What really needs no answer goes over the topic `account-events`: sign-ins, changed profiles, renewals. **profile**
builds the page that `GET /profile` shows from them, in a consumer group of six instances, one for each partition. So do
permissions, for its copy of the plans, and **notification**, for the mails.

One morning the handler of one message takes 70 seconds in one of the six instances. The broker believes this consumer
dead and takes its partition away; all six stop to share the work out anew; when the slow one comes back, they stop
again. For twelve minutes the group processes nothing at all. Sign-ins work, every chart of a request is green, and
people who have just changed their address see the old one. Then the backlog drains. Short rebalances of less than a
minute happen a few times a week besides.

The tables are still in one PostgreSQL cluster, in one schema: billing and profile read the users table of **user**,
and auth writes to it. And the messages are a contract, so auth, billing, permissions and profile, which share it, are
still deployed within minutes of each other, about twice a week.

`truth.json` says what was planted. Nothing in the traces gives it away.
"""

_gateway = Service("gateway", "nodejs", 3, "6.0")
_auth = Service("auth", "java", 3, "4.2")
_user = Service("user", "java", 3, "3.5")
_billing = Service("billing", "python", 2, "2.4")
_permissions = Service("permissions", "java", 3, "4.9")
_profile = Service("profile", "nodejs", 6, "2.7")
_notification = Service("notification", "python", 2, "1.3")

_cluster = postgresql("accounts-db", "accounts.public")
_access_requests, _access_replies = kafka("access-requests"), kafka("access-replies")
_account_events, _reset_requests = kafka("account-events"), kafka("password-resets")

_PICK_UP = Latency(6, 45)  # consumers that somebody waits for poll without pause
_SCAN = Latency(85, 240)
_STALL = 0.58784  # of the period; in one of twelve weeks, five past nine on a Monday


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
        _read("plan_copies"),
        Task("evaluate policy", (work(2.4, 9),)),
    ),
)
_session = Operation(
    _auth,
    "POST",
    "/sessions",
    (
        work(1.2, 6),
        _read("credentials"),
        Task("verify password", (work(24, 38),)),
        Answer(0.05, 401),
        Publish(_access_requests, SEND, reply=_access_replies, awaits_reply=True),
        _write("INSERT", "sessions"),
        _write("UPDATE", "users"),
        send(_account_events),
        work(0.5, 2),
    ),
)
_login = Operation(_gateway, "POST", "/login", (work(1.3, 6), Call(_session), work(0.6, 3)))

_show = Operation(_profile, "GET", "/profiles/{id}", (work(1.4, 7), _read("profile_views"), work(0.8, 4)))
_profile_page = Operation(_gateway, "GET", "/profile", (work(1.0, 5), Call(_show), work(1.2, 6)))

_rename = Operation(
    _user, "PUT", "/users/{id}", (work(1.4, 6), _write("UPDATE", "users"), send(_account_events), work(0.5, 2))
)
_change_profile = Operation(_gateway, "PUT", "/profile", (work(1.1, 5), Call(_rename), work(0.5, 2)))

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
        send(_account_events),
    ),
)


def _mail(share: float) -> tuple[Step, ...]:
    """Hands a mail to the provider for this share of the messages."""
    mail = External("api.mail-provider.example", "POST", "/v3/send", Latency(95, 480))
    return (work(1.5, 7), Sometimes(share, (mail, _write("INSERT", "mails"))))


KAFKA = System(
    name="kafka",
    title="The login system after queues: sign-ins still wait for an answer, a slow consumer stalls its group",
    readme=README,
    services=(_gateway, _auth, _user, _billing, _permissions, _profile, _notification),
    entries=(
        Entry(_login, share=50),
        Entry(_profile_page, share=27),
        Entry(_change_profile, share=10),
        Entry(_invoice_page, share=9),
        Entry(_reset, share=4),
        Entry(_renew, nightly_hour=2.5),
    ),
    consumers=(
        Consumer(
            _billing,
            _access_requests,
            "billing-access",
            _PICK_UP,
            (work(1.5, 7), _read("subscriptions", "users"), Call(_evaluate), work(0.7, 3)),
        ),
        Consumer(
            _profile,
            _account_events,
            "profile-view",
            POLL,
            (work(1.8, 8), _read("users"), _write("UPDATE", "profile_views")),
            own_trace=True,
        ),
        Consumer(
            _permissions,
            _account_events,
            "permissions-plans",
            POLL,
            (work(0.8, 4), Sometimes(0.15, (_write("UPDATE", "plan_copies"),))),
            own_trace=True,
        ),
        Consumer(_notification, _account_events, "notification-events", POLL, _mail(0.1), own_trace=True),
        Consumer(_notification, _reset_requests, "notification-resets", POLL, _mail(1.0), own_trace=True),
    ),
    habits=(
        ReleaseHabit(("auth", "billing", "permissions", "profile"), per_week=2.0, within_min=14),
        ReleaseHabit(("auth",), per_week=0.15),
        ReleaseHabit(("billing",), per_week=0.2),
        ReleaseHabit(("permissions",), per_week=0.1),
        ReleaseHabit(("profile",), per_week=0.2),
        ReleaseHabit(("gateway",), per_week=1.1),
        ReleaseHabit(("user",), per_week=1.3),
        ReleaseHabit(("notification",), per_week=0.9),
    ),
    network=NETWORK,
    incidents=(
        GroupStall(_account_events, "profile-view", Moments(at=(_STALL,)), minutes=12, handler_s=70),
        GroupStall(_account_events, "profile-view", Moments(per_week=3), minutes=0.7),
    ),
    rushes=(Rush(_STALL, minutes=40, share=0.08),),
    table_owners={
        "credentials": "auth",
        "reset_tokens": "auth",
        "sessions": "auth",
        "users": "user",
        "invoices": "billing",
        "subscriptions": "billing",
        "plan_copies": "permissions",
        "role_grants": "permissions",
        "profile_views": "profile",
        "mails": "notification",
    },
    planted={
        "tail": {
            "service": "gateway",
            "operation": "POST /login",
            "hop": "permissions",
            "kind": "service",
            "cause": "each instance stalls for 1 to 8 s about once a minute while it rebuilds its role graph, and auth "
            "waits for it behind a queue",
        },
        "codeploying_groups": [["auth", "billing", "permissions", "profile"]],
        "distributed_monolith": True,
    },
)
