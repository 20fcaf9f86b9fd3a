"""freshd: knows whether data is fresh, and makes it so."""
