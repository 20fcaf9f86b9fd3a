"""The daemon's own loop in virtual time: scenarios that are to come out as their author says."""
