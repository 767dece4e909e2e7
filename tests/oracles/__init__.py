"""Plain implementations, one loan at a time, that the assessor's vectorised ones are compared with."""
