"""The steps from an empty database to this release's, one file each, never changed once released.

A file NNNN_what.py has `apply(database)`, which runs inside a transaction together with every other step
that a database has not seen. It spells its tables out rather than import them: schema.py moves on.
"""
