package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.codahale.metrics.MetricRegistry;
import dev.sparkmla.arrow.Batches;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.DeviceLostException;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.metrics.ExecutorRecord;
import dev.sparkmla.metrics.GenerationStore;
import dev.sparkmla.model.GoldenCheckpoint;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.sql.util.ArrowUtils;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A standalone master and a worker with two GPUs that exist as descriptions alone, and applications
 * whose executors, Java processes too, load a small model on them.
 */
class StandaloneClusterTest {
  private static final String MARK = "spark.executorEnv.SPARK_MLA_TEST_MARK";

  @TempDir static Path folder;

  private static JavaProcess master;
  private static JavaProcess worker;
  private static String url;

  /** Tasks of one executor that run at the same time. */
  private static final CyclicBarrier PAIR = new CyclicBarrier(2);

  // Not static: executors load this class too, in folders of their own.
  private final GoldenCheckpoint model = GoldenCheckpoint.all().get(0);
  private final GoldenCheckpoint.TextCase golden = model.prompts().get(0);

  /** The plugin on these GPUs, which fail for good at a prompt that says so. */
  public static final class Plugin extends MlaPlugin {
    @Override
    protected TextGenerator open(MlaConf conf, PluginContext context) {
      BreakableGpus gpus = new BreakableGpus(FakeGpus.hoppers(2), new AtomicBoolean());
      return new Breakable(
          Engines.open(conf, ApplicationModel.folder(), context, gpus), gpus.broken());
    }
  }

  /** GPUs whose backends find them lost from some step on. */
  private record BreakableGpus(GpuHost gpus, AtomicBoolean broken) implements GpuHost {
    @Override
    public List<GpuDevice> devices() {
      return gpus.devices();
    }

    @Override
    public ComputeBackend open(GpuDevice device) {
      ComputeBackend backend = gpus.open(device);
      return (ComputeBackend)
          Proxy.newProxyInstance(
              ComputeBackend.class.getClassLoader(),
              new Class<?>[] {ComputeBackend.class},
              (proxy, method, arguments) -> {
                if (method.getName().equals("tokens") && broken.get()) {
                  throw new DeviceLostException("the context is lost", null);
                }
                try {
                  return method.invoke(backend, arguments);
                } catch (InvocationTargetException thrown) {
                  throw thrown.getCause();
                }
              });
    }
  }

  /** Breaks the GPUs at the prompt "break", once in all processes. */
  private record Breakable(Engines engines, AtomicBoolean broken) implements TextGenerator {
    @Override
    public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
      boolean breaks = requests.request(0).orElseThrow().prompt().equals(new Prompt.Raw("break"));
      if (breaks && markOnce()) {
        broken.set(true);
      }
      return engines.submit(requests, ended);
    }

    @Override
    public int maxSequences() {
      return engines.maxSequences();
    }

    private static boolean markOnce() {
      try {
        Files.createFile(Path.of(System.getenv("SPARK_MLA_TEST_MARK")));
        return true;
      } catch (FileAlreadyExistsException before) {
        return false;
      } catch (IOException problem) {
        throw new UncheckedIOException(problem);
      }
    }

    @Override
    public EngineStatistics statistics() {
      return engines.statistics();
    }

    @Override
    public List<String> devices() {
      return engines.devices();
    }

    @Override
    public Map<String, EngineStatistics> gpuStatistics() {
      return engines.gpuStatistics();
    }

    @Override
    public void close() {
      engines.close();
    }
  }

  /** What a task saw: its executor, the GPU that Spark says it has and the engine's, the text. */
  private record Seen(String executor, long process, String assigned, String gpu, String text)
      implements Serializable {}

  @BeforeAll
  static void startCluster() throws Exception {
    Path home = Files.createDirectories(folder.resolve("spark"));
    Files.createFile(home.resolve("RELEASE"));
    Path jars = Files.createDirectories(home.resolve("jars"));
    for (String entry : System.getProperty("java.class.path").split(":")) {
      if (entry.endsWith(".jar")) {
        Path jar = Path.of(entry);
        Files.createSymbolicLink(jars.resolve(jar.getFileName()), jar);
      }
    }
    Path script = folder.resolve("discover");
    Files.writeString(
        script,
        "#!/bin/sh\necho '{\"name\": \"gpu\", \"addresses\": [\"%s\", \"%s\"]}'\n"
            .formatted(FakeGpus.hopper(0).uuidText(), FakeGpus.hopper(1).uuidText()));
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
    Path log = folder.resolve("log4j2.properties");
    Files.writeString(
        log,
        """
        rootLogger.level = info
        rootLogger.appenderRef.out.ref = out
        appender.out.type = Console
        appender.out.name = out
        appender.out.layout.type = PatternLayout
        appender.out.layout.pattern = %m%n
        """);
    Map<String, String> environment =
        Map.of(
            "SPARK_HOME", home.toString(),
            "SPARK_SCALA_VERSION", "2.13",
            "SPARK_LOCAL_IP", "127.0.0.1");
    List<String> options =
        List.of(
            "-Xmx256m",
            "-Dlog4j2.configurationFile=" + log,
            "-Dspark.worker.resource.gpu.amount=2",
            "-Dspark.worker.resource.gpu.discoveryScript=" + script);
    master =
        new JavaProcess(
            environment,
            options,
            "org.apache.spark.deploy.master.Master",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--webui-port",
            "0");
    String started = master.line("Starting Spark master at ");
    assertThat(started).as("the master ended").isNotNull();
    url = started.substring(started.indexOf("spark://"));
    master.drain();
    worker =
        new JavaProcess(
            environment,
            options,
            "org.apache.spark.deploy.worker.Worker",
            "--host",
            "127.0.0.1",
            "--webui-port",
            "0",
            "--cores",
            "4",
            "--memory",
            "2g",
            "--work-dir",
            folder.resolve("work").toString(),
            url);
    assertThat(worker.line("Successfully registered with master")).isNotNull();
    worker.drain();
  }

  @AfterAll
  static void stopCluster() throws Exception {
    if (worker != null) {
      worker.close();
    }
    if (master != null) {
      master.close();
    }
  }

  @Test
  void executorsHaveAGpuEachThatTheirTasksShareAndOneCopyOfTheModel() throws Exception {
    String prompt = golden.prompt().textValue();
    String meeting = Files.createDirectory(folder.resolve("meeting")).toString();
    try (JavaSparkContext spark = application(2)) {
      List<Seen> seen =
          spark
              .parallelize(List.of(1, 2, 3, 4), 4)
              .mapPartitions(rows -> generate(prompt, Optional.of(meeting)))
              .collect();
      spark.sc().listenerBus().waitUntilEmpty();

      assertThat(seen).hasSize(4);
      assertThat(seen)
          .allSatisfy(
              task -> {
                assertThat(task.text()).isEqualTo(golden.text());
                assertThat(task.gpu()).isEqualTo(task.assigned());
              });
      Map<Long, List<Seen>> byProcess = seen.stream().collect(Collectors.groupingBy(Seen::process));
      assertThat(byProcess).hasSize(2);
      assertThat(byProcess.values())
          .allSatisfy(
              tasks -> {
                assertThat(tasks).hasSize(2);
                assertThat(tasks.stream().map(Seen::gpu).distinct()).hasSize(1);
              });
      assertThat(seen.stream().map(Seen::gpu).distinct())
          .containsExactlyInAnyOrder(FakeGpus.hopper(0).uuidText(), FakeGpus.hopper(1).uuidText());
      assertTheDriverHasTheSums(spark);
    }
    try (Stream<Path> copies = Files.list(folder.resolve("models"))) {
      assertThat(copies.filter(Files::isDirectory))
          .singleElement()
          .satisfies(copy -> assertThat(copy.resolve("model.safetensors")).exists());
    }
  }

  /** Of two executors with two rows each. */
  private void assertTheDriverHasTheSums(JavaSparkContext spark) {
    List<ExecutorRecord> executors =
        new GenerationStore(spark.sc().statusStore().store()).executors();
    assertThat(executors).hasSize(2);
    assertThat(executors)
        .allSatisfy(
            executor -> {
              assertThat(executor.statistics().finished()).isEqualTo(2);
              assertThat(executor.report().model()).isEqualTo("a small model");
              assertThat(executor.report().gpus()).isEqualTo(1);
              assertThat(executor.report().devices()).containsExactly(FakeGpus.hopper(0).name());
              assertThat(executor.host()).isEqualTo("127.0.0.1");
            });
    MetricRegistry metrics =
        SparkEnv.get()
            .metricsSystem()
            .getSourcesByName("plugin." + Plugin.class.getName())
            .head()
            .metricRegistry();
    assertThat(metrics.getGauges().get("total.finished").getValue()).isEqualTo(4L);
    assertThat(metrics.getGauges().get("total.failed.EMPTY_PROMPT").getValue()).isEqualTo(0L);
    assertThat(metrics.getGauges().get("total.promptTokens").getValue())
        .isEqualTo(4L * golden.promptTokens().length);
  }

  @Test
  void aModelThatIsNotWhereItsUriSaysFailsTheDriver() {
    String missing = folder.resolve("missing").toUri().toString();
    assertThatThrownBy(
            () -> new JavaSparkContext(conf(1).set("spark.mla.model.path", missing)).close())
        .hasStackTraceContaining(missing + " is not there; expected the URI of a Hugging Face");
  }

  @Test
  void sparkReplacesAnExecutorWhoseDeviceIsLost() {
    try (JavaSparkContext spark = application(1)) {
      Seen before = one(spark, golden.prompt().textValue());
      Seen after = one(spark, "break");
      assertThat(after.process()).isNotEqualTo(before.process());
      assertThat(after.executor()).isNotEqualTo(before.executor());
      assertThat(Path.of(spark.getConf().get(MARK))).exists();
      assertThat(one(spark, golden.prompt().textValue()).text()).isEqualTo(golden.text());
    }
  }

  private static Seen one(JavaSparkContext spark, String prompt) {
    return spark
        .parallelize(List.of(1), 1)
        .mapPartitions(rows -> generate(prompt, Optional.empty()))
        .collect()
        .get(0);
  }

  /**
   * @param meeting a folder in which tasks wait for each other: two of each of two processes
   */
  private static Iterator<Seen> generate(String prompt, Optional<String> meeting) throws Exception {
    if (meeting.isPresent()) {
      PAIR.await(60, TimeUnit.SECONDS); // Only two tasks of one process get past it.
      // The executor that has loaded its model first would take all four otherwise.
      Path folder = Path.of(meeting.get());
      Files.write(folder.resolve(String.valueOf(ProcessHandle.current().pid())), new byte[0]);
      long start = System.nanoTime();
      while (Objects.requireNonNull(folder.toFile().list()).length < 2) {
        if (System.nanoTime() - start > TimeUnit.SECONDS.toNanos(60)) {
          throw new IllegalStateException("the other process has no two tasks");
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
      }
    }
    TextGenerator engine = ExecutorEngine.current().generator();
    GenerationRequest request =
        new GenerationRequest(
            new Prompt.Raw(prompt),
            Optional.empty(),
            Map.of("max_tokens", "12", "temperature", "0"),
            OverflowPolicy.ERROR);
    GenerationResult result;
    try {
      result = Batches.submit(engine::submit, ArrowUtils.rootAllocator(), request).get();
    } catch (ExecutionException failed) {
      throw (Exception) failed.getCause();
    }
    return List.of(
            new Seen(
                SparkEnv.get().executorId(),
                ProcessHandle.current().pid(),
                TaskContext.get().resources().get("gpu").get().addresses()[0],
                engine.gpuStatistics().keySet().iterator().next(),
                result.text()))
        .iterator();
  }

  private JavaSparkContext application(int executors) {
    return new JavaSparkContext(conf(executors));
  }

  private SparkConf conf(int executors) {
    String classes =
        List.of(System.getProperty("java.class.path").split(":")).stream()
            .filter(entry -> !entry.endsWith(".jar"))
            .collect(Collectors.joining(":"));
    return new SparkConf(false)
        .setMaster(url)
        .setAppName("executors: " + executors)
        .set("spark.ui.enabled", "false")
        .set("spark.driver.host", "127.0.0.1")
        .set("spark.driver.bindAddress", "127.0.0.1")
        .set("spark.executor.extraClassPath", classes)
        .set("spark.executor.memory", "512m")
        .set("spark.executor.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .set("spark.executor.cores", "2")
        .set("spark.cores.max", String.valueOf(2 * executors))
        .set("spark.executor.resource.gpu.amount", "1")
        .set("spark.task.resource.gpu.amount", "0.5")
        .set("spark.scheduler.minRegisteredResourcesRatio", "1")
        .set("spark.scheduler.maxRegisteredResourcesWaitingTime", "120s")
        .set("spark.plugins", Plugin.class.getName())
        .set(MARK, folder.resolve("broken").toString())
        .set("spark.mla.model.path", model.folder().toAbsolutePath().toUri().toString())
        .set("spark.mla.model.name", "a small model")
        .set("spark.mla.model.cacheDir", folder.resolve("models").toString())
        .set("spark.mla.backend", "cuda")
        .set("spark.mla.gpu.lockDir", folder.resolve("locks").toString())
        .set("spark.mla.kvcache.size", "16m");
  }
}
