"""What the server remembers: a database of jobs and models, and the media files beside it.

Everything here blocks and is synchronous; one public method is one transaction. Peewee is used in this
package and nowhere else.
"""

from segint_grpc.store.store import Store, open_store

__all__ = ["Store", "open_store"]
