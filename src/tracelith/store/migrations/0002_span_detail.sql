-- All that spans say, if the server was told to keep it: one row per commit and window, body as store/details.py packs
-- it. Rows go when the raw spans of their window go.
CREATE TABLE span_detail (
    commit_no BIGINT NOT NULL,
    window_ns BIGINT NOT NULL,
    body      BLOB NOT NULL
);
