"""Generates answers to some documents, writes them to tables as well, and prints what each then holds, as JSON.

write_tables.py DOCUMENTS [TABLE FORMAT]...
"""

import json
import sys

from pyspark.sql import SparkSession

ANSWERS = "SELECT id, llm_generate_text(prompt, map('max_tokens', '24', 'temperature', '0')) AS answer FROM documents"


def content(rows):
    return {row.id: row.answer for row in rows.collect()}


documents, *tables = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
spark.read.json(documents).where("id < 'doc-07'").createOrReplaceTempView("documents")
found = {"": content(spark.sql(ANSWERS))}
for table, form in zip(tables[::2], tables[1::2]):
    spark.sql(f"CREATE TABLE {table} USING {form} AS {ANSWERS}")
    found[form] = content(spark.table(table))
print("\n" + json.dumps(found))
