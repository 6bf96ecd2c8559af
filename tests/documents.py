"""Hand-made analysis documents: a login system with findings, a healthy shop, and no data at all."""

from typing import Any, cast

from document_parts import (
    defect,
    deployer,
    deployment,
    edge,
    entry,
    estimate,
    finding,
    frame,
    missing,
    pair,
    quality,
    system,
    tail,
    unscored,
)
from tracelith.model.document import AnalysisDocument

__all__ = ["empty_document", "healthy_document", "login_document"]

LOGIN_SERVICES = ["gateway", "auth", "user", "billing", "permissions", "profile", "notification"]
GROUP = ["auth", "billing", "permissions", "user"]


def login_document() -> AnalysisDocument:
    """Seven services, four awaited hops behind every login, a spiky last hop, four services that deploy as one."""
    return cast(
        "AnalysisDocument",
        {
            **frame(),
            "quality": {
                **quality(4262, 4210, 63_311, LOGIN_SERVICES),
                "orphan_spans": 212,
                "duplicate_spans": 31,
                "unpaired_client_spans": 9120,
                "defects": [
                    defect("orphan_spans", "Spans whose parent never arrived", 212, 212 / 63_311),
                    defect("duplicate_spans", "Spans sent more than once", 31, 31 / 63_311),
                ],
            },
            "entry_operations": [_login(), _profile(), _rare()],
            "edges": [
                edge("gateway", "auth", 4210),
                edge("auth", "user", 4210),
                edge("user", "billing", 4180),
                edge("billing", "permissions", 4195, failures=41, retries=15),
                edge("gateway", "profile", 1200),
                edge("permissions", "postgresql users", 9120, kind="datastore"),
                edge("auth", "notification", 4210, mode="async"),
            ],
            "tail": [
                tail("permissions", "permissions", "permissions", "service", 0.71, 0.64, 0.78, 412.0),
                tail("billing → permissions", "billing", "permissions", "network", 0.14, 0.08, 0.21, 81.0),
                tail("user → postgresql users", "user", "postgresql users", "peer", 0.11, 0.02, 0.19, 64.0),
                tail("gateway", "gateway", "gateway", "service", 0.05, -0.01, 0.09, 29.0),
                tail("auth", "auth", "auth", "service", -0.01, -0.03, 0.02, -6.0),
                _tail_without_data(),
            ],
            "codeployment": _login_codeployment(),
            "findings": _login_findings(),
            "groups": [
                {
                    "services": GROUP,
                    "score": 0.68,
                    "label": "deploys and answers as one",
                    "families": ["deploy", "runtime"],
                }
            ],
            "verdict": {
                "score": None,
                "ci_low": None,
                "ci_high": None,
                "coverage": 0.5,
                "label": "not scored",
                "sentence": "auth, billing, permissions and user answer and deploy as one; data ownership and failure "
                "propagation are not measured yet.",
                "components": [
                    {"name": "deploy", "family": "deploy", "value": 0.86, "weight": 0.25, "status": "ok"},
                    {"name": "depth", "family": "runtime", "value": 0.5, "weight": 0.15, "status": "ok"},
                    {"name": "tail", "family": "runtime", "value": 0.57, "weight": 0.1, "status": "ok"},
                    {"name": "writers", "family": "data", "value": None, "weight": 0.15, "status": "insufficient_data"},
                ],
            },
        },
    )


def healthy_document() -> AnalysisDocument:
    """Order and inventory, coupled by a queue: enough data, nothing to accuse."""
    document: dict[str, Any] = {
        **frame(),
        "quality": quality(6000, 6000, 31_200, ["order", "inventory"]),
        "entry_operations": [
            entry("order", "POST /orders", 3000, {0: 3000}, "typical", (18.0, 41.0, 66.0), [["order"]])
        ],
        "edges": [
            edge("order", "inventory", 3000, mode="async"),
            edge("order", "postgresql orders", 6100, kind="datastore"),
        ],
        "tail": [tail("order", "order", "order", "service", 0.93, 0.88, 0.97, 22.0, entry=("order", "POST /orders"))],
        "codeployment": {
            "system": system(44, 2, estimate(0.95, 0.85, 0.99, 44), estimate(0.02, -0.05, 0.09, 44), "ok", ""),
            "services": [deployer("order", 23, 0.96), deployer("inventory", 21, 0.95)],
            "pairs": [pair("inventory", "order", 21, 23, 1, 0.05, -0.04, 0.61, "none", 12.0)],
            "groups": [],
            "deployments": [deployment("order", f"1.{i}.0", i * 4, 9) for i in range(1, 20)]
            + [deployment("inventory", f"2.{i}.0", i * 4 + 2, 14) for i in range(1, 20)],
            "ignored": [],
        },
        "findings": [],
        "groups": [],
        "verdict": unscored(
            "No sign of a distributed monolith in what could be measured; data ownership is not measured yet."
        ),
    }
    return cast("AnalysisDocument", document)


def empty_document() -> AnalysisDocument:
    """What the engine says before any trace arrived."""
    reason = "no traces in this period"
    document: dict[str, Any] = {
        **frame(),
        "environment": "",
        "quality": {
            **quality(0, 0, 0, []),
            "usable_share": missing(reason),
            "environments": [],
            "status": "insufficient_data",
            "reason": reason,
        },
        "entry_operations": [],
        "edges": [],
        "tail": [],
        "codeployment": {
            "system": system(
                0, 0, missing(reason), missing(reason), "insufficient_data", "no deployments in this period"
            ),
            "services": [],
            "pairs": [],
            "groups": [],
            "deployments": [],
            "ignored": [],
        },
        "findings": [],
        "groups": [],
        "verdict": unscored("Nothing is known yet: no traces in this period."),
    }
    return cast("AnalysisDocument", document)


def _login() -> dict[str, Any]:
    full = ["gateway", "auth", "user", "billing", "permissions"]
    hops = {1: 15, 2: 40, 3: 120, 4: 2835}
    return entry("gateway", "POST /login", 3010, hops, "elevated", (92.0, 310.0, 655.0), [full, full[:4]])


def _profile() -> dict[str, Any]:
    return entry("gateway", "GET /profile", 1200, {1: 1200}, "typical", (21.0, 55.0, 80.0), [["gateway", "profile"]])


def _rare() -> dict[str, Any]:
    reason = "200 traces are needed, 52 came"
    rare = entry(
        "gateway", "DELETE /account", 52, {2: 52}, "unknown", (40.0, 90.0, 120.0), [["gateway", "auth", "user"]]
    )
    rare["depth"] |= {"p50": missing(reason, 52), "p95": missing(reason, 52)}
    rare["latency_ms"] = dict.fromkeys(("p50", "p95", "p99"), missing(reason, 52))
    return {**rare, "status": "insufficient_data", "reason": reason}


def _tail_without_data() -> dict[str, Any]:
    row = tail("gateway", "gateway", "gateway", "service", 0.0, 0.0, 0.0, 0.0, entry=("gateway", "DELETE /account"))
    unknown = dict.fromkeys(("share", "ci", "excess_ms", "excess_ci", "exceedance", "exceedance_ci", "lift"))
    reason = "300 complete traces are needed, 52 came"
    return {
        **row,
        **unknown,
        "band": "unknown",
        "traces": 52,
        "tail_traces": 0,
        "status": "insufficient_data",
        "reason": reason,
    }


def _login_codeployment() -> dict[str, Any]:
    together = [
        deployment(service, f"2026.{i}", i * 4, 10 + order / 10)
        for i in range(1, 21)
        for order, service in enumerate(GROUP)
    ]
    alone = [
        deployment(service, f"1.{i}", i * 9 + shift, 15)
        for i in range(1, 9)
        for shift, service in ((1, "profile"), (5, "gateway"))
    ]
    pairs = [
        pair(a, b, 20, 20, 19, 0.95, 0.71, 1e-9, "group", 6.0) for i, a in enumerate(GROUP) for b in GROUP[i + 1 :]
    ]
    pairs += [
        pair("auth", "gateway", 20, 8, 1, 0.12, -0.03, 0.42, "none", None),
        {
            **pair("notification", "profile", 2, 8, 0, 0.0, 0.0, 1.0, "untested", None),
            **dict.fromkeys(("rate", "excess", "excess_low", "p_value", "q_value")),
            "status": "insufficient_data",
            "reason": "5 deployments of each are needed, notification has 2",
        },
    ]
    return {
        "system": system(98, 7, estimate(0.31, 0.22, 0.41, 98), estimate(0.62, 0.51, 0.72, 98), "ok", ""),
        "services": [
            *(deployer(name, 20, 0.05) for name in GROUP),
            deployer("profile", 8, 0.88),
            deployer("gateway", 8, 0.75),
        ],
        "pairs": pairs,
        "groups": [{"services": GROUP, "pairs": 6, "strongest_excess_low": 0.71}],
        "deployments": sorted(together + alone, key=lambda row: (row["at"], row["service"])),
        "ignored": [{"service": "notification", "reason": "the version is always latest", "count": 4}],
    }


def _login_findings() -> list[dict[str, Any]]:
    chain = ["gateway POST /login", "gateway", "auth", "user", "billing", "permissions"]
    return [
        finding(
            "codeployment-group",
            "critical",
            GROUP,
            "auth, billing, permissions and user deploy together: 95 % of their deployments coincide.",
            ("excess_low", 0.88, [0.71, 0.95], "", 20, "0 is what the calendar alone explains, 1 is always together."),
            "Ship them as one deployable module, or version the contract between them.",
        ),
        finding(
            "remote-tail-hop",
            "warning",
            ["gateway POST /login", "permissions"],
            "permissions makes 71 % of the slow tail of POST /login.",
            (
                "tail_share",
                0.71,
                [0.64, 0.78],
                "share",
                3010,
                "Share of the extra time of the slowest 1 % spent in this hop.",
            ),
            "Look at the example traces; bring the answer of permissions into auth, or cache it there.",
        ),
        finding(
            "deep-synchronous-chain",
            "warning",
            chain,
            "POST /login waits for 4 service hops in a row.",
            ("depth_p95", 4.0, [4.0, 4.0], "hops", 3010, "0 to 2 hops are typical."),
            "Let auth own what it needs to answer a login.",
        ),
    ]
