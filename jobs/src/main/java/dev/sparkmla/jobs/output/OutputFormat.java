package dev.sparkmla.jobs.output;

import java.util.Locale;
import org.apache.spark.sql.execution.datasources.FileFormat;
import org.apache.spark.sql.execution.datasources.parquet.ParquetFileFormat;

/** What the completions are written in. */
public enum OutputFormat {
  /** Parquet. */
  PARQUET {
    @Override
    FileFormat writer() {
      return new ParquetFileFormat();
    }
  },
  /** JSON lines; a column that is NULL is written as {@code null}. */
  JSON {
    @Override
    FileFormat writer() {
      return new JsonLinesFormat();
    }
  };

  /** What writes the format. */
  abstract FileFormat writer();

  /** The spelling on the command line, and Spark's name of what reads the format. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
