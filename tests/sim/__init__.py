"""The simulator: the real loop and engine in a made-up world that lies, forgets, repeats and dies.

One seed is one world: a graph with policies, events with duplicates, gaps and late arrivals, launchers that
fail, hang or answer late or twice, a skewed clock, a journal that loses what was not durable, and crashes at
every point of the loop. After every durable step the engine is compared with the oracle, which plays the
same inputs; at the end faults stop and everything must converge. A failing seed is printed and replays:
`python -m tests.sim --seed K`.
"""
