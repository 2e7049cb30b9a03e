-- The log. Each entry names the version before its transaction's, so that a gap shows: removed entries, a transaction
-- without an entry, or commits that a promoted standby did not have.
CREATE TABLE tinyscim.log (
    version bigint PRIMARY KEY,
    previous bigint NOT NULL,
    bytes bigint NOT NULL,    -- of all entries so far, this one included
    written timestamptz NOT NULL DEFAULT now(),
    entry text NOT NULL
);
