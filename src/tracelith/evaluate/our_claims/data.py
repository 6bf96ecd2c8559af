"""Tables that several services use."""

from collections.abc import Iterator

from tracelith.evaluate.claims import Claim
from tracelith.evaluate.our_claims.reading import Reading, estimate

__all__ = ["data_claims"]


def data_claims(reading: Reading) -> Iterator[Claim]:
    """Who writes, reads and joins what others keep, and who waits for it."""
    told = {rule: {one[0] for one in reading.told(rule)} for rule in ("foreign-write", "foreign-read")}
    for rule, labels in told.items():
        yield from (Claim(rule, label, claimed=True) for label in sorted(labels))
    for label in sorted(set().union(*told.values())):
        yield Claim("foreign-use", label, claimed=True)
    for table in reading.rows("datastores", "tables"):
        label = f"{table['server']} {table['namespace']}.{table['table']}"
        several = sum(user["writes"] > 0 for user in table["users"]) > 1
        if several and label not in told["foreign-write"] and table["status"] != "ok":
            yield Claim("foreign-write", label)
        yield estimate("foreign-write-share", label, table["foreign_write_share"])
    for detector, rule in (("foreign-join", "cross-owner-join"), ("lock-contention", "lock-contention")):
        yield from (Claim(detector, subjects[0], claimed=True) for subjects in reading.told(rule))
