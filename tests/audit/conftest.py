from tests.database import database, empty_database

__all__ = ["database", "empty_database"]
