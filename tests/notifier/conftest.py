from tests.database import database, empty_database, sql, store

__all__ = ["database", "empty_database", "sql", "store"]
