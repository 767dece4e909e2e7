-- A batch is done when what was rejected of it is stored as well: whoever sees that it is done, reads all of its rejections. They come by a
-- topic of their own, which may be behind that of the counts. Only a batch with rejections is counted again, in the index.
CREATE OR REPLACE VIEW batch_states AS
SELECT *,
       CASE WHEN NOT received THEN 'open'
            WHEN processed + oversized < documents THEN 'processing'
            WHEN rejected + oversized > 0
                 AND rejected + oversized > (SELECT count(*) FROM rejections WHERE rejections.batch = counted.batch) THEN 'processing'
            WHEN error <> '' THEN 'failed'
            WHEN rejected + oversized > 0 THEN 'done with rejections'
            ELSE 'done'
       END AS state
FROM (SELECT *, created + recalled + defaulted + repaid + returned + extended + terms_changed + repayment_reported + status_changed
                + unchanged + stale + rejected AS processed
      FROM batches) AS counted;
