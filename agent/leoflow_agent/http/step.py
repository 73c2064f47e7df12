"""What a conversation (`http.talk`) asks of whoever has the network, and what it is told.

Values only, so that a container and the control plane carry the same conversation out.
"""

from collections import namedtuple

# One request. ``headers`` are bytes by name, ``url`` is ready to be sent. Of the body at most
# ``read_bytes`` are wanted; that of an answer with one of ``save_codes`` goes to the file, whole.
Send = namedtuple(
    "Send", "method url headers body connect_seconds read_seconds read_bytes save_codes"
)

# ``seconds`` from the request to the end of the answer. ``headers`` are pairs. ``body`` None: it
# is longer than was wanted, or it is in the file.
Answer = namedtuple("Answer", "status headers body seconds")

# No answer, or not all of it. ``sent``: the server may have begun to work on the request.
# ``passing``: it may go better the next time. ``text`` says why, without any part of the request.
Broken = namedtuple("Broken", "sent passing text")

# Wait so many seconds.
Pause = namedtuple("Pause", "seconds")

# Tell people one line.
Line = namedtuple("Line", "text")

# Append bytes to the file.
Keep = namedtuple("Keep", "chunk")

# The end of a conversation: the result, or with ``in_file`` what is told of the file beside its
# own figures.
Result = namedtuple("Result", "value in_file")
