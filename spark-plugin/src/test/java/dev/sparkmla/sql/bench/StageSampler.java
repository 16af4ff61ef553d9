package dev.sparkmla.sql.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedFrame;
import jdk.jfr.consumer.RecordingFile;

/**
 * Samples the tasks' threads while it is open, with the JVM's flight recorder, and tells the
 * operator's stages apart by the methods on their stacks.
 */
final class StageSampler implements AutoCloseable {
  /** A method of the operator, and what is done below it; the innermost one on a stack counts. */
  private record Stage(String method, String name) {}

  private static final List<Stage> STAGES =
      List.of(
          new Stage("InternalRow.copy", "copying rows"),
          new Stage("UnsafeRow.copy", "copying rows"),
          new Stage("RequestWriter.add", "writing arguments into Arrow"),
          new Stage("RequestWriter.finish", "writing arguments into Arrow"),
          new Stage("RequestBatch.request", "reading requests from Arrow"),
          new Stage("RequestBatch.close", "freeing batches"),
          new Stage("ResultBatch.of", "writing results into Arrow"),
          new Stage("ResultBatch.close", "freeing batches"),
          new Stage("Instant.submit", "the backend"),
          new Stage("GenerationIterator.take", "waiting, judging, counting"),
          new Stage("GenerationIterator.submit", "input rows, and the rest of a batch"),
          new Stage("GenerationIterator.next", "joining rows with results"),
          new Stage("GenerationIterator.hasNext", "the rest of the iterator"));

  private static final String OUTSIDE = "outside of the operator (its sink)";

  private final Recording recording = new Recording();

  StageSampler() {
    recording.enable("jdk.ExecutionSample").withPeriod(Duration.ofMillis(5));
    recording.start();
  }

  /** Ends the sampling: each stage's share of the samples, which sum up to 1. */
  Map<String, Double> shares() throws IOException {
    recording.stop();
    Path file = Files.createTempFile("operator", ".jfr");
    Map<String, Integer> counts = new LinkedHashMap<>();
    STAGES.forEach(stage -> counts.put(stage.name(), 0));
    counts.put(OUTSIDE, 0);
    int samples = 0;
    try {
      recording.dump(file);
      for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
        if (event.getThread("sampledThread").getJavaName().startsWith("Executor task")) {
          counts.merge(stage(event.getStackTrace().getFrames()), 1, Integer::sum);
          samples++;
        }
      }
    } finally {
      Files.delete(file);
    }
    Map<String, Double> shares = new LinkedHashMap<>();
    for (Map.Entry<String, Integer> count : counts.entrySet()) {
      shares.put(count.getKey(), count.getValue() / (double) Math.max(1, samples));
    }
    return shares;
  }

  private static String stage(List<RecordedFrame> frames) {
    for (RecordedFrame frame : frames) {
      String type = frame.getMethod().getType().getName();
      String method =
          type.substring(Math.max(type.lastIndexOf('.'), type.lastIndexOf('$')) + 1)
              + "."
              + frame.getMethod().getName();
      for (Stage stage : STAGES) {
        if (stage.method().equals(method)) {
          return stage.name();
        }
      }
    }
    return OUTSIDE;
  }

  @Override
  public void close() {
    recording.close();
  }
}
