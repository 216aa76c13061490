"""The library: files on disk, what the ledger knows of them, and how the two are kept in step."""
