package dev.sparkmla.plugin;

import dev.sparkmla.plugin.location.HomeFolder;
import dev.sparkmla.plugin.location.ModelLocation;
import dev.sparkmla.plugin.location.ModelLocator;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.network.util.JavaUtils;
import scala.Tuple2;

/** The settings of one application or session, checked as a whole when made. Immutable. */
public final class MlaConf {
  /** Every key begins with it. */
  public static final String PREFIX = "spark.mla.";

  private static final List<ConfEntry<?>> ENTRIES = new ArrayList<>();

  /** Where the model is. */
  public static final ConfEntry<ModelLocation> MODEL_PATH =
      required(
          "spark.mla.model.path",
          "a Hugging Face model folder: its path on every executor, its URI in a file system of"
              + " Hadoop, or its id in the Hugging Face cache of every executor's host",
          "The folder with config.json, the tokenizer and *.safetensors. Each executor reads it"
              + " once, when it starts. A path is read where it is. A URI such as `hdfs://...`,"
              + " `s3a://...` or `file:///...` is copied to each host once. An id such as"
              + " `deepseek-ai/DeepSeek-V2-Lite`, with `@` and a revision or without, has to be"
              + " downloaded already.",
          ModelLocation::parse);

  /** What people call the model; empty for its path. */
  public static final ConfEntry<Optional<String>> MODEL_NAME =
      entry(
          "spark.mla.model.name",
          "auto",
          "auto or a name",
          "What plans, the page Generation and reports call the model; `auto` is the value of"
              + " `spark.mla.model.path`.",
          text -> text.equals("auto") ? Optional.empty() : Optional.of(text));

  /** Where copies of models are kept. */
  public static final ConfEntry<Path> MODEL_CACHE_DIR =
      entry(
          ModelLocator.CACHE_SETTING,
          "~/.cache/spark-mla/models",
          "a folder of each host that all its executors share and may write to",
          "Where a model that has a URI is copied to; a fast local disk with room for it. Executors"
              + " of a host share the copy. Nothing is deleted from it but copies that are"
              + " unfinished or broken.",
          HomeFolder::expand);

  /** Which machine computes. */
  public static final ConfEntry<BackendChoice> BACKEND =
      entry(
          "spark.mla.backend",
          "auto",
          "auto, cuda or cpu",
          "Which machine computes: `cuda` a Hopper GPU, `cpu` the processor, `auto` the GPU where"
              + " the executor was given one, else the processor.",
          text -> BackendChoice.valueOf(text.toUpperCase(Locale.ROOT)));

  /** Which GPUs, in local mode; empty for the first free Hopper GPU. */
  public static final ConfEntry<List<Integer>> DEVICE =
      entry(
          "spark.mla.device",
          "auto",
          "auto, or numbers of GPUs, from 0, with commas between them",
          "Which GPUs to use in local mode, where Spark assigns none, such as `0` or `0,1`; each"
              + " gets an engine of its own. `auto` is the first Hopper GPU that no other executor"
              + " has claimed. On a cluster the executor uses those that Spark gave it.",
          text -> text.equals("auto") ? List.of() : numbers(text));

  /** Where claims on GPUs are locked. */
  public static final ConfEntry<Path> GPU_LOCK_DIR =
      entry(
          "spark.mla.gpu.lockDir",
          "/tmp",
          "a folder that all executors of a host share and may write to",
          "Where executors lock a file for each GPU they use, so that two of a host never use one:"
              + " `spark-mla-GPU-....lock`. The operating system unlocks it when the executor"
              + " ends.",
          Path::of);

  /** The CPU backend's threads; empty for all cores. */
  public static final ConfEntry<OptionalInt> CPU_THREADS =
      entry(
          "spark.mla.cpu.threads",
          "auto",
          "auto or a number from 1 to 4096",
          "Threads the `cpu` backend computes with; `auto` is the number of processors that the JVM"
              + " sees.",
          text ->
              text.equals("auto") ? OptionalInt.empty() : OptionalInt.of(integer(text, 1, 4096)));

  /** The part of free GPU memory that the cache takes. */
  public static final ConfEntry<Double> CACHE_MEMORY_FRACTION =
      entry(
          "spark.mla.kvcache.memoryFraction",
          "0.9",
          "a number above 0, at most 1",
          "The part of the GPU memory left beside the weights that the paged cache takes with the"
              + " `cuda` backend.",
          text -> checked(Double.parseDouble(text), value -> value > 0 && value <= 1));

  /** Bytes of the CPU backend's cache. */
  public static final ConfEntry<Long> CACHE_SIZE =
      entry(
          "spark.mla.kvcache.size",
          "1g",
          "a size from 1m to 32t, such as 512m or 4g",
          "The size of the paged cache with the `cpu` backend, outside the heap.",
          text -> bytes(text, 1L << 20, 1L << 45));

  /** Tokens of one step at most; empty for as many as the machine is good for. */
  public static final ConfEntry<OptionalInt> MAX_BATCHED_TOKENS =
      entry(
          "spark.mla.engine.maxBatchedTokens",
          "auto",
          "auto or a number from 1 to 262144",
          "Tokens that one step of the engine computes at most: the running rows' next tokens, and"
              + " chunks of waiting prompts. `auto` is 2048 with the `cpu` backend. With `cuda` it"
              + " is 16384, halved until the memory that the weights leave is a MiB for each token,"
              + " but at least 2048.",
          text ->
              text.equals("auto")
                  ? OptionalInt.empty()
                  : OptionalInt.of(integer(text, 1, 1 << 18)));

  /** Sequences running at once at most. */
  public static final ConfEntry<Integer> MAX_SEQUENCES =
      number(
          "spark.mla.engine.maxSequences",
          "256",
          1,
          1 << 15,
          "Rows that one engine computes at once at most; the others wait.");

  /** {@code max_tokens} of a call that names none. */
  public static final ConfEntry<Integer> MAX_TOKENS =
      number(
          "spark.mla.generation.maxTokens",
          "256",
          1,
          Integer.MAX_VALUE,
          "Tokens generated for a row at most, where the call's `params` name no `max_tokens`.");

  /** Rows of one Arrow batch at most. */
  public static final ConfEntry<Integer> BATCH_ROWS =
      sessionNumber(
          "spark.mla.batch.rows",
          "64",
          1,
          1 << 16,
          "Rows that a task hands to the engine as one Arrow batch at most.");

  /** Bytes after which an Arrow batch is full. */
  public static final ConfEntry<Long> BATCH_BYTES =
      session(
          "spark.mla.batch.bytes",
          "4m",
          "a size from 1 byte to 1g",
          "Bytes of arguments after which an Arrow batch is full, whatever its rows.",
          text -> bytes(text, 1, 1L << 30));

  /** Bytes of rows that one task holds in memory. */
  public static final ConfEntry<Long> WINDOW_BYTES =
      session(
          "spark.mla.window.bytes",
          "64m",
          "a size from 1 byte to 64g",
          "Bytes of rows that one task holds in memory at most, from the time it reads them until"
              + " it has passed them on, in their order. Rows that have ended and wait for an"
              + " earlier one are written to local disk beyond that; so the engine is kept busy.",
          text -> bytes(text, 1, 1L << 36));

  /** How often executors report what their engines do. */
  public static final ConfEntry<Duration> METRICS_INTERVAL =
      entry(
          "spark.mla.metrics.interval",
          "5s",
          "a time of at least 100ms, such as 500ms or 30s",
          "How often an executor tells the driver what its engines do, while that changes. The"
              + " driver's metrics, the page Generation and the event log are as new as that. The"
              + " driver takes four reports a second: with more executors than that allows (20 at"
              + " `5s`) it is longer.",
          text ->
              checked(
                  Duration.ofMillis(JavaUtils.timeStringAsMs(text)),
                  value -> value.compareTo(Duration.ofMillis(100)) >= 0));

  private final Map<String, String> values;

  private MlaConf(Map<String, String> values) {
    this.values = Map.copyOf(values);
  }

  /**
   * Takes the settings that begin with {@link #PREFIX} and checks each.
   *
   * @throws InvalidConfigurationException for an unknown key or a wrong value
   */
  public static MlaConf of(Map<String, String> settings) {
    Map<String, String> own = new TreeMap<>();
    settings.forEach(
        (key, value) -> {
          if (key.startsWith(PREFIX)) {
            own.put(key, value);
          }
        });
    own.forEach((key, value) -> declared(key, value).parse(value));
    return new MlaConf(own);
  }

  /**
   * As {@link #of(Map)}, from an application's settings.
   *
   * @throws InvalidConfigurationException for an unknown key or a wrong value
   */
  public static MlaConf of(SparkConf conf) {
    Map<String, String> settings = new TreeMap<>();
    for (Tuple2<String, String> setting : conf.getAllWithPrefix(PREFIX)) {
      settings.put(PREFIX + setting._1(), setting._2());
    }
    return of(settings);
  }

  /**
   * As {@link #of(Map)}, from a session's settings, which may differ from its application's where
   * {@link ConfEntry#session} says so.
   *
   * @throws InvalidConfigurationException for an unknown key, a wrong value, or a value that was
   *     changed too late
   */
  public static MlaConf of(Map<String, String> session, SparkConf application) {
    MlaConf conf = of(session);
    for (ConfEntry<?> entry : ENTRIES) {
      String value = conf.values.get(entry.key());
      if (!entry.session() && !Objects.equals(value, application.get(entry.key(), null))) {
        throw new InvalidConfigurationException(
            entry.key(), value, "what it was as the application started: it cannot change later");
      }
    }
    return conf;
  }

  /** All settings there are, in the order of the configuration page. */
  public static List<ConfEntry<?>> entries() {
    return List.copyOf(ENTRIES);
  }

  /**
   * The value of a setting.
   *
   * @throws InvalidConfigurationException when it is required and not set
   */
  public <T> T get(ConfEntry<T> entry) {
    String text = values.get(entry.key());
    if (text == null) {
      text =
          entry
              .defaultText()
              .orElseThrow(
                  () -> new InvalidConfigurationException(entry.key(), null, entry.expected()));
    }
    return entry.parse(text);
  }

  /** Whether a setting was given, or has a default. */
  boolean has(ConfEntry<?> entry) {
    return values.containsKey(entry.key()) || entry.defaultText().isPresent();
  }

  private static ConfEntry<?> declared(String key, String value) {
    for (ConfEntry<?> entry : ENTRIES) {
      if (entry.key().equals(key)) {
        return entry;
      }
    }
    String known = ENTRIES.stream().map(ConfEntry::key).collect(Collectors.joining(", "));
    throw new InvalidConfigurationException(key, value, "one of the settings there are: " + known);
  }

  private static <T> ConfEntry<T> required(
      String key, String expected, String doc, Function<String, T> parser) {
    return add(new ConfEntry<>(key, Optional.empty(), expected, doc, false, parser));
  }

  private static <T> ConfEntry<T> entry(
      String key, String defaultText, String expected, String doc, Function<String, T> parser) {
    return add(new ConfEntry<>(key, Optional.of(defaultText), expected, doc, false, parser));
  }

  private static <T> ConfEntry<T> session(
      String key, String defaultText, String expected, String doc, Function<String, T> parser) {
    return add(new ConfEntry<>(key, Optional.of(defaultText), expected, doc, true, parser));
  }

  private static ConfEntry<Integer> number(
      String key, String defaultText, int least, int most, String doc) {
    return entry(key, defaultText, range(least, most), doc, text -> integer(text, least, most));
  }

  private static ConfEntry<Integer> sessionNumber(
      String key, String defaultText, int least, int most, String doc) {
    return session(key, defaultText, range(least, most), doc, text -> integer(text, least, most));
  }

  private static String range(int least, int most) {
    return most == Integer.MAX_VALUE
        ? "a number of at least " + least
        : "a number from " + least + " to " + most;
  }

  private static <T> ConfEntry<T> add(ConfEntry<T> entry) {
    ENTRIES.add(entry);
    return entry;
  }

  private static List<Integer> numbers(String text) {
    List<Integer> numbers =
        Stream.of(text.split(",", -1))
            .map(number -> integer(number.strip(), 0, Integer.MAX_VALUE))
            .toList();
    return checked(numbers, all -> new HashSet<>(all).size() == all.size());
  }

  private static int integer(String text, int least, int most) {
    return checked(Integer.parseInt(text), value -> value >= least && value <= most);
  }

  private static long bytes(String text, long least, long most) {
    return checked(JavaUtils.byteStringAsBytes(text), value -> value >= least && value <= most);
  }

  private static <T> T checked(T value, Predicate<T> right) {
    if (!right.test(value)) {
      throw new IllegalArgumentException(String.valueOf(value));
    }
    return value;
  }
}
