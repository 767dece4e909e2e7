"""How data moves: the only code that knows Kafka, PostgreSQL, HTTP and the environment."""
