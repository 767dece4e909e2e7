-- When an originator last changed a loan, as it says; the kinds of change `returned` and `extended`; documents older than what is known.
ALTER TABLE asset_versions ADD COLUMN updated_at timestamptz;

ALTER TABLE batches
    ADD COLUMN returned bigint NOT NULL DEFAULT 0,
    ADD COLUMN extended bigint NOT NULL DEFAULT 0,
    ADD COLUMN stale    bigint NOT NULL DEFAULT 0; -- older than the version that was known, and so of no effect

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
