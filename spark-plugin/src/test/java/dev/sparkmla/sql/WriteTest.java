package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Queries that write generate once, too. */
class WriteTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  @TempDir Path folder;

  @Test
  void writesFiles() {
    SPARK.makeTable(100, 4);
    SparkSession spark = SPARK.session();
    String path = folder.resolve("files").toString();
    spark.sql("select id % 3 k, llm_generate(p) g from t").write().partitionBy("k").parquet(path);
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(100);
    assertThat(spark.read().parquet(path).where("g.text like '<prompt %>'").count()).isEqualTo(100);
  }

  @Test
  void makesATableAndInserts() {
    SPARK.makeTable(100, 4);
    SparkSession spark = SPARK.session();
    spark.sql(
        "create table made using parquet location '"
            + folder.resolve("made")
            + "' as select id, llm_generate_text(p) g from t");
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(100);
    spark.sql("insert into made select id, llm_generate_text(concat(p, '!')) g from t order by g");
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(200);
    assertThat(spark.table("made").where("g like '<prompt %>'").count()).isEqualTo(200);
    spark.sql("drop table made");
  }
}
