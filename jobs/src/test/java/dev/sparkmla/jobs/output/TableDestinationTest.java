package dev.sparkmla.jobs.output;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.lit;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.jobs.input.InputFiles;
import dev.sparkmla.jobs.input.NumberedRows;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Deliveries to real tables. A run that is killed is one of which no further step is made. */
class TableDestinationTest {
  @TempDir static Path folder;

  private static TableSession session;

  @BeforeAll
  static void start() {
    session = new TableSession(folder);
  }

  @AfterAll
  static void stop() {
    session.close();
  }

  @ParameterizedTest
  @EnumSource
  void addsRowsOnceWhateverStepARunIsKilledBefore(TableFormat format) throws IOException {
    for (int steps = 0; steps <= 4; steps++) {
      Run killed = new Run(format, "killed" + steps);
      killed.write(0, 20, 1);
      killed.steps(steps);

      Run next = killed.next();
      next.goOn();
      Run repeated = next.next();
      repeated.goOn();

      assertThat(session.<Long>column(next.name, "id"))
          .as("after %d steps", steps)
          .isEqualTo(numbers(0, 20));
      assertThat(session.transactions(format, next.name)).isEqualTo(1);
      assertThat(next.slices()).isEmpty();
      assertThat(repeated.destination.isWhole(20)).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource
  void deliversWhatIsNewAndNothingOfAZombie(TableFormat format) throws IOException {
    Run first = new Run(format, "grown");
    first.write(0, 20, 1);
    first.steps(1);
    first.write(2, 12, 7); // An attempt that nobody waits for any more: it shares rows.

    Run second = first.next();
    second.goOn();
    second.write(0, 9, 8);
    second.write(20, 33, 9);
    second.destination.settle();
    List<String> ofNewRows = second.slices();
    second.deliver(false);

    assertThat(ofNewRows).hasSize(3).allMatch(name -> name.contains("-run9-"));
    assertThat(session.<Long>column(second.name, "id")).isEqualTo(numbers(0, 33));
    assertThat(session.transactions(format, second.name)).isEqualTo(2);
  }

  @ParameterizedTest
  @EnumSource
  void replacesRowsOnce(TableFormat format) throws IOException {
    Run before = new Run(format, "replaced");
    before.write(100, 105, 1);
    before.deliver(false);
    Run replacing = new Run(format, "replaced", folder.resolve("replacing-" + format));
    replacing.write(0, 10, 1);
    replacing.deliver(true);
    replacing.write(10, 15, 2);

    replacing.deliver(true); // What the checkpoint has brought itself stays.

    assertThat(session.<Long>column(replacing.name, "id")).isEqualTo(numbers(0, 15));
    assertThat(session.transactions(format, replacing.name)).isEqualTo(3);
  }

  @ParameterizedTest
  @EnumSource
  void protectsWhatIsInTheTable(TableFormat format) throws IOException {
    Run run = new Run(format, "protected");
    run.write(0, 5, 1);
    run.destination.protect(false, true);
    run.steps(1);
    assertThatThrownBy(() -> run.destination.protect(false, false))
        .hasMessageContaining("may be in the table " + run.name + " already")
        .hasMessageContaining("--resume");
    run.goOn();

    assertThatThrownBy(() -> run.destination.protect(true, true))
        .hasMessageContaining("--overwrite would delete them");
    run.destination.protect(true, false);
    run.destination.protect(false, true);
  }

  @ParameterizedTest
  @EnumSource
  void refusesTablesThatCannotTakeTheRows(TableFormat format) throws IOException {
    String narrow = TableSession.name(format, folder, "narrow");
    String table = TableSession.name(format, folder, "others");
    StructType columns = rows(0, 1).drop(NumberedRows.NUMBER).schema();
    session.spark().sql("CREATE TABLE " + narrow + " (id INT, text STRING) USING " + format);
    session
        .spark()
        .sql("CREATE TABLE " + table + " (ID BIGINT, text STRING, own DATE) USING " + format);

    assertThatThrownBy(() -> destination(narrow, Optional.empty()).check(session.spark(), columns))
        .hasMessageContaining("the column id of the table")
        .hasMessageContaining("is INT and cannot hold the output's, which is BIGINT");
    destination(table, Optional.empty()).check(session.spark(), columns);
    assertThatThrownBy(
            () ->
                destination(table, Optional.empty())
                    .check(session.spark(), columns.add("more", "int")))
        .hasMessageContaining("has no column more, which the output has")
        .hasMessageContaining("ADD COLUMNS (more INT)");
    assertThatThrownBy(
            () -> destination(table, Optional.empty(), "text").check(session.spark(), columns))
        .hasMessageContaining("is partitioned by nothing, not by text");
  }

  @Test
  void refusesATableThatWantsMoreThanTheOutputHas() {
    String table = TableSession.name(TableFormat.DELTA, folder, "strict");
    StructType columns = rows(0, 1).drop(NumberedRows.NUMBER).schema();
    session
        .spark()
        .sql("CREATE TABLE " + table + " (id BIGINT, text STRING, own DATE NOT NULL) USING delta");

    assertThatThrownBy(() -> destination(table, Optional.empty()).check(session.spark(), columns))
        .hasMessageContaining("the column own of the table " + table + " is NOT NULL")
        .hasMessageContaining("DROP NOT NULL");
  }

  @ParameterizedTest
  @EnumSource
  void addsNothingToATableThatHasLostWhatWasAdded(TableFormat format) throws IOException {
    Run run = new Run(format, "dropped");
    run.write(0, 5, 1);
    run.deliver(false);
    run.destination.requireTable(session.spark());
    session.spark().sql("DROP TABLE " + run.name);
    FileUtils.deleteDirectory(folder.resolve("dropped").toFile());

    assertThatThrownBy(run::next)
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("the table " + run.name)
        .hasMessageContaining("is not there any more");
    session.spark().sql("CREATE TABLE " + run.name + " (id BIGINT, text STRING) USING " + format);
    assertThatThrownBy(() -> run.destination.requireTable(session.spark()))
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("the table " + run.name + " is another one")
        .hasMessageContaining("name another checkpoint");
  }

  /** The second run may neither repeat what the first is adding nor add it itself. */
  @ParameterizedTest
  @EnumSource
  void oneRunDeliversAtATime(TableFormat format) throws IOException {
    Run first = new Run(format, "shared");
    first.write(0, 20, 1);
    first.steps(1);

    try (Lease held = Lease.take(first.destination.slices(), Lease::observe)) {
      Run second = first.next(held::renew);
      assertThatThrownBy(second::goOn)
          .isInstanceOf(OutputException.class)
          .hasMessageContaining("another run is adding the rows of the checkpoint");
      assertThatThrownBy(() -> second.deliver(false)).isInstanceOf(OutputException.class);
    }
    Files.createFile(first.checkpoint.resolve("_spark_mla").resolve("lease-of-a-killed-run"));
    first.next(() -> {}).goOn();

    assertThat(session.<Long>column(first.name, "id")).isEqualTo(numbers(0, 20));
    assertThat(session.transactions(format, first.name)).isEqualTo(1);
    assertThat(first.checkpoint.resolve("_spark_mla"))
        .isDirectoryNotContaining(file -> file.getFileName().toString().startsWith("lease"));
  }

  /** What a message advises is what the next command may do. */
  @Test
  void saysHowToStartOver() throws IOException {
    Run run = new Run(TableFormat.DELTA, "unfinished");
    run.write(0, 5, 1);
    InputFiles input = InputFiles.find("pom.xml", new Configuration());

    assertThatThrownBy(() -> open(run, new Output.Existing(false, false, false), input))
        .hasMessageContaining("is unfinished")
        .hasMessageContaining("go on with --resume, or start over with --force");
    run.steps(1);
    assertThatThrownBy(() -> open(run, new Output.Existing(false, false, false), input))
        .hasMessageContaining("is unfinished")
        .hasMessageContaining("name another checkpoint")
        .hasMessageContaining("--overwrite --force");
    assertThatThrownBy(() -> open(run, new Output.Existing(false, false, true), input))
        .hasMessageContaining("may be in the table")
        .hasMessageContaining("--overwrite --force");
    open(run, new Output.Existing(true, false, true), input);

    assertThat(run.checkpoint).doesNotExist();
  }

  private static void open(Run run, Output.Existing existing, InputFiles input) {
    Output.open(run.destination, existing, Map.of(), input).close();
  }

  @Test
  void namesTheFolderThatIsTheInput() throws IOException {
    Run run = new Run(TableFormat.DELTA, "of-input");
    Files.writeString(run.checkpoint.resolve("in.jsonl"), "{}");
    InputFiles input =
        InputFiles.find(run.checkpoint.resolve("in.jsonl").toString(), new Configuration());

    assertThatThrownBy(() -> open(run, new Output.Existing(false, false, false), input))
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("the job would write to file:" + run.checkpoint)
        .hasMessageContaining("is or holds the input " + run.checkpoint);
  }

  @ParameterizedTest
  @EnumSource
  void refusesACheckpointInTheTablesFolder(TableFormat format) throws IOException {
    Run run = new Run(format, "around");
    Path table =
        switch (format) {
          case DELTA -> folder.resolve("around");
          case ICEBERG -> folder.resolve("iceberg/db/around");
        };

    assertThatThrownBy(() -> new Run(format, "around", table.resolve("checkpoint"), () -> {}))
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("are one within the other");
    run.next();
  }

  @Test
  void aCheckpointBelongsToOneTable() throws IOException {
    Run run = new Run(TableFormat.DELTA, "owner");
    run.write(0, 5, 1);
    run.deliver(false);

    assertThatThrownBy(() -> new Run(TableFormat.DELTA, "other", run.checkpoint))
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("belongs to the table " + run.name);
  }

  @Test
  void deletesOnlyWhatItHasWritten() throws IOException {
    Run run = new Run(TableFormat.DELTA, "among-others");
    run.write(0, 5, 1);
    Files.createDirectory(run.checkpoint.resolve("table"));

    run.destination.slices().delete();

    try (Stream<Path> left = Files.list(run.checkpoint)) {
      assertThat(left).containsExactly(run.checkpoint.resolve("table"));
    }
    Files.delete(run.checkpoint.resolve("table"));
    run.destination.slices().delete();
    assertThat(run.checkpoint).doesNotExist();
  }

  @Test
  void takesNoFinishedOutputForACheckpoint() throws IOException {
    Run run = new Run(TableFormat.DELTA, "finished");
    run.write(0, 5, 1);
    run.destination.slices().finish();

    assertThatThrownBy(run::next)
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("is the finished output of another job");
    assertThat(run.slices()).isNotEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void makesATableWhereThereIsNone(TableFormat format) throws IOException {
    String table = TableSession.name(format, folder, "made");
    StructType columns =
        rows(0, 1).drop(NumberedRows.NUMBER).withColumnRenamed("text", "its-text").schema();

    assertThatThrownBy(() -> destination(table, Optional.empty()).check(session.spark(), columns))
        .hasMessageContaining("there is no table " + table)
        .hasMessageContaining("--table-format");
    assertThatThrownBy(
            () -> destination(table, Optional.of(format), "none").check(session.spark(), columns))
        .hasMessageContaining("cannot be partitioned by 'none'")
        .hasMessageContaining("id, its-text");
    destination(table, Optional.of(format), "ITS-TEXT").check(session.spark(), columns);
    destination(table, Optional.of(format), "ITS-TEXT").check(session.spark(), columns);
    destination(table, Optional.empty()).check(session.spark(), columns);
    assertThatThrownBy(
            () -> destination(table, Optional.empty(), "id").check(session.spark(), columns))
        .hasMessageContaining("is partitioned by its-text, not by id");
    TableFormat other = format == TableFormat.DELTA ? TableFormat.ICEBERG : TableFormat.DELTA;
    assertThatThrownBy(() -> destination(table, Optional.of(other)).check(session.spark(), columns))
        .hasMessageContaining("is there in the format " + format);
  }

  @Test
  void refusesFormatsWhoseRowsCouldArriveTwice() {
    session.spark().sql("CREATE TABLE plain (id BIGINT, text STRING) USING parquet");
    session.spark().sql("CREATE TEMPORARY VIEW seen AS SELECT 1 AS id");

    assertThatThrownBy(() -> check("plain"))
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("is of the format parquet")
        .hasMessageContaining("delta and iceberg");
    assertThatThrownBy(() -> check("seen")).hasMessageContaining("there is no table seen");
    assertThatThrownBy(() -> check("nowhere.db.t"))
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("the table nowhere.db.t ")
        .hasMessageContaining("spark.sql.catalog.");
    assertThatThrownBy(() -> check("a b"))
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("the table a b cannot be opened");
  }

  @ParameterizedTest
  @CsvSource({
    "delta.`relative`, its path is not absolute",
    "Delta.`a/b`, its path is not absolute",
    "iceberg.`/data/t`, name it as in CATALOG.DATABASE.TABLE",
    "parquet.`/data/t`, write a folder with --output",
    "json.t, write a folder with --output",
    "other.`/data/t`, write a folder with --output",
  })
  void refusesAPathThatIsNoTables(String name, String why) {
    StructType columns = rows(0, 1).drop(NumberedRows.NUMBER).schema();

    for (Optional<TableFormat> format :
        List.of(Optional.<TableFormat>empty(), Optional.of(TableFormat.DELTA))) {
      assertThatThrownBy(() -> destination(name, format).check(session.spark(), columns))
          .isInstanceOf(OutputException.class)
          .hasMessageContaining("there can be no table " + name + ": ")
          .hasMessageContaining(why);
    }
  }

  /** Once Iceberg has a runtime for this Spark, {@link IcebergTables} can go. */
  @Test
  void saysThatIcebergsCatalogsAreForAnotherSpark() {
    session
        .spark()
        .conf()
        .set("spark.sql.catalog.published", "org.apache.iceberg.spark.SparkCatalog");
    session.spark().conf().set("spark.sql.catalog.published.type", "hadoop");
    session
        .spark()
        .conf()
        .set("spark.sql.catalog.published.warehouse", folder.resolve("published").toString());

    assertThatThrownBy(() -> check("published.db.t"))
        .isInstanceOf(OutputException.class)
        .hasMessageContaining("the table published.db.t cannot be opened")
        .hasMessageContaining("Iceberg needs its runtime for Spark 4.2");
  }

  @Test
  void namesTheVersionThatItIsTestedWith() {
    String artifact =
        TableFormat.DELTA
            .needs()
            .replaceFirst(".*spark.jars.packages=[^:]+:([^: ]+):([^: ]+).*", "$1-$2");

    assertThat(System.getProperty("java.class.path")).contains(artifact + ".jar");
  }

  private static void check(String table) throws IOException {
    destination(table, Optional.empty())
        .check(session.spark(), rows(0, 1).drop(NumberedRows.NUMBER).schema());
  }

  private static Destination destination(
      String table, Optional<TableFormat> format, String... partitionBy) {
    return Destination.table(
        table,
        folder.resolve("unused").toString(),
        format,
        List.of(partitionBy),
        new Configuration());
  }

  private static Dataset<Row> rows(long first, long end) {
    return session
        .spark()
        .range(first, end, 1, 1)
        .select(
            col("id"),
            concat(lit("text "), col("id")).as("text"),
            col("id").as(NumberedRows.NUMBER));
  }

  private static List<Long> numbers(long first, long end) {
    return LongStream.range(first, end).boxed().toList();
  }

  /** A run of a job that adds rows to a table. */
  private static final class Run {
    private final TableFormat format;
    private final String table;
    private final Path checkpoint;
    private final String name;
    private final TableDestination destination;

    Run(TableFormat format, String table) throws IOException {
      this(format, table, folder.resolve(table + "-" + format));
    }

    Run(TableFormat format, String table, Path checkpoint) throws IOException {
      this(format, table, checkpoint, Lease::observe);
    }

    Run(TableFormat format, String table, Path checkpoint, Lease.Observation observation)
        throws IOException {
      this.format = format;
      this.table = table;
      this.checkpoint = checkpoint;
      name = TableSession.name(format, folder, table);
      destination =
          new TableDestination(
              name,
              OutputPlace.of(checkpoint.toString(), new Configuration()),
              Optional.of(format),
              new PartitionColumns(List.of()),
              observation);
      destination.settle();
      destination.slices().prepare();
      destination.check(session.spark(), columns());
    }

    Run next() throws IOException {
      return new Run(format, table, checkpoint);
    }

    Run next(Lease.Observation observation) throws IOException {
      return new Run(format, table, checkpoint, observation);
    }

    /** Commits slices of five rows at most. */
    void write(long first, long end, int run) throws IOException {
      destination
          .slices()
          .write(
              rows(first, end), OutputFormat.PARQUET, run, new SliceLimits(5, Duration.ofHours(1)));
    }

    void goOn() throws IOException {
      destination.repeatDelivery(session.spark());
      deliver(false);
    }

    void deliver(boolean overwrite) throws IOException {
      destination.deliver(session.spark(), columns(), overwrite);
    }

    /** The first steps of a delivery: begin it, add the rows, end it, delete a slice. */
    void steps(int number) throws IOException {
      SliceFolder committed = destination.slices();
      List<Slice> content = committed.undelivered();
      Delivery delivery = null;
      if (number > 0) {
        delivery = committed.deliveries().begin(name, Optional.empty(), false, columns(), content);
      }
      if (number > 1) {
        destination.add(committed.read(session.spark(), content, columns()), delivery, format);
      }
      if (number > 2) {
        committed.deliveries().end(delivery);
      }
      if (number > 3) {
        Files.delete(checkpoint.resolve(content.get(0).name()));
      }
    }

    List<String> slices() throws IOException {
      try (Stream<Path> files = Files.list(checkpoint)) {
        return files
            .map(file -> file.getFileName().toString())
            .filter(file -> file.startsWith("part-"))
            .toList();
      }
    }

    private static StructType columns() {
      return rows(0, 1).drop(NumberedRows.NUMBER).schema();
    }
  }
}
