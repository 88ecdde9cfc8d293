"""A model on disk: a folder of YAML and safetensors. No pickle."""
