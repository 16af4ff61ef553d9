package dev.sparkmla.jobs;

import java.util.Locale;

/** What the completions are written in. */
enum OutputFormat {
  /** Parquet. */
  PARQUET,
  /** JSON lines; a column that is NULL is written as {@code null}. */
  JSON;

  /** The spelling on the command line, and Spark's name of the format. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
