package dev.sparkmla.jobs.output;

import static java.util.stream.Collectors.joining;

import dev.sparkmla.jobs.input.Documents;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.spark.sql.DataFrameWriterV2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * A table of a catalog. Slices and the log of deliveries are in a folder of their own, the
 * checkpoint; a delivery adds all rows that are there to the table in one transaction, and their
 * slices are deleted.
 */
final class TableDestination extends Destination {
  private final String name;
  private final OutputPlace checkpoint;
  private final Optional<TableFormat> format;
  private final PartitionColumns partitionBy;
  private final Lease.Observation observation;

  /**
   * @param observation how long a run waits that finds another one delivering
   */
  TableDestination(
      String name,
      OutputPlace checkpoint,
      Optional<TableFormat> format,
      PartitionColumns partitionBy,
      Lease.Observation observation) {
    super(name, checkpoint.slices());
    this.name = name;
    this.checkpoint = checkpoint;
    this.format = format;
    this.partitionBy = partitionBy;
    this.observation = observation;
  }

  @Override
  List<OutputPlace> places() {
    return List.of(checkpoint);
  }

  @Override
  void settle() throws IOException {
    if (slices().isFinished()) {
      throw new OutputException(
          "the folder "
              + checkpoint.path()
              + " is the finished output of another job and no checkpoint; name another folder");
    }
    deliveries().all().stream()
        .filter(delivery -> !delivery.table().equals(name))
        .findFirst()
        .ifPresent(
            delivery -> {
              throw new OutputException(
                  "the checkpoint "
                      + checkpoint.path()
                      + " belongs to the table "
                      + delivery.table()
                      + ", to which rows of it were added; name another checkpoint for the table "
                      + name);
            });
    if (!deliveries().ended().isEmpty()) {
      slices().dropOthers();
    }
  }

  @Override
  Optional<SliceFolder> finished() throws IOException {
    return deliveries().ended().isEmpty() ? Optional.empty() : Optional.of(slices());
  }

  @Override
  boolean isWhole(long rows) throws IOException {
    return slices().undelivered().isEmpty() && slices().committedRows() == rows;
  }

  @Override
  void requireRows(Supplier<SparkSession> sessions) throws IOException {
    try (SparkSession spark = sessions.get()) {
      requireTable(spark);
    }
  }

  /** Refuses a table that lacks what was added to it: one that is gone, or made anew. */
  Optional<FoundTable> requireTable(SparkSession spark) throws IOException {
    List<Delivery> deliveries = deliveries().all();
    Optional<FoundTable> there = find(spark);
    if (there.isEmpty() && !deliveries.isEmpty()) {
      throw new OutputException(
          "the table "
              + name
              + ", to which rows of the checkpoint "
              + checkpoint.path()
              + " were added, is not there any more; bring it back, or name another checkpoint,"
              + " which adds all rows anew");
    }
    Optional<String> id =
        deliveries.isEmpty() ? Optional.empty() : there.flatMap(table -> table.id(spark));
    for (Delivery delivery : deliveries) {
      if (id.isPresent() && delivery.tableId() != null && !delivery.tableId().equals(id.get())) {
        throw new OutputException(
            "the table "
                + name
                + " is another one than that to which rows of the checkpoint "
                + checkpoint.path()
                + " were added: it was made anew since; bring the earlier one back, or name another"
                + " checkpoint, which adds all rows anew");
      }
    }
    return there;
  }

  @Override
  String howToStartOver(boolean finished) throws IOException {
    return deliveries().all().isEmpty()
        ? "start over with --force and without --resume, which deletes the unfinished rows"
        : "name another checkpoint, which adds all rows anew beside those that are in the table, or"
            + " give --overwrite --force without --resume, which replaces all rows of the table";
  }

  @Override
  String written() {
    return "the checkpoint " + checkpoint.path() + " of the table " + this;
  }

  @Override
  void protect(boolean overwrite, boolean resumes) throws IOException {
    boolean isThere = !deliveries().ended().isEmpty();
    if (resumes && overwrite && isThere) {
      throw new OutputException(
          "rows of the checkpoint "
              + checkpoint.path()
              + " are in the table "
              + name
              + ", and --overwrite would delete them; leave it away, or "
              + howToStartOver(false));
    }
    if (!resumes && !overwrite && (isThere || deliveries().open().isPresent())) {
      throw new OutputException(
          "rows of the checkpoint "
              + checkpoint.path()
              + (isThere ? " are" : " may be")
              + " in the table "
              + name
              + " already; go on, and add those of new files, with --resume; or "
              + howToStartOver(true));
    }
  }

  /** Rows of new files go to the checkpoint as the first ones did. */
  @Override
  void reopen() {}

  @Override
  void putBack() {}

  @Override
  void check(SparkSession spark, StructType columns) throws IOException {
    Optional<FoundTable> there = requireTable(spark);
    if (there.isEmpty()) {
      create(spark, columns);
      there = find(spark);
    }
    FoundTable table = there.orElseThrow(() -> isNotThere(spark));
    table.requireFormat(format);
    table.requireApartFrom(checkpoint);
    table.requireColumns(columns);
    table.requirePartitions(partitionBy, columns);
  }

  @Override
  boolean repeatDelivery(SparkSession spark) throws IOException {
    if (deliveries().open().isEmpty()) {
      return false;
    }
    try (Lease held = Lease.take(slices(), observation)) {
      deliverOpen(spark);
    }
    return true;
  }

  @Override
  void deliver(SparkSession spark, StructType columns, boolean overwrite) throws IOException {
    try (Lease held = Lease.take(slices(), observation)) {
      deliverOpen(spark); // Of a run that began, and was killed, after this one had begun.
      // What this checkpoint has brought itself stays.
      boolean replaces = overwrite && deliveries().ended().isEmpty();
      List<Slice> rows = slices().undelivered();
      if (replaces || !rows.isEmpty()) {
        FoundTable table = find(spark).orElseThrow(() -> isNotThere(spark));
        deliveries().begin(name, table.id(spark), replaces, columns, rows);
        deliverOpen(spark);
      }
    }
  }

  /** Brings the rows of the open delivery to the table, if there is one. */
  private void deliverOpen(SparkSession spark) throws IOException {
    Optional<Delivery> open = deliveries().open();
    if (open.isEmpty()) {
      return;
    }
    Delivery delivery = open.get();
    // A session of its own, because the job's reads files in blocks that are too small here.
    SparkSession own = spark.newSession();
    FoundTable table = requireTable(own).orElseThrow(() -> isNotThere(own));
    TableFormat found = table.format();
    if (!found.has(delivery, own, name)) {
      table.requireColumns(delivery.schema());
      add(slices().read(own, delivery.content(), delivery.schema()), delivery, found);
    }
    deliveries().end(delivery);
    slices().dropOthers();
  }

  /** Adds rows in one transaction. */
  void add(Dataset<Row> rows, Delivery delivery, TableFormat found) {
    DataFrameWriterV2<Row> writer = rows.writeTo(name).options(found.options(delivery));
    try {
      if (delivery.replaces()) {
        writer.overwrite(functions.lit(true));
      } else {
        writer.append();
      }
    } catch (Exception problem) { // Scala does not declare what it throws.
      throw OutputException.rooted("the rows cannot be added to the table " + name, problem, "");
    }
  }

  private void create(SparkSession spark, StructType columns) {
    TableFormat made = format.orElseThrow(() -> isNotThere(spark));
    refusedPath(spark)
        .ifPresent(
            problem -> {
              throw new OutputException(problem);
            });
    List<String> partitions = partitionBy.in(columns);
    String command =
        "CREATE TABLE "
            + name
            + " ("
            + columns.toDDL()
            + ") USING "
            + made
            + (partitions.isEmpty()
                ? ""
                : partitions.stream()
                    .map(Documents::quoted)
                    .collect(joining(", ", " PARTITIONED BY (", ")")));
    try {
      spark.sql(command);
    } catch (Exception problem) { // Scala does not declare what it throws.
      throw new OutputException(
          "the table "
              + name
              + " cannot be created: "
              + problem.getMessage()
              + "; where Spark does not know the format: "
              + made.needs(),
          problem);
    }
  }

  private OutputException isNotThere(SparkSession spark) {
    return new OutputException(
        refusedPath(spark)
            .orElseGet(
                () ->
                    "there is no table "
                        + name
                        + "; --table-format delta or iceberg makes one. If it is there, Spark does not"
                        + " know its catalog: "
                        + TableFormat.allNeeds()));
  }

  /** Why a name that says a path is none of a table, if it is none. */
  private Optional<String> refusedPath(SparkSession spark) {
    return CatalogLookup.pathName(spark, name)
        .flatMap(
            path ->
                TableFormat.of(path.format())
                    .map(table -> table.refusedPath(path.path()))
                    .orElseGet(path::refusedAsFiles))
        .map(problem -> "there can be no table " + name + ": " + problem);
  }

  private Optional<FoundTable> find(SparkSession spark) {
    Optional<Table> table;
    try {
      table = CatalogLookup.table(spark, name);
    } catch (Exception | LinkageError problem) { // A catalog may be made for another Spark.
      throw new OutputException(
          "the table "
              + name
              + " cannot be opened: "
              + problem.getMessage()
              + "; where Spark does not know its catalog: "
              + format.map(TableFormat::needs).orElseGet(TableFormat::allNeeds),
          problem);
    }
    return table.map(found -> new FoundTable(name, found));
  }

  private Deliveries deliveries() {
    return slices().deliveries();
  }
}
