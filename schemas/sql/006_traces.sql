-- All that is stored of one asset (streams/trace/queries.py).
CREATE INDEX investments_of_asset ON investments (originator, asset, version);
-- What a refused document says its id is may be of any length, and an entry of an index may not: longer ones, and none, are no asset's.
CREATE INDEX rejections_of_asset ON rejections (originator, asset, rejected_at DESC) WHERE octet_length(asset) BETWEEN 1 AND 256;
