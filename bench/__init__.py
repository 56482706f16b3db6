"""posterior-bench: how good an answer does each inference backend give, after how many seconds?"""

__version__ = "0.1.0"
