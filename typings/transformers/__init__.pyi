# The type checker reads this in place of transformers, whose own files cost it ten seconds.
from typing import Any

def __getattr__(name: str) -> Any: ...
