package dev.sparkmla.jobs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Runs of the job with {@link FaultyPlugin}, of which a fault may kill the driver. */
final class JobProcess {
  /** The exit code of a process that was killed by signal 9. */
  static final int KILLED = 128 + 9;

  private JobProcess() {}

  /** What all such runs have: batches of one row, and output in JSON that is resumed. */
  static List<String> options() {
    return List.of(
        "--output-format",
        "json",
        "--resume",
        "--conf",
        "spark.plugins=" + FaultyPlugin.class.getName(),
        "--conf",
        "spark.mla.batch.rows=1",
        "--conf",
        "spark.mla.window.bytes=1b",
        "--conf",
        "spark.ui.enabled=false",
        "--conf",
        "spark.executor.cores=1",
        "--conf",
        "spark.executor.memory=512m",
        "--conf",
        "spark.executor.extraJavaOptions=" + String.join(" ", StandaloneCluster.START_FAST),
        "--conf",
        "spark.executor.extraClassPath=" + System.getProperty("java.class.path"));
  }

  /**
   * Runs the job in a process of its own.
   *
   * @param folder for Spark's home
   * @param log for what it prints
   * @return its exit code
   */
  static int run(Path folder, Path log, List<String> arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(StandaloneCluster.javaOptions());
    command.addAll(List.of("-Xmx1g", "-cp", System.getProperty("java.class.path")));
    command.add(GenerateJob.class.getName());
    command.addAll(arguments);
    ProcessBuilder process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
    process.environment().putAll(StandaloneCluster.environment(folder, "127.0.0.1"));
    return process.start().waitFor();
  }

  /** The names of the slices in an output, which may be none yet. */
  static Set<String> slices(Path output) throws IOException {
    if (Files.notExists(output)) {
      return Set.of();
    }
    try (Stream<Path> files = Files.list(output)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.startsWith("part-"))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }
}
