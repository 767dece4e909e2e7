-- Null of versions from before it was told: then it was the built-in one.
ALTER TABLE asset_versions ADD COLUMN model text; -- that gave the assessment: built_in, a service's name for its own, "built_in (fallback)"
