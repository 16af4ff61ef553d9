package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.throwable;

import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.InMemoryRowLevelOperationTableCatalog;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.StreamingQueryException;
import org.apache.spark.sql.streaming.Trigger;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where a call cannot be computed, the query ends with an error of analysis, not of Spark. */
class PlacesTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  @BeforeAll
  static void makeTables() {
    SparkSession spark = SPARK.session();
    spark
        .conf()
        .set("spark.sql.catalog.memory", InMemoryRowLevelOperationTableCatalog.class.getName());
    spark.sql("create table memory.plain (p string, g string)");
    SPARK.makeTable(3, 1);
  }

  @AfterEach
  void nothingWasGenerated() {
    assertThat(EchoGenerator.INSTANCE.requests()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "create table memory.a (p string, constraint c check ({p} <> 'x')) | cannot be computed in a CHECK constraint",
        "create table memory.a (p string, check (llm_generate(p).error is null)) | cannot be computed in a CHECK constraint",
        "alter table memory.plain add constraint c check ({p} <> 'x') | cannot be computed in a CHECK constraint",
        "create table memory.a (p string, g string generated always as ({p})) | Cannot create generated column g",
        "create table memory.a (p string, g string default {'x'}) | has a DEFAULT value llm_generate_text('x'), which is not a constant",
        "create table a (p string, g string default {'x'}) using parquet | has a DEFAULT value llm_generate_text('x'), which is not a constant",
        "alter table memory.plain alter column g set default {'x'} | has a DEFAULT value llm_generate_text('x'), which is not a constant",
        "alter table memory.plain add column h string default {'x'} | has a DEFAULT value llm_generate_text('x'), which is not a constant",
        "declare variable v string default {'x'} | cannot be computed in a variable's default",
        "select * from t limit length({'x'}) | must evaluate to a constant value",
        "select * from values ({'x'}) v(a) | Cannot evaluate the expression",
        "select ntile(length({'x'})) over (order by id) from t | should be a foldable",
        "select transform(array(p), x -> {x}) g from t | reads a variable of a lambda function; explode the array first",
        "select * from t a left join t b on {concat(a.p, b.p)} = 'x' | reads both sides of a LEFT OUTER join",
        "select * from t a right join t b on {concat(a.p, b.p)} = 'x' | reads both sides of a RIGHT OUTER join",
        "select * from t a full join t b on {concat(a.p, b.p)} = 'x' | reads both sides of a FULL OUTER join",
        "select * from t a left semi join t b on {concat(a.p, b.p)} = 'x' | reads both sides of a LEFT SEMI join",
        "select * from t a left anti join t b on {concat(a.p, b.p)} = 'x' | reads both sides of a LEFT ANTI join",
        "select id from t where exists (select 1 from t u where {concat(t.p, u.p)} = 'x') | cannot be computed in Join; compute it in a subquery first",
      })
  void refuses(String statement, String message) {
    String query = statement.replace("{", "llm_generate_text(").replace("}", ")");
    assertThatThrownBy(() -> SPARK.session().sql(query).collect())
        .hasMessageContaining(message)
        .asInstanceOf(throwable(AnalysisException.class))
        .extracting(AnalysisException::getCondition, InstanceOfAssertFactories.STRING)
        .isNotBlank();
  }

  @Test
  void refusesContinuousProcessing() throws Exception {
    StreamingQuery query =
        SPARK
            .session()
            .readStream()
            .format("rate")
            .load()
            .selectExpr("llm_generate_text(cast(value as string)) g")
            .writeStream()
            .format("noop")
            .trigger(Trigger.Continuous("1 second"))
            .start();
    assertThatThrownBy(query::awaitTermination)
        .isInstanceOf(StreamingQueryException.class)
        .hasMessageContaining("cannot be computed in continuous processing")
        .hasCauseInstanceOf(AnalysisException.class);
  }
}
