"""What freshd claims about speed and size, each by one command whose last line is JSON.

Machines differ three-fold, so a bench compares two things measured in turn within the same run.
"""
