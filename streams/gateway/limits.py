"""What bounds the gateway: sizes in bytes, times in seconds. Memory is bounded by these and by nothing else."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    upload_bytes: int = 16 * 1024**3  # as sent, and as it comes out of its compression
    # How many times its size a compressed upload may grow to, once it is over the first MiB. Measured at gzip -9 / zstd -19: real loans
    # 13 / 20; with the same 60 kB of text in each of them 3 / 670; one loan over and over, a counter for its id, 120 / 460. What grows more
    # is no book: one document over and over 206 / 10,400, 60 kB of one letter in each 590 / 6,800. gzip ends at 1,032.
    growth_max: int = 2000
    growth_free_bytes: int = 1024**2
    uploads: int = 8  # at a time, each holds at most one open chunk a partition
    idle_s: float = 30  # without a byte of an upload
    chunk_bytes: int = 128 * 1024  # a chunk is handed over when it has this many,
    chunk_documents: int = 1000  # or this many
    chunks_in_flight: int = 8  # of all uploads, handed over and not yet acknowledged
    ack_s: float = 30  # that the broker may take for an acknowledgement
    connect_s: float = 5  # for a connection to the broker or the database
    query_s: float = 10  # of the database
    recognise_s: float = 2  # that the database may take to say whether a file was received before
    page_bytes: int = 256 * 1024  # of rejected documents that are read at a time, and one document more
    json_bytes: int = 64 * 1024  # body of a portfolio
    header_bytes: int = 16 * 1024  # of a request
    connections: int = 256
    linger_s: float = 30  # that a refused upload is still read and dropped, so that the client sees the answer
    recent: int = 1000  # batches whose ids are remembered until the database shows them
    spool_bytes: int = 32 * 1024**3  # that wait to be backed up: two of the largest uploads
    spool_batches: int = 10_000  # that wait, too
    spool_free_bytes: int = 64 * 1024**2  # that are left on its disk for others
    unread_s: float = 60  # until a file of the inbox that could not be read is tried again
    retry_s: int = 5  # what Retry-After says
