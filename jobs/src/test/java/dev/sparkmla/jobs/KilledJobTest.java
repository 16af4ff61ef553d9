package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Jobs in processes of their own, of which some are killed by signal 9. */
class KilledJobTest {
  private static final int KILLED = 128 + 9;

  @TempDir Path folder;

  /** Where a fault is injected. */
  private enum Fault {
    DRIVER("local[2]", "kill"),
    EXECUTORS("local-cluster[2,1,1024]", "kill"),
    TASKS("local-cluster[2,1,1024]", "fail");

    private final String master;
    private final String action;

    Fault(String master, String action) {
      this.master = master;
      this.action = action;
    }
  }

  /** With the demo model: what was generated before a kill stays, and all texts are the same. */
  @Test
  void aKilledDriversRowsAreKept() throws IOException, InterruptedException {
    List<String> prompts =
        IntStream.range(0, 12).mapToObj(row -> "The document says that " + row % 5).toList();
    Path input = Files.write(folder.resolve("prompts.txt"), prompts);
    String[] settings = {
      "--backend", "cpu",
      "--max-tokens", "8",
      "--temperature", "0",
      "--slice-rows", "1",
      "--conf", FaultyPlugin.ANSWERS + "=model"
    };
    assertThat(job(input, "undisturbed", "local[2]", settings)).isZero();

    int killed =
        job(
            input,
            "killed",
            "local[2]",
            Stream.concat(
                    Arrays.stream(settings),
                    Stream.of(
                        "--conf",
                        FaultyPlugin.AFTER + "=4",
                        "--conf",
                        FaultyPlugin.FAULT + "=kill"))
                .toArray(String[]::new));
    Set<String> before = slices("killed-unfinished");
    boolean isThere = Files.exists(folder.resolve("killed"));
    int resumed = job(input, "killed", "local[2]", settings);

    assertThat(killed).isEqualTo(KILLED);
    assertThat(before).isNotEmpty();
    assertThat(isThere).isFalse();
    assertThat(resumed).as(log("killed")).isZero();
    assertThat(slices("killed")).containsAll(before);
    assertThat(texts("killed")).hasSize(12).isEqualTo(texts("undisturbed"));
  }

  /** Seeded faults, as many as the property {@code faults} says; prints a line for each. */
  @Test
  @Tag("faults")
  @Timeout(value = 12, unit = TimeUnit.HOURS) // as many as are asked for
  void noFaultLosesDoublesOrChangesARow() throws IOException, InterruptedException {
    int faults = Integer.getInteger("faults", 3);
    String line = "| %4s | %-9s | %5s | %6s | %9s | %4s | %7s | %7s |%n";
    System.out.printf(
        line, "seed", "fault", "runs", "rows", "kept rows", "lost", "doubled", "changed");
    for (int seed = 1; seed <= faults; seed++) {
      Random random = new Random(seed);
      Fault fault = Fault.values()[seed % Fault.values().length];
      String output = "out" + seed;
      List<String> prompts = prompts(random);
      Path input = Files.write(folder.resolve("in" + seed + ".txt"), prompts);
      int runs = 0;
      int code;
      int kept = 0;
      Set<String> committed = new TreeSet<>();
      do {
        runs++;
        boolean isLast = runs > 3;
        code =
            job(
                input,
                output,
                fault.master,
                "--slice-rows",
                "5",
                "--conf",
                FaultyPlugin.AFTER + "=" + (isLast ? 1 << 20 : random.nextInt(30)),
                "--conf",
                FaultyPlugin.FAULT + "=" + fault.action,
                "--conf",
                FaultyPlugin.EXECUTORS + "=2");
        if (code != 0) {
          committed = slices(output + "-unfinished");
          kept = rows(output + "-unfinished").size();
        }
      } while (code == KILLED && runs <= 3);

      assertThat(code).as("seed %d: %s", seed, log(output)).isZero();
      assertThat(slices(output)).as("seed %d", seed).containsAll(committed);
      List<String> texts = texts(output);
      List<String> expected = prompts.stream().map(prompt -> "<" + prompt + ">").toList();
      System.out.printf(
          Locale.ROOT,
          line,
          seed,
          fault,
          runs,
          texts.size(),
          kept,
          missing(expected, texts),
          missing(texts, expected),
          IntStream.range(0, Math.min(texts.size(), expected.size()))
              .filter(row -> !texts.get(row).equals(expected.get(row)))
              .count());
      assertThat(texts).as("seed %d", seed).isEqualTo(expected);
    }
  }

  /** How many of some texts are not among others. */
  private static long missing(List<String> texts, List<String> others) {
    List<String> left = new ArrayList<>(others);
    return texts.stream().filter(text -> !left.remove(text)).count();
  }

  private static List<String> prompts(Random random) {
    return IntStream.range(0, 40 + random.nextInt(80))
        .mapToObj(row -> "prompt " + random.nextInt(40))
        .collect(Collectors.toList());
  }

  /** Runs the job and returns its exit code. */
  private int job(Path input, String output, String master, String... more)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(option -> option.startsWith("--add-opens") || option.startsWith("-Dio.netty"))
            .toList());
    String classes = System.getProperty("java.class.path");
    command.addAll(List.of("-Xmx1g", "-cp", classes, GenerateJob.class.getName()));
    command.addAll(
        List.of(
            "--input",
            input.toString(),
            "--output",
            folder.resolve(output).toString(),
            "--output-format",
            "json",
            "--resume",
            "--model",
            Path.of("demo-model", "model").toAbsolutePath().toString(),
            "--conf",
            "spark.plugins=" + FaultyPlugin.class.getName(),
            "--conf",
            "spark.mla.batch.rows=1",
            "--conf",
            "spark.mla.window.bytes=1b",
            "--conf",
            "spark.ui.enabled=false",
            "--conf",
            "spark.master=" + master,
            "--conf",
            "spark.executor.memory=512m",
            "--conf",
            "spark.executor.extraClassPath=" + classes));
    command.addAll(Arrays.asList(more));
    ProcessBuilder process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.to(logFile(output).toFile()));
    // Spark starts executors with the jars in its home, which may be none.
    Path home = folder.resolve("spark");
    Files.createDirectories(home.resolve("jars"));
    process.environment().put("SPARK_HOME", home.toString());
    process.environment().put("SPARK_SCALA_VERSION", "2.13");
    process.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    return process.start().waitFor();
  }

  private Path logFile(String output) {
    return folder.resolve(output + ".log");
  }

  private String log(String output) throws IOException {
    return Files.readString(logFile(output));
  }

  private Set<String> slices(String output) throws IOException {
    if (Files.notExists(folder.resolve(output))) {
      return Set.of();
    }
    try (Stream<Path> files = Files.list(folder.resolve(output))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.startsWith("part-"))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  private List<JsonNode> rows(String output) throws IOException {
    Path path = folder.resolve(output);
    return Files.exists(path) ? JobRun.rows(path) : List.of();
  }

  private List<String> texts(String output) throws IOException {
    return rows(output).stream().map(row -> row.get("text").asText()).toList();
  }
}
