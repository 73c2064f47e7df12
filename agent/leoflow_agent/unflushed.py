"""Files that user code has written to and not closed: an interpreter that is taken down flushes
them. Imported only where more is open at the end than at the beginning.
"""

import gc
import io


def flush() -> None:
    """Write out what is still in a buffer; an error of one file does not keep the others."""
    first: BaseException | None = None
    for one in gc.get_objects():
        if isinstance(one, (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)):
            try:
                if not one.closed:
                    one.flush()
            except (OSError, ValueError) as error:
                first = first or error
    if first is not None:
        raise first
