"""The nouns of freshd: frozen, standard library only, no clock, no I/O."""
