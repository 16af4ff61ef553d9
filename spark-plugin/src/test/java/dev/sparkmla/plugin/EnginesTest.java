package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.codahale.metrics.Gauge;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.GenerationResult;
import dev.sparkmla.engine.ModelFolder;
import dev.sparkmla.engine.OverflowPolicy;
import dev.sparkmla.engine.Prompt;
import dev.sparkmla.model.GoldenCheckpoint;
import dev.sparkmla.text.Message;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EnginesTest {
  private static final GoldenCheckpoint MODEL = GoldenCheckpoint.all().get(0);
  private static final String CLUSTER = "spark://host:7077";

  @TempDir Path folder;

  private final ModelFolder model = new ModelFolder(MODEL.folder());

  @AfterEach
  void closeModel() {
    model.close();
  }

  @Test
  void opensAnEngineOnEachGpuGiven() {
    FakeGpus host = FakeGpus.hoppers(3);
    String first = FakeGpus.hopper(2).uuidText();
    String second = FakeGpus.hopper(0).uuidText();
    FakePluginContext context = new FakePluginContext(CLUSTER, first, second);
    GoldenCheckpoint.TextCase golden = MODEL.prompts().get(0);
    int rows = 2 * Engines.SLACK + 2;
    try (Engines engines = Engines.open(conf("auto"), model, context, host)) {
      assertThat(host.opened()).containsExactlyInAnyOrder(FakeGpus.hopper(2), FakeGpus.hopper(0));
      List<CompletableFuture<GenerationResult>> results =
          IntStream.range(0, rows)
              .mapToObj(row -> engines.submit(request(golden.prompt().textValue())))
              .toList();
      assertThat(results).allSatisfy(r -> assertThat(r.join().text()).isEqualTo(golden.text()));

      EngineMetrics.register(context.registry, engines);
      assertThat(gauge(context, "finished")).isEqualTo((long) rows);
      assertThat(engines.gpuStatistics().keySet()).containsExactly(first, second);
      assertThat(
              (long) gauge(context, first + ".finished")
                  + (long) gauge(context, second + ".finished"))
          .isEqualTo(rows);
      assertThat((int) gauge(context, "cacheBlocks"))
          .isEqualTo(2 * (int) gauge(context, first + ".cacheBlocks"));

      assertThatThrownBy(() -> Engines.open(conf("auto"), model, context, host))
          .isInstanceOf(GpuRefusedException.class)
          .hasMessageContainingAll(first, "device 2", "is claimed by this process");
      assertThat(claimable(host)).containsExactly(1);
    }
    assertThat(claimable(host)).containsExactly(0, 1, 2);
  }

  @Test
  void takesTheFirstFreeGpuInLocalMode() {
    FakeGpus host = FakeGpus.hoppers(2);
    FakePluginContext context = new FakePluginContext("local[2]");
    try (Engines first = Engines.open(conf("auto"), model, context, host);
        Engines second = Engines.open(conf("auto"), model, context, host)) {
      assertThat(first.gpuStatistics()).containsOnlyKeys(FakeGpus.hopper(0).uuidText());
      assertThat(second.gpuStatistics()).containsOnlyKeys(FakeGpus.hopper(1).uuidText());
    }
  }

  @Test
  void claimsNothingOnTheProcessor() {
    FakeGpus host = FakeGpus.hoppers(1);
    try (Engines engines =
        Engines.open(conf("cpu"), model, new FakePluginContext(CLUSTER, "0"), host)) {
      assertThat(engines.gpuStatistics()).isEmpty();
      assertThat(claimable(host)).containsExactly(0);
    }
    assertThat(host.opened()).isEmpty();
  }

  @Test
  void loadsOnAllGpusAtOnce() {
    CountDownLatch loading = new CountDownLatch(3);
    FakeGpus gpus = FakeGpus.hoppers(3);
    GpuHost host =
        opening(
            gpus,
            device -> {
              loading.countDown();
              assertThat(await(loading)).as("the others load beside " + device).isTrue();
              return gpus.open(device);
            });
    FakePluginContext context = new FakePluginContext(CLUSTER, "0", "1", "2");
    try (Engines engines = Engines.open(conf("auto"), model, context, host)) {
      assertThat(engines.gpuStatistics()).hasSize(3);
    }
    assertThat(claimable(gpus)).containsExactly(0, 1, 2);
  }

  @Test
  void givesUpAllWhenOneGpuFails() {
    FakeGpus gpus = FakeGpus.hoppers(4);
    CompletableFuture<Thread> firstToFail = new CompletableFuture<>();
    GpuHost host =
        opening(
            gpus,
            device -> {
              if (device.ordinal() == 2) {
                firstToFail.complete(Thread.currentThread());
                throw new IllegalStateException("out of order", new IOException("a cable"));
              }
              if (device.ordinal() == 0) {
                join(firstToFail.join());
                throw new StackOverflowError("later");
              }
              return ComputeBackends.cpu(2);
            });
    List<Thread> before = computing();
    assertThatThrownBy(
            () ->
                Engines.open(
                    conf("cuda"), model, new FakePluginContext(CLUSTER, "0", "1", "2", "3"), host))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("out of order")
        .hasRootCauseMessage("a cable")
        .satisfies(
            first ->
                assertThat(first.getSuppressed())
                    .singleElement()
                    .isInstanceOf(StackOverflowError.class));
    assertThat(computing()).as("threads of engines and backends").isEqualTo(before);
    assertThat(claimable(gpus)).containsExactly(0, 1, 2, 3);
  }

  @Test
  void namesAGpuThatIsTooSmall() {
    FakeGpus gpus = FakeGpus.hoppers(1);
    GpuHost host =
        opening(
            gpus,
            device -> {
              throw new ComputeException("the weights take 2 bytes, and 1 is free");
            });
    assertThatThrownBy(
            () -> Engines.open(conf("cuda"), model, new FakePluginContext(CLUSTER, "0"), host))
        .isInstanceOf(GpuRefusedException.class)
        .hasMessage(
            "GPU-face0000-0000-0000-0000-000000000000 (device 0, NVIDIA H200): the weights take 2"
                + " bytes, and 1 is free");
    assertThat(claimable(gpus)).containsExactly(0);
  }

  @Test
  void requestsThatBeginAlikeGoToOneEngineUnlessItIsBusier() {
    List<Holding> generators = List.of(new Holding(), new Holding(), new Holding());
    Engines engines = Engines.over(List.copyOf(generators));
    String beginning = "x".repeat(600);
    for (int i = 0; i < Engines.SLACK; i++) {
      CompletableFuture<GenerationResult> result = engines.submit(request(beginning + i));
      assertThat(result).isNotDone();
    }
    List<Integer> sizes = generators.stream().map(g -> g.held.size()).sorted().toList();
    assertThat(sizes).containsExactly(0, 0, Engines.SLACK);
    Holding preferred =
        generators.stream().filter(g -> !g.held.isEmpty()).findFirst().orElseThrow();
    engines.submit(request(beginning)).cancel(false);
    assertThat(preferred.held).as("the busy one").hasSize(Engines.SLACK);
    preferred.held.get(0).complete(null);
    engines.submit(request(beginning)).cancel(false);
    assertThat(preferred.held).as("after one is done").hasSize(Engines.SLACK + 1);
  }

  @Test
  void spreadsRequestsThatBeginOtherwise() {
    List<Holding> generators = List.of(new Holding(), new Holding(), new Holding());
    Engines engines = Engines.over(List.copyOf(generators));
    for (int row = 0; row < 300; row++) {
      Prompt prompt =
          row % 2 == 0
              ? new Prompt.Raw("document " + row)
              : new Prompt.Chat(List.of(new Message("user", "document " + row)));
      assertThat(
              engines.submit(
                  new GenerationRequest(
                      prompt, Optional.of("Answer."), Map.of(), OverflowPolicy.ERROR)))
          .isNotDone();
    }
    int least = generators.stream().mapToInt(g -> g.held.size()).min().orElseThrow();
    assertThat(generators)
        .allSatisfy(
            generator -> assertThat(generator.held.size()).isBetween(1, least + Engines.SLACK));
  }

  @Test
  void closesEveryEngineThoughOneFails() {
    List<String> events = new ArrayList<>();
    Engines engines =
        Engines.over(
            List.of(
                new Holding() {
                  @Override
                  public void close() {
                    throw new IllegalStateException("lost");
                  }
                },
                new Holding() {
                  @Override
                  public void close() {
                    events.add("closed");
                  }
                }));
    assertThatThrownBy(engines::close).hasMessage("lost");
    assertThat(events).containsExactly("closed");
  }

  /** The same GPUs, with backends of its own. */
  private static GpuHost opening(FakeGpus gpus, Function<GpuDevice, ComputeBackend> opener) {
    return new GpuHost() {
      @Override
      public List<GpuDevice> devices() {
        return gpus.devices();
      }

      @Override
      public ComputeBackend open(GpuDevice device) {
        return opener.apply(device);
      }
    };
  }

  private static boolean await(CountDownLatch latch) {
    try {
      return latch.await(1, TimeUnit.MINUTES);
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }

  /** Threads of engines and of their backends. */
  private static List<Thread> computing() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().matches("mla-(engine|cpu-.*|load-.*)"))
        .sorted(Comparator.comparingLong(Thread::getId))
        .toList();
  }

  private MlaConf conf(String backend) {
    return MlaConf.of(
        Map.of(
            "spark.mla.backend",
            backend,
            "spark.mla.model.path",
            MODEL.folder().toString(),
            "spark.mla.gpu.lockDir",
            folder.toString(),
            "spark.mla.kvcache.size",
            "16m",
            "spark.mla.cpu.threads",
            "1"));
  }

  private List<Integer> claimable(FakeGpus host) {
    List<Integer> free = new ArrayList<>();
    for (GpuDevice device : host.devices()) {
      try {
        GpuClaim.take(folder, List.of(device), 1, Duration.ZERO).forEach(GpuClaim::close);
        free.add(device.ordinal());
      } catch (GpuRefusedException claimed) {
        assertThat(claimed).hasMessageContaining("is claimed by");
      }
    }
    return free;
  }

  private static Object gauge(FakePluginContext context, String name) {
    return ((Gauge<?>) context.registry.getMetrics().get(name)).getValue();
  }

  private static GenerationRequest request(String prompt) {
    return new GenerationRequest(
        new Prompt.Raw(prompt),
        Optional.empty(),
        Map.of("max_tokens", "12", "temperature", "0"),
        OverflowPolicy.ERROR);
  }

  /** Keeps its requests until a test completes them. */
  private static class Holding implements TextGenerator {
    final List<CompletableFuture<GenerationResult>> held = new ArrayList<>();

    @Override
    public CompletableFuture<GenerationResult> submit(GenerationRequest request) {
      CompletableFuture<GenerationResult> result = new CompletableFuture<>();
      held.add(result);
      return result;
    }

    @Override
    public EngineStatistics statistics() {
      return new EngineStatistics(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    }

    @Override
    public void close() {}
  }
}
