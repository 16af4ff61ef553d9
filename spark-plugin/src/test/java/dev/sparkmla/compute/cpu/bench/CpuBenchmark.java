package dev.sparkmla.compute.cpu.bench;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.Segments;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** Runs the benchmarks of this package and prints them as tables. JMH's options are taken too. */
public final class CpuBenchmark {
  private CpuBenchmark() {}

  /** Threads that compute: as many as there are processors. */
  static int threads() {
    return Runtime.getRuntime().availableProcessors();
  }

  /** Copies a table's rows into an activation of as many rows. */
  static void fill(ComputeBackend backend, Weight table, Activation out) {
    int rows = table.rows();
    Segment all =
        Segments.chunk(
            IntStream.range(0, rows).toArray(), 0, IntStream.rangeClosed(0, rows / 64).toArray());
    try (StepPlan plan = backend.plan(List.of(all))) {
      backend.embed(table, plan, out);
    }
  }

  /** Runs all. */
  public static void main(String[] arguments) throws RunnerException, CommandLineOptionException {
    var options =
        new OptionsBuilder()
            .parent(new CommandLineOptions(arguments))
            .include(CpuBenchmark.class.getPackageName().replace(".", "\\.") + ".*")
            .forks(1)
            .warmupIterations(3)
            .warmupTime(TimeValue.milliseconds(500))
            .measurementIterations(5)
            .measurementTime(TimeValue.milliseconds(500))
            .verbosity(VerboseMode.SILENT)
            .build();
    Map<String, Double> microseconds = new TreeMap<>(Comparator.naturalOrder());
    for (RunResult result : new Runner(options).run()) {
      String shape = result.getParams().getParam("shape");
      String name = result.getPrimaryResult().getLabel();
      microseconds.put(
          shape == null ? name : name + " " + shape, result.getPrimaryResult().getScore());
    }
    System.out.printf("%d threads, %s%n%n", threads(), System.getProperty("java.version"));
    System.out.println("| GEMM, rows x outputs x inputs | µs | GFLOPS | OpenBLAS alone | % |");
    System.out.println("|---|---|---|---|---|");
    microseconds.forEach(
        (name, time) -> {
          if (name.startsWith("backend ")) {
            String shape = name.substring("backend ".length());
            double operations = GemmBenchmark.Shape.parse(shape).operations();
            double alone = microseconds.get("openBlas " + shape);
            System.out.printf(
                "| %s | %.0f | %.0f | %.0f | %.0f |%n",
                shape, time, operations / time / 1e3, operations / alone / 1e3, 100 * alone / time);
          }
        });
    System.out.println();
    System.out.println("| operation | µs |");
    System.out.println("|---|---|");
    microseconds.forEach(
        (name, time) -> {
          if (!name.contains(" ")) {
            System.out.printf("| %s | %.0f |%n", name, time);
          }
        });
  }
}
