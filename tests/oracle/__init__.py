"""The oracle: a slow, literal reading of semantics.md over the whole set of events known.

It never imports freshd.core; it shares with it only the nouns of freshd.model. Where the engine and the
oracle disagree, one of them has misread the page.
"""
