package dev.sparkmla.jobs.output;

import static java.util.stream.Collectors.joining;
import static org.apache.spark.sql.functions.col;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/** A format of tables to which a delivery can be repeated without adding its rows twice. */
public enum TableFormat {
  /** Delta Lake: it passes over a transaction of an application that its log has already. */
  DELTA(
      "Delta Lake needs --conf spark.jars.packages=io.delta:delta-spark_4.2_2.13:4.4.0"
          + " --conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension"
          + " --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog") {
    @Override
    Map<String, String> options(Delivery delivery) {
      return Map.of(
          "txnAppId",
          delivery.application(),
          "txnVersion",
          Long.toString(delivery.number()),
          // Else a setting of the session could have --overwrite keep partitions.
          "partitionOverwriteMode",
          "static");
    }

    @Override
    boolean has(Delivery delivery, SparkSession spark, String table) {
      return false; // The write itself looks.
    }

    @Override
    Optional<String> id(FoundTable table, SparkSession spark) {
      return Optional.of(
          spark.sql("DESCRIBE DETAIL " + table.name()).select("id").first().getString(0));
    }

    @Override
    Optional<String> refusedPath(String path) {
      return new Path(path).isAbsolute()
          ? Optional.empty()
          : Optional.of(
              "its path is not absolute; write it as in delta.`/data/answers` or"
                  + " delta.`hdfs:///answers`");
    }
  },
  /** Apache Iceberg: snapshots have properties, among which a delivery is looked for. */
  ICEBERG(
      "Iceberg needs its runtime for Spark 4.2 (that for 4.1 cannot be loaded) in spark.jars.packages"
          + " and a catalog, such as --conf spark.sql.catalog.CATALOG=org.apache.iceberg.spark.SparkCatalog"
          + " --conf spark.sql.catalog.CATALOG.type=hadoop"
          + " --conf spark.sql.catalog.CATALOG.warehouse=FOLDER for tables named CATALOG.DATABASE.TABLE") {
    @Override
    Map<String, String> options(Delivery delivery) {
      return Map.of("snapshot-property." + PROPERTY, identifier(delivery));
    }

    @Override
    boolean has(Delivery delivery, SparkSession spark, String table) {
      return !spark
          .table(table + ".snapshots")
          .where(col("summary").getItem(PROPERTY).equalTo(identifier(delivery)))
          .isEmpty();
    }

    @Override
    Optional<String> id(FoundTable table, SparkSession spark) {
      return Optional.ofNullable(table.table().id());
    }

    @Override
    Optional<String> refusedPath(String path) {
      return Optional.of(
          "one of Iceberg has no path but a catalog; name it as in CATALOG.DATABASE.TABLE");
    }
  };

  private static final String PROPERTY = "spark-mla.delivery";

  private final String needs;

  TableFormat(String needs) {
    this.needs = needs;
  }

  /** The format that Spark calls so. */
  static Optional<TableFormat> of(String provider) {
    return Arrays.stream(values())
        .filter(format -> format.toString().equals(provider.toLowerCase(Locale.ROOT)))
        .findFirst();
  }

  /** What Spark has to be given for tables of this format. */
  String needs() {
    return needs;
  }

  /** What it has to be given for tables of each format. */
  static String allNeeds() {
    return Arrays.stream(values()).map(TableFormat::needs).collect(joining("; "));
  }

  /** Options of a write, by which a repeated delivery is known. */
  abstract Map<String, String> options(Delivery delivery);

  /** Whether a table has the rows of a delivery, where writing does not find out itself. */
  abstract boolean has(Delivery delivery, SparkSession spark, String table);

  /** What identifies a table among all that have had its name. */
  abstract Optional<String> id(FoundTable table, SparkSession spark);

  /** Why a table of this format cannot be named by a path, if it cannot. */
  abstract Optional<String> refusedPath(String path);

  /** The spelling on the command line, and Spark's name of it. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }

  private static String identifier(Delivery delivery) {
    return delivery.application() + "/" + delivery.number();
  }
}
