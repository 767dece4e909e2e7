"""What a loan book would come to, without doing it: a process a book, started by the gateway (`streams/gateway/dry_run.py`)."""
