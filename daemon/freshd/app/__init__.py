"""The composition root: what people wrote becomes a charter, and the parts become a daemon."""
