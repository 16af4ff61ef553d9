package dev.sparkmla.jobs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A job with {@link FaultyPlugin} whose input is a folder, for tests that run it several times in
 * this JVM. It has batches of three rows and slices of five, so that a fault leaves some slices
 * committed.
 */
final class FaultyJob {
  private final Path folder;

  /**
   * Makes an empty input, and forgets the prompts that were asked before.
   *
   * @param folder for the input and the output
   */
  FaultyJob(Path folder) throws IOException {
    this.folder = folder;
    Files.createDirectory(input());
    FaultyPlugin.ASKED.clear();
  }

  /** The folder that the job reads. */
  Path input() {
    return folder.resolve("in");
  }

  /** The folder that the job writes, where it writes one. */
  Path output() {
    return folder.resolve("out");
  }

  /** Where the job keeps slices until the output is finished. */
  Path unfinished() {
    return folder.resolve("out-unfinished");
  }

  /** Writes a file of JSON lines with an id, a kind, which is even or odd, and a prompt. */
  void writeInput(String name, int firstId, int endId) throws IOException {
    Files.write(
        input().resolve(name),
        IntStream.range(firstId, endId)
            .mapToObj(
                id ->
                    "{\"id\": %d, \"kind\": \"%s\", \"prompt\": \"prompt %d\"}"
                        .formatted(id, id % 2 == 0 ? "even" : "odd", id % 10))
            .toList());
  }

  /** Runs it with the output as a folder. */
  JobRun toFolder(String... options) {
    return run(input(), Stream.concat(toOutput(), Stream.of(options)));
  }

  /** The same with another input. */
  JobRun toFolder(Path otherInput, String... options) {
    return run(otherInput, Stream.concat(toOutput(), Stream.of(options)));
  }

  /** Runs it with an output that the options name. */
  JobRun run(String... options) {
    return run(input(), Stream.of(options));
  }

  private Stream<String> toOutput() {
    return Stream.of("--output", output().toString());
  }

  private static JobRun run(Path input, Stream<String> options) {
    List<String> own =
        List.of(
            "--input",
            input.toString(),
            "--slice-rows",
            "5",
            "--conf",
            "spark.plugins=" + FaultyPlugin.class.getName(),
            "--conf",
            "spark.mla.batch.rows=3");
    return JobRun.of(Stream.concat(own.stream(), options).toArray(String[]::new));
  }
}
