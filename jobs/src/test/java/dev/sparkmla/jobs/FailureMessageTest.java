package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Map;
import org.apache.spark.SparkException;
import org.apache.spark.memory.SparkOutOfMemoryError;
import org.junit.jupiter.api.Test;
import scala.jdk.javaapi.CollectionConverters;

class FailureMessageTest {
  @Test
  void saysWhyTheJobWasCancelled() {
    assertThat(FailureMessage.of(cancelled("The model cannot be loaded on executor 3: none")))
        .contains("The model cannot be loaded on executor 3: none");
    assertThat(FailureMessage.of(cancelled("because SparkContext was shut down")))
        .contains("the job ended because SparkContext was shut down");
    assertThat(FailureMessage.of(cancelled(""))).isEmpty();
  }

  @Test
  void saysThatADiskIsFull() {
    IOException full = new IOException("No space left on device");

    assertThat(FailureMessage.of(new SparkException("Job aborted", full)).orElseThrow())
        .startsWith("a disk is full: No space left on device; free space");
    assertThat(FailureMessage.of(new JobException("out cannot be written", full)))
        .contains("out cannot be written");
    assertThat(FailureMessage.of(new SparkException("Job aborted", new IOException("else"))))
        .isEmpty();
  }

  @Test
  void saysWhyATaskCouldNotGiveMemoryBack() {
    SparkOutOfMemoryError memory =
        new SparkOutOfMemoryError(
            "SPILL_OUT_OF_MEMORY", Map.of("consumerToSpill", "RowWindow", "message", "no folder"));

    assertThat(FailureMessage.of(new SparkException("Job aborted", memory))).contains("no folder");
  }

  /** As Spark makes it. */
  private static SparkException cancelled(String reason) {
    return new SparkException(
        "SPARK_JOB_CANCELLED",
        scala.collection.immutable.Map.from(
            CollectionConverters.asScala(Map.of("jobId", "0", "reason", reason))),
        null);
  }
}
