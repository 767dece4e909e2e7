ALTER TABLE asset_versions ADD COLUMN product_version integer; -- of the product that it was assessed by; null of versions from before it was told
