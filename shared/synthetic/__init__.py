"""Learnable stand-ins for the data sets, in their raw layouts."""
