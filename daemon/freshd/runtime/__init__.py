"""What drives the engine: the loop, its inbox, what performs its effects. It knows no vendor."""
