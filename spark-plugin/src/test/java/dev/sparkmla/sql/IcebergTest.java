package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.RowLevelOperationMode;
import org.apache.iceberg.SortOrder;
import org.apache.iceberg.TableProperties;
import org.apache.iceberg.hadoop.HadoopTables;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.InMemoryRowLevelOperationTableCatalog;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Spark itself rewrites the statements that change an Iceberg table, as in {@link RowLevelTest}.
 * Each runs on a table that is copied on write and on one that is merged on read. The tables have
 * the rows 0 to 9, the view {@code t} the rows 5 to 14; their prompts differ.
 */
class IcebergTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  @TempDir static Path folder;

  private static int tables;

  @BeforeAll
  static void makeCatalogs() {
    SparkSession spark = SPARK.session();
    SPARK.set(
        Map.of(
            "spark.sql.catalog.memory",
            InMemoryRowLevelOperationTableCatalog.class.getName(),
            "spark.sql.catalog.lake",
            IcebergFolders.class.getName(),
            "spark.sql.catalog.lake.folder",
            folder.toString()));
    spark
        .sql("select id, concat('new ', id) p from range(5, 15, 1, 2)")
        .createOrReplaceTempView("t");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "merge into kept k using t on k.pk = t.id when matched and t.id < 7 then update set g ="
            + " {t.p} when matched and {k.p} = '<old 8>' then delete when not matched and t.id > 12"
            + " then insert (pk, p, g) values (t.id, t.p, {t.p}) | 7",
        "update kept set g = {p} where pk < 3 and {g} = '<none>' | 6",
        "delete from kept where pk > 2 and {p} = '<old 5>' | 7",
      })
  void generatesWhatTheClausesTake(String statement, int prompts) {
    SparkSession spark = SPARK.session();
    spark.sql("create or replace table memory.kept (pk bigint not null, p string, g string)");
    List<Row> expected =
        after(statement.replace("{", "concat('<', ").replace("}", ", '>')"), "memory.kept");
    for (RowLevelOperationMode mode : RowLevelOperationMode.values()) {
      String table = makeTable(mode);
      EchoGenerator.INSTANCE.reset();
      List<Row> actual =
          after(statement.replace("{", "llm_generate_text(").replace("}", ")"), table);
      assertThat(actual).isEqualTo(expected);
      assertThat(EchoGenerator.INSTANCE.requests()).as(mode.modeName()).hasSize(prompts);
    }
  }

  private static List<Row> after(String statement, String table) {
    SparkSession spark = SPARK.session();
    spark.sql(
        "insert into " + table + " select id, concat('old ', id), 'none' from range(0, 10, 1, 2)");
    spark.sql(statement.replace(" kept ", " " + table + " "));
    return spark.sql("select * from " + table + " order by pk, p").collectAsList();
  }

  private static String makeTable(RowLevelOperationMode mode) {
    String name = "kept" + tables++;
    new HadoopTables()
        .create(
            SparkSchemaUtil.convert(StructType.fromDDL("pk bigint not null, p string, g string")),
            PartitionSpec.unpartitioned(),
            SortOrder.unsorted(),
            Map.of(
                TableProperties.MERGE_MODE,
                mode.modeName(),
                TableProperties.UPDATE_MODE,
                mode.modeName(),
                TableProperties.DELETE_MODE,
                mode.modeName()),
            folder.resolve(name).toString());
    return "lake." + name;
  }
}
