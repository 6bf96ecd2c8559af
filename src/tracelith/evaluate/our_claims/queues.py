"""Who waits behind queues, and where they stand still."""

from collections.abc import Iterator

from tracelith.evaluate.claims import Claim, group_subject, message_subject
from tracelith.evaluate.our_claims.reading import Reading, estimate

__all__ = ["queue_claims"]


def queue_claims(reading: Reading) -> Iterator[Claim]:
    """Answers that are awaited, groups and their lags."""
    told = {f"{subjects[0]} → {subjects[1]}" for subjects in reading.told("sync-over-async")}
    yield from (Claim("sync-over-async", subject, claimed=True) for subject in sorted(told))
    for wait in reading.rows("queues", "waits"):
        subject = message_subject(wait["service"], wait["operation"], f"{wait['system']} {wait['destination']}")
        if subject not in told and wait["label"] == "undecided":
            yield Claim("sync-over-async", subject)
    yield from _stalls(reading)
    yield from (Claim("shared-group", one[0], claimed=True) for one in reading.told("shared-consumer-group"))
    for destination in reading.rows("queues", "destinations"):
        for consumer in destination["consumers"]:
            name = f"{destination['system']} {destination['destination']}"
            for quantile in ("p50", "p95"):
                if quantile in consumer["lag_ms"]:
                    subject = group_subject(name, consumer["group"])
                    yield estimate(f"lag-{quantile}", subject, consumer["lag_ms"][quantile])


def _stalls(reading: Reading) -> Iterator[Claim]:
    told = {subjects[0] for subjects in reading.told("consumer-group-stall")}
    yield from (Claim("group-stall", subject, claimed=True) for subject in sorted(told))
    for group in reading.rows("queues", "groups"):
        subject = group_subject(f"{group['system']} {group['destination']}", group["group"])
        if subject not in told and group["status"] != "ok":
            yield Claim("group-stall", subject)
