"""The counter: accounts, cards, orders, tariffs, shifts and receipts."""
