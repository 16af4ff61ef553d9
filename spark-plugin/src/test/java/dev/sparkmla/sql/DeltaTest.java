package dev.sparkmla.sql;

import static org.apache.spark.sql.functions.col;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.delta.tables.DeltaTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.InMemoryRowLevelOperationTableCatalog;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Statements that change a Delta table generate each prompt once, or are refused before anything
 * runs. The table {@code kept} has the rows 0 to 9 in two files, the view {@code t} and the Delta
 * table {@code stored} have the rows 5 to 14; their prompts differ.
 */
class DeltaTest {
  @RegisterExtension
  static final LocalSpark SPARK =
      new LocalSpark(
          Map.of(
              "spark.sql.extensions",
              MlaExtensions.class.getName() + ",io.delta.sql.DeltaSparkSessionExtension",
              "spark.sql.catalog.spark_catalog",
              "org.apache.spark.sql.delta.catalog.DeltaCatalog",
              "spark.sql.catalog.memory",
              InMemoryRowLevelOperationTableCatalog.class.getName(),
              "spark.databricks.delta.snapshotPartitions",
              "1",
              "spark.sql.shuffle.partitions",
              "1",
              // Each statement's many small queries take longer to compile than to interpret.
              "spark.sql.codegen.wholeStage",
              "false",
              "spark.sql.codegen.factoryMode",
              "NO_CODEGEN"));

  @TempDir static Path folder;

  private static int tables;

  @BeforeAll
  static void makeSource() {
    SparkSession spark = SPARK.session();
    spark
        .sql("select id, concat('new ', id) p from range(5, 15, 1, 2)")
        .createOrReplaceTempView("t");
    spark.sql("create table stored using delta location '" + newFolder() + "' as select * from t");
  }

  @AfterEach
  void dropTable() {
    SPARK.session().sql("drop table if exists kept");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "delta.enableDeletionVectors |update kept set g = {p} where pk < 3 | 3",
        "delta.enableChangeDataFeed |update kept set g = {p} where pk < 3 | 3",
        "delta.enableDeletionVectors |delete from kept where pk > 2 and {p} = '<old 5>' | 7",
        "delta.enableChangeDataFeed |merge into kept k using t on k.pk = t.id"
            + " when matched and t.id < 7 then update set g = {k.p}"
            + " when not matched and t.id > 12 then insert (pk, p, g) values (t.id, t.p, {t.p})"
            + " when not matched by source and k.pk = 0 then update set g = {k.p} | 5",
        "|merge into kept k using stored s on concat('<', k.p, '>') = {concat('old ', s.id)}"
            + " when matched then update set g = 'seen' | 10",
        "delta.enableDeletionVectors |merge into kept k using stored s on k.pk = s.id"
            + " when matched and {s.p} = '<new 8>' then update set g = {s.p}"
            + " when not matched and {s.p} = '<new 12>' then insert (pk, p, g)"
            + " values (s.id, s.p, 'a') | 10",
        "|merge into kept k using (select id, {p} g from stored) s on k.pk = s.id"
            + " when matched then update set g = s.g"
            + " when not matched then insert (pk, p, g) values (s.id, 'p', s.g) | 10",
      })
  void generatesOnce(String property, String statement, int prompts) {
    SparkSession spark = SPARK.session();
    spark.sql("create or replace table memory.kept (pk bigint not null, p string, g string)");
    spark.sql("insert into memory.kept select id, concat('old ', id), 'none' from range(0, 10)");
    spark.sql(
        statement
            .replace(" kept ", " memory.kept ")
            .replace("stored", "t")
            .replace("{", "concat('<', ")
            .replace("}", ", '>')"));
    makeTable(property);
    spark.sql(generating(statement));
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(prompts);
    assertThat(rows("kept")).isEqualTo(rows("memory.kept"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "update stored set p = 'a' where id < 7 and {p} = 'x' | in the condition of a Delta table's"
            + " UPDATE, which evaluates it more than once",
        "delete from stored where {p} = 'x' | in the condition of a Delta table's DELETE without"
            + " deletion vectors",
        "delete from stored where {'x'} = 'x' | in the condition of a Delta table's DELETE, where"
            + " it reads no column but partition columns",
        "merge into stored s using t on s.id = t.id when matched and {s.p} = 'x' then delete |"
            + " llm_generate_text(s.p) reads the table in a condition of MERGE into a Delta table",
        "merge into stored s using t on {concat(s.p, t.p)} = 'x' when matched then delete | reads"
            + " the table in a condition of MERGE into a Delta table",
        "insert into stored replace where {p} = 'x' select * from t | cannot choose the rows that"
            + " an INSERT replaces",
        "alter table stored add constraint c check ({p} <> 'x') | cannot be computed in a CHECK"
            + " constraint",
        "create table made (p string, constraint c check ({p} <> 'x')) using delta | cannot be"
            + " computed in a CHECK constraint",
        "create table made (p string) using delta tblproperties ('delta.constraints.c' = \"{p} <>"
            + " 'x'\") | cannot be computed in a CHECK constraint",
        "create or replace table made using delta tblproperties ('delta.constraints.c' = \"{p} <>"
            + " 'x'\") as select * from t | cannot be computed in a CHECK constraint",
        "alter table stored set tblproperties ('delta.constraints.c' = \"{p} <> 'x'\") | use ALTER"
            + " TABLE ADD CONSTRAINT",
        "create table made (p string, g string generated always as ({p})) using delta | Cannot"
            + " create generated column",
        "create table made (p string, g string default {'x'}) using delta | is not a constant",
      })
  void refuses(String statement, String message) {
    assertThatThrownBy(() -> SPARK.session().sql(generating(statement)))
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining(message);
    assertThat(EchoGenerator.INSTANCE.requests()).isEmpty();
  }

  @Test
  void asksToHaveTheSourceOfMergeStored() {
    String setting = "spark.databricks.delta.merge.materializeSource";
    SPARK.set(Map.of(setting, "none"));
    assertThatThrownBy(
            () ->
                SPARK
                    .session()
                    .sql(
                        "merge into stored k using (select id, llm_generate_text(p) g from stored)"
                            + " s on k.id = s.id when matched then update set p = s.g"))
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining("set " + setting + " to auto");
    SPARK.session().conf().unset(setting);
  }

  /** A session without the rules may have added the constraint. */
  @Test
  void saysWhereACallIsStored() {
    SparkSession spark = SPARK.session();
    String path = newFolder().toString();
    spark
        .table("t")
        .limit(0)
        .write()
        .format("delta")
        .option("delta.constraints.c", "llm_generate_text(p) <> 'x'")
        .save(path);
    assertThatThrownBy(() -> spark.table("t").write().format("delta").mode("append").save(path))
        .rootCause()
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining("is in an expression that is stored with a table");
  }

  @Test
  void insertsAndReadsAnOlderVersion() {
    SparkSession spark = SPARK.session();
    makeTable(null);
    spark.sql("insert into kept select id, p, llm_generate_text(p) from stored where id > 7");
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(7);
    spark.sql(
        "create table made using delta location '"
            + newFolder()
            + "' as select llm_generate_text(p) g from kept version as of 0");
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(7 + 10);
    assertThat(spark.sql("select * from made where g like '<old %>'").count()).isEqualTo(10);
    spark.sql("drop table made");
  }

  @Test
  void servesDeltasOwnInterface() {
    makeTable(null);
    DeltaTable table = DeltaTable.forName(SPARK.session(), "kept");
    table.update(col("pk").lt(3), Map.of("g", MlaFunctions.llmGenerateText(col("p"))));
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(3);
    table
        .as("k")
        .merge(SPARK.session().table("stored").as("s"), col("k.pk").equalTo(col("s.id")))
        .whenMatched(MlaFunctions.llmGenerateText(col("s.p")).equalTo("<new 8>"))
        .delete()
        .execute();
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(13);
    assertThat(SPARK.session().table("kept").where("g like '<old %>'").count()).isEqualTo(3);
    assertThat(SPARK.session().table("kept").where("pk = 8").count()).isZero();
    assertThatThrownBy(() -> table.delete(MlaFunctions.llmGenerateText(col("p")).equalTo("x")))
        .isInstanceOf(AnalysisException.class)
        .hasMessageContaining("in the condition of a Delta table's DELETE");
  }

  @Test
  void runsTheStatementsOfTheDocs() throws IOException {
    String section =
        Files.readString(Path.of("../docs/sql.md"))
            .split("## Tables of Delta and Iceberg")[1]
            .split("\n## ")[0];
    SparkSession spark = SPARK.session();
    spark.sql(
        "create table reviews using delta location '"
            + newFolder()
            + "' as select id, date'2026-03-01' day, p review, false hidden from t");
    spark
        .sql("select 14 + id id, date'2026-03-02' day, 'a review' review from range(2)")
        .createOrReplaceTempView("news");
    for (String statement : section.split("```sql")[1].split("```")[0].strip().split(";")) {
      spark.sql(statement);
    }
    spark.sql("drop table reviews");
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(10 + 10 + 1);
  }

  private static String generating(String statement) {
    return statement.replace("{", "llm_generate_text(").replace("}", ")");
  }

  private static List<Row> rows(String table) {
    return SPARK.session().sql("select * from " + table + " order by pk, p").collectAsList();
  }

  /** Makes the table, with a property that is true. */
  private static void makeTable(String property) {
    SPARK
        .session()
        .sql(
            "create table kept using delta location '"
                + newFolder()
                + "'"
                + (property == null ? "" : " tblproperties ('" + property + "' = 'true')")
                + " as select /*+ repartition(2) */ id pk, concat('old ', id) p, 'none' g"
                + " from range(0, 10)");
  }

  private static Path newFolder() {
    return folder.resolve("table" + tables++);
  }
}
