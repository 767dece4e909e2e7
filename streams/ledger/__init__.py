"""The ledger in PostgreSQL: posting, what plans have to know, the audit, and the commands."""
