"""The wire contract (`inpaint.v1`) and its generated code."""
