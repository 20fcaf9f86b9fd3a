"""The processes that do the work, outside the daemon: they survive it, and may run in another interpreter.

Standard library only (each `*_body` adds the one library it is about), imports only from each other,
and no freshd: `boot.py` loads this folder as a package by its path, so that an interpreter that has
dbt but no freshd will do. They read the system's clock themselves; it is not the daemon's.

    server      one per launcher, warm: has imported what runs need, forks a supervisor for each run
    supervise   one per run, in a session of its own: claims the run directory, forks the worker, keeps
                its output, time limit and outcome
    *_body      what the worker does: a command, a python function, a dbt invocation
    rundir      the run directory: the only truth about a run
"""
