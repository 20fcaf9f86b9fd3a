"""How the tables came to be as they are, step by step (Alembic). A migration that has been released never changes."""
