"""Notices for failures and refusals, each with an action that helps."""

from __future__ import annotations

from inpaint_client.errors import (
    InpaintError,
    InputError,
    ProgramNotFoundError,
    RequestCancelledError,
    StartFailedError,
    UnauthenticatedError,
)

from ..text import say_error, tr
from .state import Notice, NoticeAction


def notice_of(error: InpaintError) -> Notice:
    """Return the notice for an error."""
    if isinstance(error, RequestCancelledError):
        return Notice(tr("Canceled."), is_problem=False)
    if isinstance(error, ProgramNotFoundError):
        label = tr("Choose program…")
        return Notice(say_error(error), action=NoticeAction.CHOOSE_PROGRAM, action_label=label)
    if isinstance(error, StartFailedError):
        return Notice(say_error(error), action=NoticeAction.SHOW_LOG, action_label=tr("Show log"))
    if isinstance(error, UnauthenticatedError):
        return Notice(say_error(error), action=NoticeAction.SETTINGS, action_label=tr("Settings…"))
    if isinstance(error, InputError):
        return Notice(say_error(error))
    return Notice(say_error(error), action=NoticeAction.AGAIN, action_label=tr("Try again"))


def selection_notice(error: InpaintError) -> Notice:
    """Return the notice for a part that was not selected: trying again would fill."""
    notice = notice_of(error)
    if notice.action is NoticeAction.AGAIN:
        return Notice(notice.text)
    return notice


def failure_notice() -> Notice:
    """Return the notice for an unexpected exception, which was logged."""
    return Notice(
        tr(
            "Something went wrong in the plug-in; see the log for details. You can keep "
            "working. If it happens again, save your image and restart Krita."
        ),
        action=NoticeAction.SHOW_PLUGIN_LOG,
        action_label=tr("Show log"),
    )


def in_progress() -> Notice:
    """Return the notice for something that has to wait for the run in progress."""
    return Notice(tr("Wait for the run in progress, or cancel it."), is_problem=False)


def merging() -> Notice:
    """Return the notice for a run requested while Krita merges a kept candidate."""
    return Notice(
        tr("Krita is still merging the candidate you kept. Try again in a moment."),
        is_problem=False,
        action=NoticeAction.AGAIN,
        action_label=tr("Try again"),
    )


def nothing_transparent() -> Notice:
    return Notice(
        tr("The active layer has no transparent part. Select the region to fill."),
        is_problem=False,
    )


def nothing_selected(is_outside: bool) -> Notice:
    """Return the notice for a selection that is missing or outside the canvas."""
    if is_outside:
        return Notice(tr("The selection is outside the canvas. Select the region to fill."))
    return Notice(
        tr(
            "Nothing is selected. Select the region to fill, or use the transparent part "
            "of the layer."
        ),
        is_problem=False,
        action=NoticeAction.SELECT_TRANSPARENT,
        action_label=tr("Select the transparent part"),
    )
