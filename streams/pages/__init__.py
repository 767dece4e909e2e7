"""The pages of the ops views, one a file: what each asks, and what it shows."""
