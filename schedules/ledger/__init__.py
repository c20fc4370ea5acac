"""The ledger: which message is whose to send, and what became of it. Nothing else writes them.

`claimed -> delivering -> sent | skipped | failed`, and back to `claimed` for a retry. `sent` is final. A later run
for the same day takes up again what was skipped or failed, for the rest of its life. Until `leased_until` somebody
answers for a message: a queue, a worker, or the wait before a retry; after that it is reclaimed.

`now` of what leases is `clock.SHARED_CLOCK`, so that hosts whose clocks differ agree about who holds what. All of it
outlasts a database that is away for a while (`transient.outlast`), and may be done twice for that.
"""

from schedules.ledger.messages import (
    Entry,
    claim,
    confirm,
    lease,
    message,
    message_uuid,
    reclaim,
    record,
    record_all,
    record_engagement,
    refused_since_last_sent,
    release,
    reopen,
    set_courses,
)
from schedules.ledger.rows import MESSAGE_TTL_DAYS, await_database, expires_at, totals_by
from schedules.ledger.runs import (
    bins_of,
    bins_reported,
    finalize,
    kept_totals,
    open_run,
    open_runs,
    reclaim_bins,
    record_bin,
    totals_of,
    why_stopped,
)

__all__ = [
    "MESSAGE_TTL_DAYS",
    "Entry",
    "await_database",
    "bins_of",
    "bins_reported",
    "claim",
    "confirm",
    "expires_at",
    "finalize",
    "kept_totals",
    "lease",
    "message",
    "message_uuid",
    "open_run",
    "open_runs",
    "reclaim",
    "reclaim_bins",
    "record",
    "record_all",
    "record_bin",
    "record_engagement",
    "refused_since_last_sent",
    "release",
    "reopen",
    "set_courses",
    "totals_by",
    "totals_of",
    "why_stopped",
]
