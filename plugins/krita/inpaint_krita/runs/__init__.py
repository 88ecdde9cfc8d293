"""Run a fill or an edit: read the image, send the job, write the layers, store the history."""
