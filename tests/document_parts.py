"""The parts hand-made analysis documents are made of; numbers are arguments, everything else is filled in."""
# ruff: noqa: PLR0917 - rows of numbers read best as rows

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from tracelith.analysis.registry import registered_analyses
from tracelith.model.document import SCHEMA, EstimateDocument
from tracelith.model.findings import finding_id

TRACE_IDS = [
    "0af7651916cd43dd8448eb211c80319c",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "7d3efb1b173fecfa00000000000000aa",
]

SECTIONS = {
    "Question": "How many services does a request wait for, one after the other?",
    "Method": "Awaited hops of the deepest span with time on the critical path, per complete trace.",
    "Reading": "0 to 2 hops are typical, 3 to 4 elevated, 5 to 6 high, 7 and more extreme.",
    "Needs": "200 complete traces per entry operation and fewer than 5 % orphan spans.",
    "False positives": "Sidecars that are not recognised count as hops.",
    "Source": "Own; bands after published profiles of large systems.",
}


def missing(reason: str, n: int = 0) -> EstimateDocument:
    """An estimate without enough data."""
    return {"value": None, "ci": None, "n": n, "n_eff": float(n), "status": "insufficient_data", "reason": reason}


def estimate(
    value: float | None, low: float | None = None, high: float | None = None, n: int = 4200
) -> EstimateDocument:
    """An estimate that may be read."""
    ci = None if low is None or high is None else [low, high]
    return {"value": value, "ci": ci, "n": n, "n_eff": float(n), "status": "ok", "reason": ""}


def frame() -> dict[str, Any]:
    """Schema, environment, period, what the analyses say of themselves, and every part without evidence."""
    names = {
        "data_quality": "How much of the evidence could be used",
        "synchronous_depth": "Synchronous depth of entry operations",
        "tail_latency": "Which hop makes the slowest requests slow",
        "codeployment": "Which services deploy together",
    }
    without_evidence = (analysis.without_evidence("too few requests") for analysis in registered_analyses())
    return {
        **{name: part for parts in without_evidence for name, part in parts.items()},
        "schema": SCHEMA,
        "environment": "production",
        "generated_at": "2026-03-02T06:00:00Z",
        "window": {"start": "2025-12-08T00:00:00Z", "end": "2026-03-02T00:00:00Z"},
        "analyses": [
            {"name": name, "title": title, "sections": SECTIONS, "error": None} for name, title in names.items()
        ],
    }


def unscored(sentence: str) -> dict[str, Any]:
    """A verdict without a score."""
    label = {"score": None, "ci_low": None, "ci_high": None, "coverage": 0.0, "label": "not scored"}
    return {**label, "sentence": sentence, "components": []}


def quality(traces: int, complete: int, spans: int, services: list[str]) -> dict[str, Any]:
    """Data quality without a defect."""
    counters = ("orphan_spans", "duplicate_spans", "skewed_spans", "unpaired_client_spans", "cyclic_spans")
    clocks = ("clamped_spans", "implausible_clock_spans")
    more = (
        "kindless_spans",
        "multi_root_traces",
        "rootless_traces",
        "folded_service_traces",
        "unknown_sampling_traces",
    )
    share = complete / traces if traces else 0.0
    return {
        "traces": traces,
        "complete_traces": complete,
        "usable_share": estimate(share, share - 0.004, min(1.0, share + 0.003), traces),
        "spans": spans,
        "services": len(services),
        **dict.fromkeys((*counters, *clocks, *more), 0),
        "refused_spans": 0,
        "refusals": [],
        "folded": [],
        "defects": [],
        "service_list": [
            {
                "service": service,
                "spans": spans // len(services),
                "traces": traces,
                "versions": 3,
                "first_seen": "2025-12-08T00:01:00Z",
                "last_seen": "2026-03-01T23:58:00Z",
            }
            for service in services
        ],
        "absent_services": [],
        "environments": ["production"],
        "status": "ok",
        "reason": "",
    }


def defect(name: str, title: str, count: int, share: float) -> dict[str, Any]:
    """One line of the defect list."""
    consequence = "Their traces are left out of depth and critical path."
    remedy = "Check that every service exports to the same Collector and that its queue does not overflow."
    return {"name": name, "title": title, "count": count, "share": share, "consequence": consequence, "remedy": remedy}


def entry(
    service: str,
    operation: str,
    traces: int,
    hops: dict[int, int],
    band: str,
    latency: tuple[float, float, float],
    chains: list[list[str]],
) -> dict[str, Any]:
    """An entry operation with exact depth."""
    p50, p95, p99 = latency
    deepest = max(hops)
    return {
        "service": service,
        "operation": operation,
        "traces": traces,
        "restarted": False,
        "depth": {
            "p50": estimate(deepest, deepest, deepest, traces),
            "p95": estimate(deepest, deepest, deepest, traces),
            "max": deepest,
            "histogram": [{"hops": hop, "traces": count, "share": count / traces} for hop, count in hops.items()],
            "any_path_p95": float(deepest),
            "with_peers_p95": float(deepest + 1),
            "band": band,
        },
        "latency_ms": {
            "p50": estimate(p50, p50 * 0.98, p50 * 1.02, traces),
            "p95": estimate(p95, p95 * 0.94, p95 * 1.07, traces),
            "p99": estimate(p99, p99 * 0.9, p99 * 1.2, traces)
            if traces >= 1000
            else missing("p99 needs 1,000 traces", traces),
        },
        "latency_histogram": [
            {
                "from_ms": round(p50 * 0.5 * 1.3**step, 3),
                "to_ms": round(p50 * 0.5 * 1.3 ** (step + 1), 3),
                "traces": max(1, round(traces * 0.25 * math.exp(-((step - 2) ** 2) / 6))),
            }
            for step in range(14)
        ],
        "chains": [
            {
                "services": chain,
                "hops": len(chain) - 1,
                "traces": traces // len(chains),
                "share": 1 / len(chains),
                "mean_ms": p50 * 1.2,
                "trace_ids": TRACE_IDS,
            }
            for chain in chains
        ],
        "status": "ok",
        "reason": "",
    }


def edge(
    caller: str, callee: str, calls: int, kind: str = "service", mode: str = "sync", failures: int = 0, retries: int = 0
) -> dict[str, Any]:
    """One caller calling one callee."""
    share = estimate(0.99, 0.98, 0.995, calls) if mode == "sync" else estimate(0.01, 0.004, 0.02, calls)
    paired = kind == "service" and mode == "sync"
    return {
        "caller": caller,
        "callee": callee,
        "callee_kind": kind,
        "mode": mode,
        "awaited_share": share,
        "calls": calls,
        "undecided_calls": 0,
        "traces": calls,
        "failures": failures,
        "retries": retries,
        "network_ms": 1.8 if paired else None,
        "blocking_share": 0.97 if mode == "sync" else None,
        "status": "ok",
        "reason": "",
    }


def tail(
    hop: str,
    caller: str,
    callee: str,
    kind: str,
    share: float,
    low: float,
    high: float,
    excess: float,
    entry: tuple[str, str] = ("gateway", "POST /login"),
) -> dict[str, Any]:
    """What one hop contributes to the tail of one entry operation."""
    band = "dominant" if low >= 0.6 else "watch" if low >= 0.3 else "normal"
    edge = kind == "network"
    return {
        "service": entry[0],
        "operation": entry[1],
        "hop": hop,
        "hop_kind": kind,
        "caller": caller,
        "callee": callee,
        "q": 0.99,
        "share": share,
        "ci": [low, high],
        "excess_ms": excess,
        "excess_ci": sorted((excess * 0.8, excess * 1.25)),
        "mean_ms": abs(excess) / 8,
        "traces": 3010,
        "tail_traces": 31,
        "exceedance": 3.4 if edge else None,
        "exceedance_ci": [2.6, 4.4] if edge else None,
        "propagation": estimate(0.6, 0.502, 0.691, 100) if edge else None,
        "lift": 60.0 if edge else None,
        "explained": estimate(0.62, 0.44, 0.77, 31) if edge else None,
        "effective_fan_out": 3.4 if edge else None,
        "network_share": 0.04 if edge else None,
        "remote": not (caller == entry[0] and kind in {"service", "peer"}),
        "far": caller not in {entry[0], "auth"},  # of the login chain, auth is one call away
        "material": True,
        "slow_hop": excess > 0,
        "band": band,
        "ci_method": "blocks",
        "trace_ids": TRACE_IDS,
        "status": "ok",
        "reason": "",
    }


def system(deployments: int, services: int, solo: Any, excess: Any, status: str, reason: str) -> dict[str, Any]:
    """System lockstep."""
    return {
        "deployments": deployments,
        "services": services,
        "weeks": 12,
        "window_minutes": 30,
        "solo_rate": solo,
        "expected_solo_rate": 0.82 if deployments else None,
        "lockstep_excess": excess,
        "lockstep_index": 0.41 if deployments else None,
        "train": {
            "sessions": 36,
            "median_batch": 2.0,
            "largest_batch": 4,
            "top_hour_share": 0.11,
            "top_hour": "Tuesday 10:00",
        }
        if deployments
        else {},
        "status": status,
        "reason": reason,
    }


def deployer(service: str, count: int, solo: float) -> dict[str, Any]:
    """One service that deploys."""
    return {
        "service": service,
        "deployments": count,
        "solo_rate": estimate(solo, max(0.0, solo - 0.15), min(1.0, solo + 0.15), count),
        "expected_solo_rate": 0.82,
        "last_at": "2026-02-26T10:06:00Z",
    }


def deployment(service: str, version: str, day: int, hour: float) -> dict[str, Any]:
    """One deployment, some days and hours after 8 December 2025."""
    at = (datetime(2025, 12, 8, tzinfo=UTC) + timedelta(days=day, hours=hour)).isoformat().replace("+00:00", "Z")
    return {"service": service, "version": version, "at": at, "earliest": at, "source": "csv"}


def pair(
    a: str, b: str, n_a: int, n_b: int, together: int, rate: float, low: float, p: float, label: str, lag: float | None
) -> dict[str, Any]:
    """A tested pair."""
    tested = label in {"pair", "group"}
    return {
        "a": a,
        "b": b,
        "deployments_a": n_a,
        "deployments_b": n_b,
        "coincidences": together,
        "rate": rate,
        "base_rate": 0.07,
        "activity_rate": 0.21,
        "excess": (rate - 0.07) / 0.93,
        "excess_low": low,
        "p_value": p,
        "q_value": min(1.0, p * 6),
        "label": label,
        "lag_minutes": None if lag is None else estimate(lag, lag - 2.5, lag + 3.0, together),
        "direction": "a_first" if tested else "undetermined",
        "sign_p": 0.0004 if tested else None,
        "second_opinion_p": 0.001 if tested else None,
        "widest_window": "30 min" if tested else None,
        "classical": {
            "support": 0.4,
            "confidence_ab": rate,
            "confidence_ba": rate,
            "lift": 4.1,
            "jaccard": 0.9,
            "phi": 0.88,
            "degree": 95.0,
        },
        "status": "ok",
        "reason": "",
    }


def finding(
    rule: str,
    severity: str,
    subjects: list[str],
    title: str,
    metric: tuple[str, float, list[float], str, int, str],
    advice: str,
) -> dict[str, Any]:
    """A finding with three example traces."""
    name, value, ci, unit, n, reading = metric
    return {
        "id": finding_id(rule, tuple(subjects)),
        "rule": rule,
        "severity": severity,
        "subjects": subjects,
        "title": title,
        "metric": {"name": name, "value": value, "ci": ci, "unit": unit, "n": n, "reading": reading},
        "evidence": {"trace_ids": TRACE_IDS}
        if rule != "codeployment-group"
        else {"dates": ["2026-02-24", "2026-02-20"]},
        "advice": advice,
    }
