"""The controller: what brings declarations, sources and clusters together and carries plans out."""
