package dev.sparkmla.jobs;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code bin/bench slices}: what committing slices costs. The demo model answers the same rows on
 * two slots, in one slice a task and in many, one after the other in turns. It stands beside the
 * job, whose run it needs.
 */
public final class SliceBenchmark {
  private static final Pattern SPEED = Pattern.compile("speed\\s+([0-9,]+) tokens/s");
  private static final long SEED = 20_26;
  private static final int MANY = 8;

  /** What one run took. */
  private record Measured(double tokensPerSecond, double cpuSeconds, long slices) {}

  private SliceBenchmark() {}

  /** Exits with 0 when the table is complete, 2 for bad options. */
  public static void main(String[] arguments) throws IOException {
    int rows = 512;
    int runs = 5;
    for (int i = 0; i + 1 < arguments.length; i += 2) {
      switch (arguments[i]) {
        case "--rows" -> rows = Integer.parseInt(arguments[i + 1]);
        case "--runs" -> runs = Integer.parseInt(arguments[i + 1]);
        default -> {
          System.err.println("usage: bin/bench slices [--rows N] [--runs N]");
          System.exit(2);
        }
      }
    }
    Path folder = Files.createTempDirectory("slice-benchmark-");
    Path input = write(folder.resolve("in.txt"), rows);
    measure(folder, input, rows, "warm-up");
    List<Measured> whole = new ArrayList<>();
    List<Measured> sliced = new ArrayList<>();
    for (int run = 0; run < runs; run++) {
      whole.add(measure(folder, input, rows, "whole" + run));
      sliced.add(measure(folder, input, MANY, "sliced" + run));
    }
    System.out.println("| slices | tokens/s | least | most | CPU s |");
    System.out.println("|---|---|---|---|---|");
    print(whole);
    print(sliced);
  }

  private static void print(List<Measured> runs) {
    List<Double> speeds = runs.stream().map(Measured::tokensPerSecond).sorted().toList();
    List<Double> cpu = runs.stream().map(Measured::cpuSeconds).sorted().toList();
    System.out.printf(
        Locale.ROOT,
        "| %d | %.0f | %.0f | %.0f | %.1f |%n",
        runs.get(0).slices(),
        speeds.get(runs.size() / 2),
        speeds.get(0),
        speeds.get(runs.size() - 1),
        cpu.get(runs.size() / 2));
  }

  private static Measured measure(Path folder, Path input, int sliceRows, String name)
      throws IOException {
    Path output = folder.resolve(name);
    OperatingSystemMXBean system =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long before = system.getProcessCpuTime();
    JobRun run =
        JobRun.of(
            "--input",
            input.toString(),
            "--output",
            output.toString(),
            "--output-format",
            "json",
            "--model",
            Path.of("demo-model", "model").toAbsolutePath().toString(),
            "--backend",
            "cpu",
            "--temperature",
            "0",
            "--max-tokens",
            "32",
            "--slice-rows",
            String.valueOf(sliceRows),
            "--conf",
            "spark.mla.engine.maxSequences=64");
    double cpu = (system.getProcessCpuTime() - before) / 1e9;
    Matcher speed = SPEED.matcher(run.out());
    if (run.code() != 0 || !speed.find()) {
      throw new IOException("the job failed: " + run.err());
    }
    return new Measured(
        Double.parseDouble(speed.group(1).replace(",", "")), cpu, JobProcess.slices(output).size());
  }

  private static Path write(Path file, int rows) throws IOException {
    Random random = new Random(SEED);
    List<String> lines = new ArrayList<>();
    for (int row = 0; row < rows; row++) {
      lines.add("Report " + random.nextInt(1 << 20) + " says that " + "word ".repeat(16));
    }
    return Files.write(file, lines);
  }
}
