"""Spark MLA for PySpark: its SQL functions as typed columns, and the settings that bring them in.

The functions build columns and nothing else, so they serve classic PySpark and Spark Connect alike.
They need a session whose Spark has the jars, the plugin and the extensions of Spark MLA: with a
session of your own, `settings` says so; a Connect server is started with the same settings.

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
from spark_mla.session import settings

__all__ = [
    "llm_count_tokens",
    "llm_generate",
    "llm_generate_text",
    "llm_render_chat",
    "settings",
]
__version__ = "0.1.0.dev0"
