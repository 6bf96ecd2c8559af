-- The first shape of a Tracelith database. Columns are those of tracelith.model.schema.
-- No primary keys, indexes or UNIQUE: DuckDB's index and write-ahead-log code is where its corruption reports come from,
-- and nothing here is looked up by key often enough to need them.

CREATE TABLE resource (
    resource    UINTEGER NOT NULL,
    service     VARCHAR NOT NULL,
    environment VARCHAR NOT NULL,
    version     VARCHAR NOT NULL,
    instance    VARCHAR NOT NULL,
    host        VARCHAR NOT NULL,
    language    VARCHAR NOT NULL
);

CREATE TABLE operation (
    operation      UINTEGER NOT NULL,
    name           VARCHAR NOT NULL,
    kind           UTINYINT NOT NULL,
    protocol       VARCHAR NOT NULL,
    http_method    VARCHAR NOT NULL,
    http_route     VARCHAR NOT NULL,
    peer_system    VARCHAR NOT NULL,
    peer_address   VARCHAR NOT NULL,
    peer_service   VARCHAR NOT NULL,
    peer_namespace VARCHAR NOT NULL,
    peer_object    VARCHAR NOT NULL,
    peer_action    VARCHAR NOT NULL,
    consumer_group VARCHAR NOT NULL,
    scope          VARCHAR NOT NULL
);

-- Append-only. commit_no numbers the transactions that wrote spans, in commit order; it compresses to almost nothing
-- and makes "what is new since" a range scan that skips every older row group.
CREATE TABLE span (
    trace_hi    UBIGINT NOT NULL,
    trace_lo    UBIGINT NOT NULL,
    span_id     UBIGINT NOT NULL,
    parent_id   UBIGINT NOT NULL,
    start_ns    BIGINT NOT NULL,
    duration_ns BIGINT NOT NULL,
    resource    UINTEGER NOT NULL,
    operation   UINTEGER NOT NULL,
    status      UTINYINT NOT NULL,
    outcome     UTINYINT NOT NULL,
    attempt     UTINYINT NOT NULL,
    defects     UTINYINT NOT NULL,
    weight      FLOAT,
    commit_no   BIGINT NOT NULL
);

CREATE TABLE link (
    trace_hi        UBIGINT NOT NULL,
    trace_lo        UBIGINT NOT NULL,
    span_id         UBIGINT NOT NULL,
    linked_trace_hi UBIGINT NOT NULL,
    linked_trace_lo UBIGINT NOT NULL,
    linked_span_id  UBIGINT NOT NULL,
    start_ns        BIGINT NOT NULL
);

-- Windows whose facts are written. upto: every commit up to this number is in them. frozen: the raw spans are past
-- retention (or the hour was summed up), so these facts are final.
CREATE TABLE analysed_window (
    window_ns BIGINT NOT NULL,
    upto      BIGINT NOT NULL,
    frozen    BOOLEAN NOT NULL
);

-- Which environments have traces in a window, and how many spans those have. end_ns - window_ns is five minutes,
-- or an hour after compaction.
CREATE TABLE window_summary (
    window_ns   BIGINT NOT NULL,
    end_ns      BIGINT NOT NULL,
    environment VARCHAR NOT NULL,
    spans       BIGINT NOT NULL
);

-- low_water: every commit up to this number is analysed; opening the file looks only at later ones.
-- last_commit: the highest commit number given out before the last clean close.
CREATE TABLE store_state (
    name  VARCHAR NOT NULL,
    value BIGINT NOT NULL
);

CREATE TABLE deployment (
    service     VARCHAR NOT NULL,
    environment VARCHAR NOT NULL,
    version     VARCHAR NOT NULL,
    at_ns       BIGINT NOT NULL,
    earliest_ns BIGINT NOT NULL,
    source      VARCHAR NOT NULL
);

CREATE TABLE finding (
    id            VARCHAR NOT NULL,
    environment   VARCHAR NOT NULL,
    rule          VARCHAR NOT NULL,
    severity      VARCHAR NOT NULL,
    subjects      VARCHAR[] NOT NULL,
    title         VARCHAR NOT NULL,
    state         VARCHAR NOT NULL, -- open | resolved
    first_seen_ns BIGINT NOT NULL,
    last_seen_ns  BIGINT NOT NULL
);

-- Spans that were not taken, or not analysed, and why.
CREATE TABLE refusal (
    at_ns  BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    spans  BIGINT NOT NULL
);

-- 300,000,000,000 ns is model.schema.WINDOW_NS; span times are never negative here (append clips them).
CREATE MACRO window_of(time_ns) AS time_ns - time_ns % 300000000000;
CREATE MACRO hour_of(time_ns) AS time_ns - time_ns % 3600000000000;
-- Trace ids are random in their low bits when SDKs make them; folding the high half in covers ids that are not.
-- The cast keeps the remainder in 64 bits; with a signed number of buckets DuckDB would compute it in 128.
CREATE MACRO bucket_of(trace_lo, buckets) AS xor(trace_lo, trace_lo >> 32) % buckets::UBIGINT;
