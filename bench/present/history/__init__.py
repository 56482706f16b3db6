"""A metric over the runs of a results folder, with the steps in it: tables in, text out."""
