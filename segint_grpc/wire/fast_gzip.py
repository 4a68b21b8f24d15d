"""gzip (RFC 1952) at the speed of ISA-L where it is installed, of the standard library elsewhere.

`open_gzip(source)` inflates several members as one, allows zeros after the last (as gzip does) and
releases the GIL; `gzip_compressor()` has `compress` and `flush`; `GZIP_ERRORS` is what broken data raise.
Both libraries take the same data, but for a wrong checksum of the header (FHCRC), which ISA-L alone sees.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any

GZIP_ERRORS: tuple[type[Exception], ...] = (gzip.BadGzipFile, EOFError, zlib.error)

_GZIP_WBITS = 31
_FASTEST_LEVEL = 1

try:
    from isal import igzip, isal_zlib
except ImportError:

    def open_gzip(source: io.RawIOBase) -> io.BufferedIOBase:
        """Return a reader of what `source` inflates to."""
        return gzip.GzipFile(fileobj=source, mode="rb")

    def gzip_compressor() -> Any:
        """Return a compressor for one gzip, fast rather than small."""
        return zlib.compressobj(_FASTEST_LEVEL, wbits=_GZIP_WBITS)

else:
    GZIP_ERRORS = (*GZIP_ERRORS, isal_zlib.IsalError)  # type: ignore[arg-type]  # the stub says instance

    def open_gzip(source: io.RawIOBase) -> io.BufferedIOBase:
        """Return a reader of what `source` inflates to."""
        reader: io.BufferedIOBase = igzip.IGzipFile(fileobj=source, mode="rb")  # type: ignore[no-untyped-call]
        return reader

    def gzip_compressor() -> Any:
        """Return a compressor for one gzip, fast rather than small."""
        return isal_zlib.compressobj(_FASTEST_LEVEL, wbits=_GZIP_WBITS)
