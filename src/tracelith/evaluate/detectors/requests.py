"""How deep and how slow requests are, and where slow ones spend their time; who calls whom."""

from tracelith.evaluate.detectors.form import Detector

__all__ = ["CALLS", "REQUESTS"]

_ENTRY = "entry operation"
_PLACE = "entry operation ⟂ place"
_AT_QUANTILE = "entry operation ⟂ place @ quantile"
_EDGE = "caller → callee"

REQUESTS = (
    Detector(
        "deep-chain",
        "Does a request wait for three or more services behind one another (p95)?",
        _ENTRY,
        "claim",
        "requests",
        rules=("deep-synchronous-chain",),
    ),
    Detector("depth-p50", "How many awaited hops, median?", _ENTRY, "estimate", "requests", "hops", exact=True),
    Detector("depth-p95", "How many awaited hops, p95?", _ENTRY, "estimate", "requests", "hops", exact=True),
    Detector("depth-max", "How many awaited hops at most?", _ENTRY, "estimate", "requests", "hops", exact=True),
    Detector(
        "tail-hop",
        "Which place takes the largest share of what the slowest requests take longer? A ranking, told or not.",
        _PLACE,
        "claim",
        "requests",
        naming=True,
    ),
    Detector(
        "tail-finding",
        "Is the user told of the place, away from the entry service, that makes the slowest requests much slower?",
        _PLACE,
        "claim",
        "requests",
        naming=True,
        rules=("remote-tail-hop",),
    ),
    Detector(
        "tail-share",
        "Which share of the extra time of the slowest requests is spent there?",
        _AT_QUANTILE,
        "estimate",
        "requests",
        "share",
        chosen=True,
    ),
    Detector(
        "tail-excess",
        "How much longer do the slowest requests spend there than ordinary ones?",
        _AT_QUANTILE,
        "estimate",
        "requests",
        "ms",
        relative=True,
        chosen=True,
    ),
    Detector("latency-p50", "How slow, median?", _ENTRY, "estimate", "requests", "ms", relative=True),
    Detector("latency-p95", "How slow, p95?", _ENTRY, "estimate", "requests", "ms", relative=True),
    Detector("latency-p99", "How slow, p99?", _ENTRY, "estimate", "requests", "ms", relative=True),
)

CALLS = (
    Detector("edge", "Does one service call, or send messages to, another?", _EDGE, "claim", "calls", invented=True),
    Detector("sync-edge", "Does the caller wait for the answer?", _EDGE, "claim", "calls"),
    Detector("awaited-share", "For which share of the calls is waited?", _EDGE, "estimate", "calls", "share"),
)
