package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.Trigger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A stream of files, ended and started again. */
class StreamingTest {
  @RegisterExtension static final LocalSpark SPARK = new LocalSpark();

  @TempDir Path folder;

  @Test
  void generatesEachNewRowOnce() throws Exception {
    Files.createDirectory(folder.resolve("in"));
    write("a.json", "{\"p\": \"one\"}\n{\"p\": \"two\"}\n");
    runToEnd();
    write("b.json", "{\"p\": \"three\"}\n{\"p\": null}\n");
    runToEnd();
    assertThat(SPARK.session().read().parquet(folder.resolve("out").toString()).collectAsList())
        .extracting(Row::toString)
        .containsExactlyInAnyOrder("[one,<one>]", "[two,<two>]", "[three,<three>]", "[null,null]");
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(3);
  }

  private void write(String name, String lines) throws IOException {
    Files.writeString(folder.resolve("in").resolve(name), lines);
  }

  private void runToEnd() throws Exception {
    SparkSession spark = SPARK.session();
    spark
        .readStream()
        .schema("p STRING")
        .json(folder.resolve("in").toString())
        .selectExpr("p", "llm_generate_text(p) g")
        .writeStream()
        .format("parquet")
        .option("checkpointLocation", folder.resolve("checkpoint").toString())
        .trigger(Trigger.AvailableNow())
        .start(folder.resolve("out").toString())
        .awaitTermination();
  }
}
