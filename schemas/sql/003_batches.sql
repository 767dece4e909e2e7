-- Every delivery. What the gateway received stands beside what intake made of it; either may come first. A batch that an originator
-- produced to the broker itself is never `received`: nobody says where it ends. The counts are named as the outcomes of a BatchProgress.
CREATE TABLE batches (
    batch              text COLLATE "C" PRIMARY KEY,
    originator         text COLLATE "C" NOT NULL,
    received           boolean NOT NULL DEFAULT false,
    documents          bigint NOT NULL DEFAULT 0,
    bytes              bigint NOT NULL DEFAULT 0,
    digest             text NOT NULL DEFAULT '',
    oversized          bigint NOT NULL DEFAULT 0, -- rejected by the gateway itself; among documents, not among rejected
    error              text NOT NULL DEFAULT '',
    position           bigint NOT NULL DEFAULT 0, -- byte position where a cut-off batch ended
    created            bigint NOT NULL DEFAULT 0,
    recalled           bigint NOT NULL DEFAULT 0,
    defaulted          bigint NOT NULL DEFAULT 0,
    repaid             bigint NOT NULL DEFAULT 0,
    terms_changed      bigint NOT NULL DEFAULT 0,
    repayment_reported bigint NOT NULL DEFAULT 0,
    status_changed     bigint NOT NULL DEFAULT 0,
    unchanged          bigint NOT NULL DEFAULT 0,
    rejected           bigint NOT NULL DEFAULT 0,
    first_event        timestamptz NOT NULL,      -- times of the events on batches.status
    last_event         timestamptz NOT NULL
);
CREATE INDEX batches_recent ON batches (first_event DESC, batch);

CREATE VIEW batch_states AS
SELECT *,
       CASE WHEN NOT received THEN 'open'
            WHEN processed + oversized < documents THEN 'processing'
            WHEN error <> '' THEN 'failed'
            WHEN rejected + oversized > 0 THEN 'done with rejections'
            ELSE 'done'
       END AS state
FROM (SELECT *, created + recalled + defaulted + repaid + terms_changed + repayment_reported + status_changed + unchanged + rejected AS processed
      FROM batches) AS counted;
