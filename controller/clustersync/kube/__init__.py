"""The only I/O with API servers. Decides nothing: it brings what is there and carries out what it is told."""
