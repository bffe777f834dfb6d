"""Where resources are kept: one seam, `contract.py`, and one folder per backend."""
