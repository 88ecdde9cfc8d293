"""The daemon's messages to users, by code. They are part of the wire contract.

A notice or an error is sent as a code with values, together with its English text. A client that
knows the code shows the message in its user's language; any other client shows the text. Codes are
only ever added. They keep their meaning and the names of their placeholders.
"""

from __future__ import annotations

from typing import Final

NOTICES: Final[dict[str, str]] = {
    "UNKNOWN_CONTENT": (
        "No face was found near the selection, so the square around the selection is used."
    ),
    "BESIDE_THE_KNOWN": (
        "Most of the selection lies outside the face that was found, so the square "
        "around the selection is used."
    ),
    "NO_FRAMER": "This model cannot find faces, so the square around the selection is used.",
    "SMOOTH_BEYOND": (
        "The selection extends beyond the area that the model can fill. The rest is "
        "filled smoothly, without the model."
    ),
    "ONLY_INSIDE": (
        "The selection extends beyond the frame. Only the part inside the frame is filled."
    ),
    "ENLARGED": "Filled at {resolution} px and enlarged {times} times.",
    "SMOOTH_OFFERED": "The last candidate is a smooth fill, made without the model.",
}
"""Messages that accompany a fill (`FrameChosen.notices`)."""

ERRORS: Final[dict[str, str]] = {
    # The selection and the request.
    "NOTHING_SELECTED": "The selection is empty. Select the region to fill.",
    "TOO_MANY_REGIONS": (
        "The selection consists of more than {limit} regions that are far apart. Fill "
        "them in several steps."
    ),
    "FRAME_BESIDE_SELECTION": (
        "The frame does not overlap the selection. Move the frame over the selection."
    ),
    "FRAME_SIZE": (
        "A frame with a side of {side} px cannot be used. Choose a side from {smallest} "
        "to {largest} px."
    ),
    "NOTHING_AROUND": (
        "A smooth fill needs some image around the selection, but the selection leaves "
        "none. Select a smaller region."
    ),
    "OTHER_SELECTION": (
        "The selection does not match the {count} regions of the earlier fill. Fill again."
    ),
    "SMOOTH_IS_FIXED": (
        "The smooth fill was made without the model and cannot be edited. Edit another candidate."
    ),
    "ONE_CANDIDATE": (
        "The model “{model}” makes one fill for each selection. Request one candidate, or choose "
        "another model."
    ),
    "NO_EDITS": (
        "Fills of the model “{model}” cannot be edited or mixed. Choose another model and fill "
        "again."
    ),
    "NO_DIRECTIONS": (
        "The model “{model}” has no directions for edits. Remove the edits or choose another model."
    ),
    "UNSEEN_PICTURE": (
        "The image to mix in is empty within the candidate's frame. Move it over the hole."
    ),
    "RECIPE_OF_OTHER_MODEL": (
        "The recipe was made with the model “{model}” (weights {weights}), but this "
        "daemon has {known}. Start a daemon with that model."
    ),
    "MIX_OF_OTHER_MODEL": (
        "The candidate to mix in was made with another model. Choose a candidate of the same model."
    ),
    "UNUSABLE_RECIPE": "The recipe cannot be used ({field} {reason}). Fill again.",
    # Names that the daemon does not know.
    "UNKNOWN_MODEL": "There is no model “{name}”. Choose one of these: {known}.",
    "UNKNOWN_DIRECTION": ("The model has no direction “{name}”. Choose one of these: {known}."),
    "UNKNOWN_SESSION": "There is no session “{name}”. It may have expired. Fill again.",
    "UNKNOWN_CANDIDATE": "The fill has no candidate {name}, only these: {known}. Fill again.",
    "UNKNOWN_SERVICE": "There is no service “{name}”. Choose one of these: {known}.",
    # Memory, limits and time.
    "QUEUE_FULL": "The queue is full: {limit} requests are waiting. Try again in a moment.",
    "PICTURE_SIDE": (
        "{field}: {side} px exceeds the limit of {limit} px. Select a smaller region."
    ),
    "PICTURE_BYTES": (
        "{field}: {bytes} bytes exceed the limit of {limit} bytes. Select a smaller region."
    ),
    "REQUESTS_TOO_LARGE": (
        "The request needs {needed} MiB, and other requests are using {held} MiB. Try "
        "again when they have finished, or select a smaller region."
    ),
    "REQUEST_TOO_LARGE": (
        "The request needs {needed} MiB of memory, but the daemon is limited to {limit} "
        "MiB. Select a region of at most {side} x {side} px, or give the daemon more "
        "memory."
    ),
    "DEVICE_MEMORY": (
        "The device does not have enough memory for one candidate. Close other programs "
        "that use it, or start the daemon with `--device cpu`."
    ),
    "MODEL_MEMORY": (
        "The model “{model}” does not fit into the device's memory. Close other programs that use "
        "it, or choose a smaller model."
    ),
    "DAEMON_MEMORY": (
        "The daemon ran out of memory. Close other programs, or select a smaller "
        "region. The daemon's log has the details under {reference}."
    ),
    "DEADLINE_PASSED": (
        "The time limit was reached before the fill was finished. Allow more time in "
        "the settings, or request fewer candidates."
    ),
    "CLIENT_SENT_NOTHING": "The client sent nothing for {seconds} s. Send the complete request.",
    "CLIENT_READ_NOTHING": "The client read nothing for {seconds} s. Fill again.",
    # The daemon itself.
    "STOPPING": "The daemon is shutting down. Start it again and repeat the request.",
    "DEVICE_LOST": (
        "The device failed ({reason}). Try again in a moment. If it fails again, check "
        "the device and its driver, and restart the daemon."
    ),
    "REPLICA_LOST": "The replica that handled the request stopped. Try again in a moment.",
    "TOKEN_MISSING": (
        "The daemon requires a token. Enter it in the settings or set INPAINT_TOKEN. A "
        "daemon on this machine writes its token to its runtime file."
    ),
    "TOKEN_WRONG": (
        "The token is wrong. Enter the token from the daemon's runtime file in the "
        "settings, set INPAINT_TOKEN to it, or restart the daemon."
    ),
    "TOO_MANY_CALLS": (
        "The daemon is already handling {limit} calls. Try again when some of them have finished."
    ),
    "UNKNOWN_METHOD": (
        "The daemon has no call named {name}. Use the same version of the daemon and the client."
    ),
    "MALFORMED_MESSAGE": (
        "The message is not a valid {type}. Use the same version of the daemon and the client."
    ),
    "BUG": "The daemon has a bug. Its log has the details under {reference}. Please report them.",
    # Only a client with a bug sends such a request. The message begins with the field.
    "INVALID_FIELD": "{field}: {reason}",
}
"""Reasons for refusing a request: the `reason` of the ErrorInfo in the status details."""

SENTENCES: Final = NOTICES | ERRORS
DOMAIN: Final = "inpaint.v1"
ERROR_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"
