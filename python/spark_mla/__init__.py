"""Spark MLA for PySpark: its SQL functions as typed columns, and the settings that bring them in.

The functions build columns and nothing else, so they serve classic PySpark and Spark Connect alike.
They need a session whose Spark has the jar, the plugin and the extensions of Spark MLA:
`session` starts one; a Connect server is started with what `settings` gives.

>>> import spark_mla
>>> answer = spark_mla.llm_generate("prompt", params={"max_tokens": 24})
>>> documents.select("id", answer.alias("answer")).select("id", "answer.text")
"""

from spark_mla.functions import (
    llm_count_tokens,
    llm_generate,
    llm_generate_text,
    llm_render_chat,
)
from spark_mla.sessions import session, settings

__all__ = [
    "llm_count_tokens",
    "llm_generate",
    "llm_generate_text",
    "llm_render_chat",
    "session",
    "settings",
]
__version__ = "0.1.0.dev0"
