package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.InMemoryRowLevelOperationTableCatalog;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * MERGE, UPDATE and DELETE generate what their clauses take, once. Each statement runs on a table
 * that replaces groups of rows and on one that takes deltas. The table {@code kept} has the rows 0
 * to 9, the view {@code t} the rows 5 to 14; their prompts differ.
 */
class RowLevelTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  private static final String DELTAS = " tblproperties ('supports-deltas' = 'true')";

  @BeforeAll
  static void makeCatalog() {
    SparkSession spark = SPARK.session();
    spark
        .conf()
        .set("spark.sql.catalog.memory", InMemoryRowLevelOperationTableCatalog.class.getName());
    spark
        .sql("select id, concat('new ', id) p from range(5, 15, 1, 2)")
        .createOrReplaceTempView("t");
  }

  @AfterEach
  void dropTable() {
    SPARK.session().sql("drop table if exists memory.kept");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "merge into memory.kept k using t on k.pk = t.id when matched then update set g = {t.p}"
            + " when not matched then insert (pk, p, g) values (t.id, t.p, {concat(t.p, '!')}) | 10",
        "merge into memory.kept k using t on k.pk = t.id"
            + " when matched and t.id < 7 then update set g = {t.p}"
            + " when matched and {k.p} = '<old 8>' then delete"
            + " when not matched and t.id > 12 then insert (pk, p, g) values (t.id, t.p, {t.p})"
            + " when not matched by source and k.pk = 0 then update set g = {k.p} | 8",
        "merge into memory.kept k using t on k.pk = t.id"
            + " when not matched then insert (pk, p, g) values (t.id, t.p, {t.p}) | 5",
        "merge into memory.kept k using t on k.pk = t.id"
            + " when not matched and t.id = 14 then insert (pk, p, g) values (t.id, {t.p}, 'a')"
            + " when not matched and t.id > 9 then insert (pk, p, g) values (t.id, t.p, {t.p})| 5",
        "merge into memory.kept k using t on concat('<', k.p, '>') = {concat('old ', t.id)}"
            + " when matched then update set g = 'seen' | 10",
        "merge into memory.kept k using (select id, {p} g from t) s on k.pk = s.id"
            + " when matched then update set g = s.g"
            + " when not matched then insert (pk, p, g) values (s.id, 'p', s.g) | 10",
        "update memory.kept set g = {p} where pk < 3 | 3",
        "update memory.kept set g = 'seen' where pk < 3 and {p} = '<old 2>' | 3",
        "delete from memory.kept where pk > 2 and {p} = '<old 5>' | 7",
        "insert into memory.kept select id, p, {p} from t where id > 7 | 7",
        "insert overwrite memory.kept select id, p, {p} from t | 10",
      })
  void generatesWhatTheClausesTake(String statement, int prompts) {
    for (String properties : List.of("", DELTAS)) {
      List<Row> expected =
          after(statement.replace("{", "concat('<', ").replace("}", ", '>')"), properties);
      EchoGenerator.INSTANCE.reset();
      List<Row> actual =
          after(statement.replace("{", "llm_generate_text(").replace("}", ")"), properties);
      assertThat(actual).isEqualTo(expected);
      assertThat(EchoGenerator.INSTANCE.requests()).as(properties).hasSize(prompts);
    }
  }

  private static List<Row> after(String statement, String properties) {
    SparkSession spark = SPARK.session();
    spark.sql(
        "create or replace table memory.kept (pk bigint not null, p string, g string)"
            + properties);
    spark.sql("insert into memory.kept select id, concat('old ', id), 'none' from range(0, 10)");
    spark.sql(statement);
    return spark.sql("select * from memory.kept order by pk, p").collectAsList();
  }
}
