"""What the daemon tells people, by code: part of the contract, as the numbers of the fields are.

A notice or an error travels as a code with values, beside its English text. A client that knows the
code says it in its user's language; any other shows the text. Codes are only added, and keep their
meaning and the names of their places.
"""

from __future__ import annotations

from typing import Final

NOTICES: Final[dict[str, str]] = {
    "UNKNOWN_CONTENT": (
        "This does not look like what the model knows; the square around the selection is used."
    ),
    "BESIDE_THE_KNOWN": (
        "The selection lies mostly beside what the model knows; the square around it is used."
    ),
    "NO_FRAMER": "This model cannot find frames; the square around the selection is used.",
    "SMOOTH_BEYOND": (
        "The selection reaches beyond what the model knows; the rest is filled smoothly, "
        "without it."
    ),
    "ONLY_INSIDE": "The selection is larger than the frame; only the part inside is filled.",
    "ENLARGED": "Filled at {resolution} px, enlarged {times} times.",
    "SMOOTH_OFFERED": "The last candidate is filled smoothly, without the model.",
}
"""What comes with a fill (`FrameChosen.notices`)."""

ERRORS: Final[dict[str, str]] = {
    # The selection and what is asked for it.
    "NOTHING_SELECTED": "The selection is empty. Select the region to fill.",
    "TOO_MANY_REGIONS": (
        "The selection falls into more than {limit} regions far apart. Fill them in several steps."
    ),
    "FRAME_BESIDE_SELECTION": ("The frame does not meet the selection. Move the frame over it."),
    "FRAME_SIZE": (
        "A frame with a side of {side} px cannot be used; choose {smallest} to {largest} px."
    ),
    "NOTHING_AROUND": (
        "Nothing is left around the selection for a smooth fill to continue; select less."
    ),
    "OTHER_SELECTION": (
        "The selection does not fall into the {count} regions of the earlier fill. Fill again."
    ),
    "SMOOTH_IS_FIXED": (
        "The smooth fill was made without the model and cannot be edited; edit another candidate."
    ),
    "UNSEEN_PICTURE": (
        "The image to mix shows nothing in the candidate's frame; move it over the hole."
    ),
    "RECIPE_OF_OTHER_MODEL": (
        "The recipe was made with the model “{model}” (weights {weights}); this daemon has "
        "{known}. Start a daemon that has the model."
    ),
    "MIX_OF_OTHER_MODEL": (
        "The candidate to mix with was made with another model; "
        "only candidates of one model can be mixed."
    ),
    "UNUSABLE_RECIPE": "The recipe cannot be used ({field} {reason}). Fill again.",
    # What there is.
    "UNKNOWN_MODEL": "There is no model “{name}”. Choose one of these: {known}.",
    "UNKNOWN_DIRECTION": ("The model has no direction “{name}”. Choose among these: {known}."),
    "UNKNOWN_SESSION": "There is no session “{name}”; it may have expired. Fill again.",
    "UNKNOWN_CANDIDATE": "The fill has no candidate {name}, only these: {known}. Fill again.",
    "UNKNOWN_SERVICE": "There is no service “{name}”. Choose one of these: {known}.",
    # Room and time.
    "QUEUE_FULL": "The queue is full: {limit} requests wait. Try again in a moment.",
    "PICTURE_SIDE": (
        "{field}: {side} px is over the limit of {limit} px. Select a smaller region."
    ),
    "PICTURE_BYTES": (
        "{field}: {bytes} bytes are over the limit of {limit}. Select a smaller region."
    ),
    "REQUESTS_TOO_LARGE": (
        "The request needs {needed} MiB, and other requests hold {held} MiB. "
        "Try again when they have ended, or with a smaller selection."
    ),
    "REQUEST_TOO_LARGE": (
        "The request needs {needed} MiB of memory, and the daemon may take {limit}. "
        "Select a region of at most {side} px a side, or give the daemon more memory."
    ),
    "DEVICE_MEMORY": (
        "The device's memory does not suffice for one candidate. Close other programs that use "
        "it, or start the daemon with `--device cpu`."
    ),
    "MODEL_MEMORY": (
        "The model “{model}” does not fit into the device's memory. Close other programs that use "
        "it, or choose a smaller model."
    ),
    "DAEMON_MEMORY": (
        "The daemon's memory does not suffice. Close other programs, or select a smaller region; "
        "the daemon's log has the details: {reference}."
    ),
    "DEADLINE_PASSED": (
        "The deadline passed before the work was done. "
        "Allow more time in the settings, or ask for fewer candidates."
    ),
    "CLIENT_SENT_NOTHING": "Nothing came for {seconds} s; send the whole request.",
    "CLIENT_READ_NOTHING": "The client read nothing for {seconds} s. Fill again.",
    # The daemon itself.
    "STOPPING": "The daemon is stopping. Start it again and repeat the request.",
    "DEVICE_LOST": (
        "The device failed ({reason}). Fill again in a moment; if that does not help, check the "
        "device and its driver, and start the daemon again."
    ),
    "TOKEN_MISSING": (
        "The daemon asks for a token. Put it into the settings or into INPAINT_TOKEN; a daemon on "
        "this machine writes it to its runtime file."
    ),
    "TOKEN_WRONG": (
        "The token is wrong. Put the one in the daemon's runtime file into the settings or into "
        "INPAINT_TOKEN, or restart the daemon."
    ),
    "TOO_MANY_CALLS": (
        "The daemon is already answering {limit} calls. Try again when some of them have ended."
    ),
    "UNKNOWN_METHOD": (
        "The daemon has no call named {name}. Use the same version of the daemon and of the client."
    ),
    "MALFORMED_MESSAGE": (
        "The message is not a valid {type}. Use the same version of the daemon and of the client."
    ),
    "BUG": "A bug in the daemon; its log has the details: {reference}. Please report them.",
    # A request that only a client with a bug sends. It begins with the field.
    "INVALID_FIELD": "{field}: {reason}",
}
"""Why a request was refused: the `reason` of the ErrorInfo in its details."""

SENTENCES: Final = NOTICES | ERRORS
DOMAIN: Final = "inpaint.v1"
ERROR_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"
