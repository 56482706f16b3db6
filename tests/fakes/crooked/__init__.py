"""Contenders whose log density has the fault that the variable CROOKED names."""
