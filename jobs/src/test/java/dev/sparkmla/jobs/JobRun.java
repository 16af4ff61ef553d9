package dev.sparkmla.jobs;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * One run of the job, in an application of its own.
 *
 * @param code its exit code
 * @param out what it printed
 * @param err its progress and errors
 */
record JobRun(int code, String out, String err) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Runs with {@link EchoPlugin} in place of a model. */
  static JobRun echo(String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.add("--conf");
    all.add("spark.plugins=" + EchoPlugin.class.getName());
    return of(all.toArray(String[]::new));
  }

  /** Runs on two cores. */
  static JobRun of(String... arguments) {
    return on("local[2]", List.of(arguments));
  }

  /** Runs on a master. */
  static JobRun on(String master, List<String> arguments) {
    List<String> all = new ArrayList<>(arguments);
    all.addAll(
        List.of(
            "--conf", "spark.ui.enabled=false",
            "--conf", "spark.sql.shuffle.partitions=2",
            "--conf", "spark.master=" + master));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int code =
        GenerateJob.run(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            all.toArray(String[]::new));
    return new JobRun(
        code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  /** The objects of every JSON file in a folder, in the order of the files' names. */
  static List<JsonNode> rows(Path folder) throws IOException {
    List<JsonNode> rows = new ArrayList<>();
    for (String line : lines(folder)) {
      rows.add(JSON.readTree(line));
    }
    return rows;
  }

  /** The lines of every JSON file in a folder, in the order of the files' names. */
  static List<String> lines(Path folder) throws IOException {
    List<String> lines = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(path -> path.toString().endsWith(".json")).sorted().toList()) {
        lines.addAll(Files.readAllLines(file));
      }
    }
    return lines;
  }
}
