-- All that spans say, if the server was told to keep it: per commit and window, as store/details.py packs it, in pieces
-- numbered from 0. Rows go when the raw spans of their window go.
CREATE TABLE span_detail (
    commit_no BIGINT NOT NULL,
    window_ns BIGINT NOT NULL,
    piece     UINTEGER NOT NULL,
    body      BLOB NOT NULL
);
