-- What an asset of another kind than a loan has besides (schemas/kinds.py): one object, in the words of its documents; null for loans.
-- `json`, not `jsonb`: the text stays as intake wrote it, fields in the order in which the product declares them.
ALTER TABLE asset_versions ADD COLUMN attributes json;
