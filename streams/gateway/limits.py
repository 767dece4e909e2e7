"""What bounds the gateway: sizes in bytes, times in seconds. Memory is bounded by these and by nothing else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    upload_bytes: int = 16 * 1024**3
    uploads: int = 8  # at a time, each holds at most one open chunk a partition
    idle_s: float = 30  # without a byte of an upload
    chunk_bytes: int = 128 * 1024  # a chunk is handed over when it has this many,
    chunk_documents: int = 1000  # or this many
    chunks_in_flight: int = 8  # of all uploads, handed over and not yet acknowledged
    ack_s: float = 30  # that the broker may take for an acknowledgement
    connect_s: float = 5  # for a connection to the broker or the database
    query_s: float = 10  # of the database
    json_bytes: int = 64 * 1024  # body of a portfolio
    header_bytes: int = 16 * 1024  # of a request
    connections: int = 256
    linger_s: float = 30  # that a refused upload is still read and dropped, so that the client sees the answer
    recent: int = 1000  # batches whose ids are remembered until the database shows them
    retry_s: int = 5  # what Retry-After says
