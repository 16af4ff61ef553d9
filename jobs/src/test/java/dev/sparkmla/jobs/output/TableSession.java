package dev.sparkmla.jobs.output;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** A session with Delta Lake and Iceberg, whose tables lie in a folder. */
public final class TableSession implements AutoCloseable {
  private final SparkSession spark;

  /** Starts it; no other may run. */
  public TableSession(Path folder) {
    SparkSession.Builder builder =
        SparkSession.builder().master("local[2]").config("spark.ui.enabled", "false");
    settings(folder).forEach(builder::config);
    spark = builder.getOrCreate();
  }

  /** The session itself. */
  public SparkSession spark() {
    return spark;
  }

  /** What Spark needs for both formats. */
  public static Map<String, String> settings(Path folder) {
    return new TreeMap<>(
        Map.of(
            "spark.sql.extensions",
            "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog",
            "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.databricks.delta.snapshotPartitions",
            "1",
            "spark.sql.catalog.ice",
            IcebergTables.class.getName(),
            "spark.sql.catalog.ice.warehouse",
            folder.resolve("iceberg").toString(),
            "spark.sql.warehouse.dir",
            folder.resolve("warehouse").toString(),
            "spark.sql.shuffle.partitions",
            "2",
            // Delta's many small queries take longer to compile than to interpret.
            "spark.sql.codegen.wholeStage",
            "false",
            "spark.sql.codegen.factoryMode",
            "NO_CODEGEN"));
  }

  /** The same as options of the job. */
  public static Stream<String> options(Path folder) {
    return settings(folder).entrySet().stream()
        .flatMap(setting -> Stream.of("--conf", setting.getKey() + "=" + setting.getValue()));
  }

  /** The name of a table that needs no catalog beside the folder. */
  public static String name(TableFormat format, Path folder, String table) {
    return switch (format) {
      case DELTA -> "delta.`" + folder.resolve(table) + "`";
      case ICEBERG -> "ice.db." + table;
    };
  }

  /** A column of a table, sorted. */
  public <T> List<T> column(String table, String column) {
    Dataset<Row> rows = spark.table(table).select(column).orderBy(column);
    return rows.collectAsList().stream().map(row -> row.<T>getAs(0)).toList();
  }

  /** How many transactions have brought rows to a table, or taken them. */
  public long transactions(TableFormat format, String table) {
    return switch (format) {
      case DELTA ->
          spark.sql("DESCRIBE HISTORY " + table).where("operation LIKE '%WRITE%'").count();
      case ICEBERG -> spark.table(table + ".snapshots").count();
    };
  }

  @Override
  public void close() {
    spark.stop();
  }
}
