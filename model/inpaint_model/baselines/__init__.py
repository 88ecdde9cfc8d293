"""The methods to which the paper's Table 1 compares, one module each."""
