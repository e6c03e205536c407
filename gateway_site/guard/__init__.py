"""The guard before `/api/users…`: who may call, how often, from which pages, and what is remembered of it.

`view.py` puts it together; where nothing is to be guarded it is not imported by anything that runs.
"""
