package dev.sparkmla.jobs;

import java.util.Locale;

/** What the completions are written in. */
enum OutputFormat {
  /** Parquet. */
  PARQUET("parquet"),
  /** JSON lines; a column that is NULL is written as {@code null}. */
  JSON(JsonLinesFormat.class.getName());

  private final String writer;

  OutputFormat(String writer) {
    this.writer = writer;
  }

  /** Spark's name of what writes the format. */
  String writer() {
    return writer;
  }

  /** The spelling on the command line, and Spark's name of what reads the format. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
