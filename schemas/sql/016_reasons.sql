-- Null of versions from before it was told.
ALTER TABLE asset_versions ADD COLUMN reasons text; -- what costs the score most, largest first: "rate -65, purpose -14"; empty: nothing
