package dev.sparkmla.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.jobs.FaultyPlugin.Action;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Jobs in which a fault is injected at a seeded point, each of them run again until it ends well:
 * every row of the input is in the output once, with the text that it has without a fault.
 */
class FaultsTest {
  private static final Path MODEL = Path.of("demo-model", "model").toAbsolutePath();
  private static final String MODEL_ID = "spark-mla/demo";
  private static final String LINE = "| %4s | %-14s | %5s | %6s | %9s | %4s | %7s | %7s |%n";
  private static final int RUNS = 4;

  @TempDir static Path folder;

  private static StandaloneCluster cluster;

  /** Where a job runs. */
  private enum Place {
    /** In a process of its own, which is driver and executor. */
    PROCESS,
    /** With its driver in this JVM, and executors on two workers. */
    CLUSTER,
    /** In this JVM. */
    HERE
  }

  /** What is injected. */
  private enum Fault {
    /** The driver is killed. */
    DRIVER(Place.PROCESS, Action.KILL, false),
    /** The first two executors are killed. */
    EXECUTORS(Place.CLUSTER, Action.KILL, false),
    /** A worker and its executor are killed. */
    WORKER(Place.CLUSTER, Action.KILL_WORKER, false),
    /** A task fails on each of the first executors. */
    TASKS(Place.CLUSTER, Action.FAIL, false),
    /** The first executors lose their devices. */
    DEVICE(Place.CLUSTER, Action.LOSE_DEVICE, false),
    /** An executor gets slow, and Spark starts its tasks a second time. */
    SPECULATION(Place.CLUSTER, Action.SLOW, false),
    /** A worker has a model whose lowest bits differ. */
    OTHER_MODEL(Place.CLUSTER, Action.SLOW, true),
    /** A worker has no model. */
    NO_MODEL(Place.CLUSTER, Action.SLOW, false),
    /** The driver is killed, while rows give their cache back to others. */
    CACHE(Place.PROCESS, Action.KILL, true),
    /** The output's disk is full. */
    DISK(Place.HERE, Action.FAIL, false),
    /** The disk is full where finished rows wait for an earlier one. */
    SCRATCH(Place.HERE, Action.LATE, false);

    private final Place place;
    private final Action action;
    private final boolean model;

    Fault(Place place, Action action, boolean model) {
      this.place = place;
      this.action = action;
      this.model = model;
    }
  }

  private static final List<Fault> KILLS =
      List.of(
          Fault.DRIVER,
          Fault.EXECUTORS,
          Fault.WORKER,
          Fault.EXECUTORS,
          Fault.DRIVER,
          Fault.WORKER,
          Fault.EXECUTORS,
          Fault.WORKER,
          Fault.CACHE,
          Fault.EXECUTORS,
          Fault.WORKER);

  private static final List<Fault> OTHERS =
      List.of(
          Fault.TASKS,
          Fault.DEVICE,
          Fault.SPECULATION,
          Fault.DISK,
          Fault.OTHER_MODEL,
          Fault.NO_MODEL,
          Fault.SCRATCH);

  /** So many faults, one of them no kill. */
  private static final int TURN = 7;

  @BeforeAll
  static void startCluster() throws IOException {
    Path bad = copyWithOtherBits();
    cache("good", MODEL);
    cache("bad", bad);
    Files.createDirectories(folder.resolve("none"));
    give("good");
    cluster = new StandaloneCluster(folder);
    cluster.startWorker("127.0.0.1", Map.of("HF_HUB_CACHE", folder.resolve("good").toString()));
    cluster.startWorker(
        "127.0.0.2",
        Map.of("HF_HUB_CACHE", folder.resolve("second").toString(), FaultyPlugin.LATE, "1"));
  }

  @AfterAll
  static void stopCluster() {
    if (cluster != null) {
      cluster.close();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"WORKER", "DEVICE", "OTHER_MODEL", "NO_MODEL", "DISK", "SCRATCH"})
  void aFaultLosesDoublesAndChangesNoRow(Fault fault) throws IOException, InterruptedException {
    run(1000 + fault.ordinal(), fault, RUNS);
  }

  /** At a seed at which slices are committed before the kill. */
  @Test
  void aKilledDriversRowsAreKept() throws IOException, InterruptedException {
    assertThat(run(2001, Fault.DRIVER, 2)).isPositive();
  }

  /** As many seeds as the property {@code faults} says, from {@code first} on; prints each one. */
  @Test
  @Tag("faults")
  @Timeout(value = 12, unit = TimeUnit.HOURS) // as many as are asked for
  void noFaultLosesDoublesOrChangesARow() {
    int first = Integer.getInteger("first", 1);
    int faults = Integer.getInteger("faults", TURN);
    System.out.printf(
        LINE, "seed", "fault", "runs", "rows", "kept rows", "lost", "doubled", "changed");
    SoftAssertions all = new SoftAssertions();
    for (int seed = first; seed < first + faults; seed++) {
      int next = seed;
      all.assertThatCode(() -> run(next, fault(next), RUNS))
          .as("seed %d", seed)
          .doesNotThrowAnyException();
    }
    all.assertAll();
  }

  private static Fault fault(int seed) {
    int others = seed / TURN;
    return seed % TURN == 0
        ? OTHERS.get((others - 1) % OTHERS.size())
        : KILLS.get((seed - others - 1) % KILLS.size());
  }

  /**
   * Runs the job until it ends well.
   *
   * @param mostRuns of which the last has no fault but what lasts
   * @return how many rows were committed before the last run
   */
  private int run(int seed, Fault fault, int mostRuns) throws IOException, InterruptedException {
    Random random = new Random(seed);
    List<String> prompts = prompts(fault, random);
    Path input = Files.write(folder.resolve("in" + seed + ".txt"), prompts);
    Path output = folder.resolve("out" + seed);
    Path unfinished = folder.resolve("out" + seed + "-unfinished");
    List<String> expected =
        fault.model
            ? undisturbed(input, seed)
            : prompts.stream().map(prompt -> "<" + prompt + ">").toList();
    give(second(fault));
    int runs = 0;
    int kept = 0;
    Optional<String> failure = Optional.of("it has not run");
    Set<String> committed = new TreeSet<>();
    while (failure.isPresent() && runs < mostRuns) {
      runs++;
      failure = runOnce(seed, fault, input, random, runs == mostRuns);
      if (failure.isPresent()) {
        assertThat(output).as("seed %d", seed).doesNotExist();
        committed = JobProcess.slices(unfinished);
        kept = committed.isEmpty() ? 0 : JobRun.rows(unfinished).size();
      }
    }
    cluster.replaceDeadWorkers();
    if (fault.place == Place.HERE) {
      assertThat(runs).as("seed %d", seed).isGreaterThan(1);
    }

    assertThat(failure).as("seed %d", seed).isEmpty();
    assertThat(JobProcess.slices(output)).as("seed %d", seed).containsAll(committed);
    List<String> texts = texts(output);
    System.out.printf(
        Locale.ROOT,
        LINE,
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
    return kept;
  }

  /** How many of some texts are not among others. */
  private static long missing(List<String> texts, List<String> others) {
    List<String> left = new ArrayList<>(others);
    return texts.stream().filter(text -> !left.remove(text)).count();
  }

  /**
   * Runs the job.
   *
   * @param isLast whether no fault is injected but what lasts
   * @return why it ended early, if it did
   */
  private Optional<String> runOnce(int seed, Fault fault, Path input, Random random, boolean isLast)
      throws IOException, InterruptedException {
    String disk = fault == Fault.DISK ? "full://" : "";
    List<String> arguments = arguments(input, disk + folder.resolve("out" + seed), fault.model);
    int after = fault.action == Action.SLOW ? 0 : random.nextInt(25);
    conf(arguments, FaultyPlugin.AFTER, isLast ? 1 << 20 : after);
    conf(arguments, FaultyPlugin.FAULT, fault.action);
    return switch (fault.place) {
      case PROCESS -> inProcess(seed, fault, arguments);
      case CLUSTER -> onCluster(seed, fault, arguments);
      case HERE -> onFullDisk(fault, arguments, isLast ? Optional.empty() : Optional.of(random));
    };
  }

  private static Optional<String> inProcess(int seed, Fault fault, List<String> arguments)
      throws IOException, InterruptedException {
    arguments.addAll(List.of("--model", MODEL.toString(), "--master", "local[2]"));
    if (fault == Fault.CACHE) {
      conf(arguments, "spark.mla.kvcache.size", "1m");
      conf(arguments, "spark.mla.window.bytes", "64m");
    }
    Path log = folder.resolve("log" + seed);
    int code = JobProcess.run(folder, log, arguments);
    assertThat(code).as(Files.readString(log)).isIn(0, JobProcess.KILLED);
    return code == 0 ? Optional.empty() : Optional.of("killed");
  }

  private static Optional<String> onCluster(int seed, Fault fault, List<String> arguments) {
    arguments.addAll(List.of("--model", MODEL_ID));
    conf(arguments, "spark.cores.max", 2);
    conf(arguments, "spark.driver.host", "127.0.0.1");
    conf(arguments, "spark.driver.bindAddress", "127.0.0.1");
    switch (fault) {
      case EXECUTORS, TASKS, DEVICE -> conf(arguments, FaultyPlugin.EXECUTORS, 2);
      case WORKER -> conf(arguments, FaultyPlugin.EXECUTORS, 1);
      case SPECULATION -> {
        conf(arguments, FaultyPlugin.EXECUTORS, 1);
        conf(arguments, "spark.speculation", true);
        conf(arguments, "spark.speculation.interval", "50ms");
        conf(arguments, "spark.speculation.quantile", 0.1);
        conf(arguments, "spark.speculation.multiplier", 1.1);
      }
      case OTHER_MODEL -> conf(arguments, FaultyPlugin.MARK, folder.resolve("mark" + seed));
      case NO_MODEL, DRIVER, CACHE, DISK, SCRATCH -> {
        // Nothing more.
      }
    }
    JobRun run = JobRun.on(cluster.url(), arguments);
    assertThat(run.code()).as(run.err()).isZero();
    return Optional.empty();
  }

  /** Runs on a disk with little space, or without a random number on one with enough. */
  private static Optional<String> onFullDisk(
      Fault fault, List<String> arguments, Optional<Random> random) {
    arguments.addAll(List.of("--model", MODEL.toString()));
    int least;
    if (fault == Fault.DISK) {
      least = 4000;
      conf(arguments, FaultyPlugin.AFTER, 1 << 20);
      conf(arguments, "spark.hadoop.fs.full.impl", FullFileSystem.class.getName());
    } else {
      least = 100;
      conf(arguments, "spark.mla.window.bytes", "2k");
      conf(arguments, "spark.io.compression.codec", FullScratch.class.getName());
      conf(arguments, "spark.broadcast.compress", false);
      conf(arguments, "spark.shuffle.compress", false);
    }
    FullDisk.SPACE.set(random.map(number -> least + number.nextInt(least)).orElse(1 << 30));
    JobRun run = JobRun.on("local[2]", arguments);
    if (run.code() == 0) {
      return Optional.empty();
    }
    assertThat(run.err()).doesNotContain("\tat ");
    assertThat(run.err().lines().filter(line -> line.startsWith("generate: ")))
        .singleElement()
        .asString()
        .contains(fault == Fault.SCRATCH ? "finished rows cannot be kept in" : "")
        .contains("No space left on device");
    return Optional.of(run.err());
  }

  private static List<String> arguments(Path input, String output, boolean model) {
    List<String> arguments = new ArrayList<>(JobProcess.options());
    arguments.addAll(List.of("--input", input.toString(), "--slice-rows", "5"));
    if (model) {
      arguments.addAll(List.of("--backend", "cpu", "--max-tokens", "8", "--temperature", "0"));
      conf(arguments, FaultyPlugin.ANSWERS, "model");
      conf(arguments, "spark.mla.cpu.threads", 1);
    }
    arguments.addAll(List.of("--output", output));
    return arguments;
  }

  private static void conf(List<String> arguments, String key, Object value) {
    arguments.addAll(List.of("--conf", key + "=" + value));
  }

  private static List<String> undisturbed(Path input, int seed) throws IOException {
    Path output = folder.resolve("undisturbed" + seed);
    List<String> arguments = arguments(input, output.toString(), true);
    arguments.addAll(List.of("--model", MODEL.toString()));
    JobRun run = JobRun.on("local[2]", arguments);
    assertThat(run.code()).as(run.err()).isZero();
    return texts(output);
  }

  private static List<String> texts(Path output) throws IOException {
    return JobRun.rows(output).stream().map(row -> row.get("text").asText()).toList();
  }

  /** Few where each takes long, and many of them alike. */
  private static List<String> prompts(Fault fault, Random random) {
    if (fault == Fault.CACHE) {
      // Of 64 tokens at most, two a word, so that rows need a second page while they are generated:
      // three run at once in a cache of three pages.
      return IntStream.range(0, 24)
          .mapToObj(row -> "word ".repeat(27 + random.nextInt(4)) + row)
          .toList();
    }
    int rows =
        switch (fault) {
          case OTHER_MODEL, NO_MODEL -> 12;
          case SPECULATION -> 20;
          case DRIVER, EXECUTORS, WORKER, TASKS, DEVICE, CACHE, DISK, SCRATCH ->
              40 + random.nextInt(80);
        };
    return IntStream.range(0, rows).mapToObj(row -> "prompt " + random.nextInt(40)).toList();
  }

  private static String second(Fault fault) {
    return switch (fault) {
      case OTHER_MODEL -> "bad";
      case NO_MODEL -> "none";
      case DRIVER, EXECUTORS, WORKER, TASKS, DEVICE, SPECULATION, CACHE, DISK, SCRATCH -> "good";
    };
  }

  /** Which cache of models the second worker sees. */
  private static void give(String cache) throws IOException {
    Path second = folder.resolve("second");
    Files.deleteIfExists(second);
    Files.createSymbolicLink(second, folder.resolve(cache));
  }

  /** Lays a model out as Hugging Face's cache does. */
  private static void cache(String name, Path model) throws IOException {
    String commit = "0".repeat(40);
    Path cached = folder.resolve(name).resolve("models--" + MODEL_ID.replace("/", "--"));
    Files.createDirectories(cached.resolve("refs"));
    Files.createDirectories(cached.resolve("snapshots"));
    Files.writeString(cached.resolve("refs").resolve("main"), commit);
    Files.createSymbolicLink(cached.resolve("snapshots").resolve(commit), model);
  }

  /** The demo model, with the lowest bit of some of its weights inverted. */
  private static Path copyWithOtherBits() throws IOException {
    Path copy = Files.createDirectory(folder.resolve("model"));
    try (Stream<Path> files = Files.list(MODEL)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(file.getFileName()));
      }
    }
    Path weights = copy.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(weights);
    for (int i = bytes.length / 2; i < bytes.length; i += 64) {
      bytes[i - i % 2] ^= 1; // of a bf16, whose lower byte comes first
    }
    Files.write(weights, bytes);
    return copy;
  }
}
