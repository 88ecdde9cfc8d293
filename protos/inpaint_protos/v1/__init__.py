"""The messages and services of `inpaint.v1`, generated from inpaint.proto."""
