package dev.sparkmla.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.api.java.function.VoidFunction2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
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

  @Test
  void generatesABatchAgainThatFailed() throws Exception {
    Files.createDirectory(folder.resolve("in"));
    write("a.json", "{\"p\": \"one\"}\n");
    runToEnd();
    write("b.json", "{\"p\": \"two\"}\n{\"p\": \"three\"}\n");
    EchoGenerator.INSTANCE.answerWith(
        request ->
            EchoGenerator.text(request).equals("three")
                ? CompletableFuture.failedFuture(new IllegalStateException("the device is lost"))
                : CompletableFuture.completedFuture(EchoGenerator.echo(request)));
    assertThatThrownBy(this::runToEnd).hasStackTraceContaining("the device is lost");
    EchoGenerator.INSTANCE.reset();
    runToEnd();
    assertThat(SPARK.session().read().parquet(folder.resolve("out").toString()).collectAsList())
        .extracting(Row::toString)
        .containsExactlyInAnyOrder("[one,<one>]", "[two,<two>]", "[three,<three>]");
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(2);
  }

  @Test
  void generatesBelowAndAboveAStreamsAggregate() throws Exception {
    Files.createDirectory(folder.resolve("in"));
    write("a.json", "{\"p\": \"one\"}\n{\"p\": \"two\"}\n");
    assertThat(updates()).containsExactly("3 <<one>>", "3 <<two>>");
    write("b.json", "{\"p\": \"two\"}\n");
    assertThat(updates()).containsExactly("3 <<two>>");
    assertThat(EchoGenerator.INSTANCE.requests()).hasSize(6);
  }

  /** Each group's text of a text, as far as the new rows changed it. */
  private List<String> updates() throws Exception {
    List<String> updates = new ArrayList<>();
    SparkSession spark = SPARK.session();
    spark
        .readStream()
        .schema("p STRING")
        .json(folder.resolve("in").toString())
        .selectExpr("p", "llm_generate_text(p) g")
        .groupBy("g")
        .agg(functions.max(functions.length(functions.col("p"))).as("l"))
        .selectExpr("concat_ws(' ', l, llm_generate_text(g)) u")
        .writeStream()
        .outputMode("update")
        .option("checkpointLocation", folder.resolve("updates").toString())
        .trigger(Trigger.AvailableNow())
        .foreachBatch(
            (VoidFunction2<Dataset<Row>, Long>)
                (rows, batch) -> rows.collectAsList().forEach(row -> updates.add(row.getString(0))))
        .start()
        .awaitTermination();
    return updates.stream().sorted().toList();
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
