-- How a batch came, from whom and since when; whether its bytes are those of an earlier one (streams/gateway/recognition.py); and what it
-- restarts or drops (streams/gateway/restarts.py).
ALTER TABLE batches
    ADD COLUMN way         text COLLATE "C" NOT NULL DEFAULT '', -- schemas/events.py, WAYS; empty if it is not known
    ADD COLUMN sender      text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN same_as     text COLLATE "C" NOT NULL DEFAULT '', -- the first batch of the same bytes; empty if there is none
    ADD COLUMN restart_of  text COLLATE "C" NOT NULL DEFAULT '', -- the batch that this one sends again or whose effect it undoes
    ADD COLUMN began_at    timestamptz,                          -- by the gateway's clock
    ADD COLUMN received_at timestamptz;                          -- time of its event batch.received

CREATE INDEX batches_of_content ON batches (originator, digest, bytes, received_at) WHERE received AND error = '';
CREATE INDEX batches_of_originator ON batches (originator, (coalesce(received_at, last_event)) DESC);
-- The versions of a batch lie together, so a summary of each range of pages finds them, at no cost for each row.
CREATE INDEX asset_versions_of_batch ON asset_versions USING brin (batch text_bloom_ops) WITH (autosummarize = on);

DROP VIEW batch_states;
CREATE VIEW batch_states AS
SELECT *,
       CASE WHEN NOT received THEN 'open'
            WHEN processed + oversized < documents THEN 'processing'
            WHEN error <> '' THEN 'failed'
            WHEN rejected + oversized > 0 THEN 'done with rejections'
            ELSE 'done'
       END AS state
FROM (SELECT *, created + recalled + defaulted + repaid + returned + extended + terms_changed + repayment_reported + status_changed
                + unchanged + stale + rejected AS processed
      FROM batches) AS counted;
