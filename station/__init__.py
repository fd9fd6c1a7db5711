"""Station: electricity-use collection and prepayment on one substation box."""

__version__ = "0.1.0"
