-- A batch's rejected documents in the order of its file, to be given back. Only whole ones can be: of a larger one its beginning is kept,
-- and what stopped the cutting of a message is no document. `complete` is what streams/frames.py asks of a single document: a length
-- prefix (int32, little-endian) that is its length, and a zero byte at the end.
ALTER TABLE rejections ADD COLUMN complete boolean NOT NULL GENERATED ALWAYS AS (
    CASE WHEN octet_length(document) < 5 THEN false
         ELSE get_byte(document, 0) + get_byte(document, 1) * 256 + get_byte(document, 2) * 65536 + get_byte(document, 3) * 16777216::bigint
              = octet_length(document)
              AND get_byte(document, octet_length(document) - 1) = 0
    END
) STORED;
CREATE INDEX rejections_complete ON rejections (batch, position, topic, partition, record_offset) WHERE complete;
CREATE INDEX rejections_incomplete ON rejections (batch) WHERE NOT complete;
