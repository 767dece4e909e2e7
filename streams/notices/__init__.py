"""Files of notices for originators: cut from the spool in PostgreSQL, delivered until they are taken, each under one name for ever."""
