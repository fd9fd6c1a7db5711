"""What schemathesis is told beyond the document: which calls would end the run itself.

Loaded by schemathesis by its path, in its own process.
"""

import schemathesis

# An empty value of a query counts as absent, as forms send it; no schema can say so.
EMPTY = ("", [], [""])


@schemathesis.hook
def filter_query(_: schemathesis.HookContext, query: dict[str, object] | None) -> bool:
    """Leave out empty values."""
    return not any(value in EMPTY for value in (query or {}).values())
