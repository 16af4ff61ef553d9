"""Generates answers to some documents, writes them to a table and reads it back; prints both, as JSON.

write_table.py DOCUMENTS TABLE FORMAT
"""

import json
import sys

from pyspark.sql import SparkSession

ANSWERS = "SELECT id, llm_generate_text(prompt, map('max_tokens', '24', 'temperature', '0')) AS answer FROM documents"


def content(rows):
    return {row.id: row.answer for row in rows.collect()}


documents, table, form = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
spark.read.json(documents).where("id < 'doc-07'").createOrReplaceTempView("documents")
spark.sql(f"CREATE TABLE {table} USING {form} AS {ANSWERS}")
print("\n" + json.dumps({"generated": content(spark.sql(ANSWERS)), "read": content(spark.table(table))}))
