"""Read checkpoints of other implementations without executing any of their code."""

from inpaint_model.importing.checkpoint import (
    Checkpoint,
    Provenance,
    find_source,
    import_checkpoint,
)
from inpaint_model.importing.errors import CheckpointError

__all__ = ["Checkpoint", "CheckpointError", "Provenance", "find_source", "import_checkpoint"]
