package dev.sparkmla.jobs.input;

import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.datasources.parquet.ParquetToSparkSchemaConverter;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataType;

/** Finds the file and the column that keep Spark from reading Parquet files. */
final class ParquetFooters {
  private final InputFiles files;
  private final Configuration configuration;
  private final Map<String, Column> columns = new HashMap<>();

  /** A column where it was first seen. */
  private record Column(Path file, DataType type) {}

  ParquetFooters(SparkSession spark, InputFiles files) {
    this.files = files;
    configuration = spark.sparkContext().hadoopConfiguration();
  }

  /**
   * Says why Spark refused the files.
   *
   * @param refusal what it said itself
   */
  InputException explain(Exception refusal) {
    for (Path file : files.files()) {
      Optional<String> problem = problem(file);
      if (problem.isPresent()) {
        return new InputException(problem.get(), refusal);
      }
    }
    return new InputException(files + " cannot be read: " + refusal.getMessage(), refusal);
  }

  private Optional<String> problem(Path file) {
    MessageType schema;
    try (ParquetFileReader reader =
        ParquetFileReader.open(HadoopInputFile.fromPath(file, configuration))) {
      schema = reader.getFooter().getFileMetaData().getSchema();
    } catch (IOException | RuntimeException unreadable) {
      return Optional.of(
          InputFiles.spelled(file) + " cannot be read as Parquet: " + unreadable.getMessage());
    }
    Set<String> names = new HashSet<>();
    for (Type column : schema.getFields()) {
      Optional<String> problem =
          names.add(column.getName().toLowerCase(Locale.ROOT))
              ? problem(file, column)
              : Optional.of("is there twice, in whatever case; rename one of the two");
      if (problem.isPresent()) {
        return Optional.of(
            "the column "
                + column.getName()
                + " of "
                + InputFiles.spelled(file)
                + " "
                + problem.get());
      }
    }
    return Optional.empty();
  }

  private Optional<String> problem(Path file, Type column) {
    DataType type;
    try {
      type =
          new ParquetToSparkSchemaConverter(SQLConf.get())
              .convert(new MessageType("one", column))
              .apply(0)
              .dataType();
    } catch (Exception refusal) { // Spark's are unchecked to Java alone
      return Optional.of(
          "has a type that Spark does not read, " + spelled(column) + "; " + remedy(column));
    }
    Column first =
        columns.putIfAbsent(column.getName().toLowerCase(Locale.ROOT), new Column(file, type));
    // What is nested, Spark merges field by field.
    return first == null || first.type().sameType(type) || !column.isPrimitive()
        ? Optional.empty()
        : Optional.of(
            "is "
                + type.sql()
                + ", and in "
                + InputFiles.spelled(first.file())
                + " it is "
                + first.type().sql()
                + "; give it one type, or give the files as inputs of their own");
  }

  private static String spelled(Type column) {
    return column.isPrimitive()
        ? column.asPrimitiveType().getPrimitiveTypeName()
            + " ("
            + column.getLogicalTypeAnnotation()
            + ")"
        : column.toString().replaceAll("\\s+", " ");
  }

  private static String remedy(Type column) {
    LogicalTypeAnnotation logical = column.getLogicalTypeAnnotation();
    if (logical instanceof LogicalTypeAnnotation.TimestampLogicalTypeAnnotation) {
      return "write it in microseconds, as pandas does with"
          + " to_parquet(..., coerce_timestamps='us', allow_truncated_timestamps=True)";
    } else if (logical instanceof LogicalTypeAnnotation.TimeLogicalTypeAnnotation) {
      return "write it in microseconds, as pyarrow's time64('us')";
    } else if (logical instanceof LogicalTypeAnnotation.Float16LogicalTypeAnnotation) {
      return "write it as float32";
    }
    return "write it in another one, or leave it out";
  }
}
