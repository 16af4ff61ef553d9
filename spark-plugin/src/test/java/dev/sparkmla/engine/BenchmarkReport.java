package dev.sparkmla.engine;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;

/**
 * What {@link GenerateBenchmark} measured, for the programs that measure other engines on the same
 * work.
 *
 * @param model name of the shapes, or a folder
 * @param device where it ran
 * @param rows one for each row of the tables
 */
record BenchmarkReport(String model, String device, List<Row> rows) {
  /** What was timed. */
  enum Part {
    /** One step in which every sequence decodes a token. */
    DECODE,
    /** Prompts to their first token. */
    PREFILL,
    /** Prompts to their last token. */
    WORKLOAD
  }

  /**
   * A measurement.
   *
   * @param part what was timed
   * @param name as in the table
   * @param prompts tokens of each prompt; of a decode step, of each context
   * @param newTokens tokens that each generates
   * @param seconds what it took
   */
  record Row(
      Part part, String name, List<Integer> prompts, List<Integer> newTokens, double seconds) {}

  static Row decode(int sequences, int tokens, double seconds) {
    return new Row(
        Part.DECODE,
        sequences + " × " + tokens,
        Collections.nCopies(sequences, tokens),
        Collections.nCopies(sequences, 1),
        seconds);
  }

  static Row prefill(Workload load, double seconds) {
    return new Row(Part.PREFILL, load.name(), load.prompts(), load.newTokens(), seconds);
  }

  static Row workload(Workload load, double seconds) {
    return new Row(Part.WORKLOAD, load.name(), load.prompts(), load.newTokens(), seconds);
  }

  void write(Path file) {
    try {
      new ObjectMapper().writerWithDefaultPrettyPrinter().writeValue(file.toFile(), this);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
