"""The demo: two real clusters, the controller as its own process, and what happens there, timed and verified before one's eyes."""
