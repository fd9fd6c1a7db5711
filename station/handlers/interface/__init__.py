"""The interface for programs: its document, made from the routes, and a page to try it."""
