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
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code bin/bench slices}: what committing slices costs. The demo model answers the same rows on
 * two slots, in one slice a task and in many, one after the other in turns. It stands beside the
 * job, whose run it needs.
 */
public final class SliceBenchmark {
  private static final Pattern SPEED = Pattern.compile("speed\\s+([0-9,]+) tokens/s");
  private static final Pattern TOKENS = Pattern.compile("tokens\\s+([0-9,]+) in .*, ([0-9,]+) out");
  private static final long SEED = 20_26;
  private static final int MANY = 8;

  /**
   * What one run took.
   *
   * @param cpuSeconds of this JVM for 1,000 tokens, read and generated
   */
  private record Measured(double tokensPerSecond, double cpuSeconds, long slices) {}

  /** A figure of several runs. */
  private record Figures(double median, double least, double most) {
    static Figures of(List<Measured> runs, ToDoubleFunction<Measured> figure) {
      double[] sorted = runs.stream().mapToDouble(figure).sorted().toArray();
      return new Figures(sorted[sorted.length / 2], sorted[0], sorted[sorted.length - 1]);
    }

    String row(String format) {
      return String.format(Locale.ROOT, format, median, least, most);
    }
  }

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
    System.out.println(
        "| slices | tokens/s | least | most | CPU s / 1,000 tokens | least | most |");
    System.out.println("|---|---|---|---|---|---|---|");
    print(whole);
    print(sliced);
    System.out.printf(
        Locale.ROOT,
        "%nmany slices beside few, medians of %d runs in turns: tokens/s x %.3f, CPU s x %.3f%n",
        runs,
        ratio(sliced, whole, Measured::tokensPerSecond),
        ratio(sliced, whole, Measured::cpuSeconds));
  }

  private static void print(List<Measured> runs) {
    System.out.println(
        "| "
            + runs.get(0).slices()
            + Figures.of(runs, Measured::tokensPerSecond).row(" | %.0f | %.0f | %.0f")
            + Figures.of(runs, Measured::cpuSeconds).row(" | %.3f | %.3f | %.3f |"));
  }

  private static double ratio(
      List<Measured> runs, List<Measured> others, ToDoubleFunction<Measured> figure) {
    return Figures.of(runs, figure).median() / Figures.of(others, figure).median();
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
    Matcher tokens = TOKENS.matcher(run.out());
    if (run.code() != 0 || !speed.find() || !tokens.find()) {
      throw new IOException("the job failed: " + run.err());
    }
    double thousands = (number(tokens.group(1)) + number(tokens.group(2))) / 1e3;
    return new Measured(number(speed.group(1)), cpu / thousands, JobProcess.slices(output).size());
  }

  private static double number(String text) {
    return Double.parseDouble(text.replace(",", ""));
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
