package dev.sparkmla.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.codahale.metrics.Gauge;
import dev.sparkmla.arrow.ArrowMemory;
import dev.sparkmla.arrow.Batches;
import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.engine.EngineFailedException;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.ModelFolder;
import dev.sparkmla.model.GoldenCheckpoint;
import dev.sparkmla.text.Message;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EnginesTest {
  private static final GoldenCheckpoint MODEL = GoldenCheckpoint.all().get(0);
  private static final String CLUSTER = "spark://host:7077";

  @RegisterExtension static final ArrowMemory MEMORY = new ArrowMemory();

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
    int rows = RowDemand.rowsFor(256) + 2;
    try (Engines engines = Engines.open(conf("auto"), model, context, host)) {
      assertThat(host.opened()).containsExactlyInAnyOrder(FakeGpus.hopper(2), FakeGpus.hopper(0));
      List<CompletableFuture<GenerationResult>> results =
          IntStream.range(0, rows)
              .mapToObj(row -> MEMORY.submit(engines::submit, request(golden.prompt().textValue())))
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
  void rowsThatBeginAlikeGoToOneEngineUnlessItHasMoreWork() {
    List<Holding> generators = List.of(new Holding(), new Holding(), new Holding());
    Engines engines = Engines.over(List.copyOf(generators));
    int most = 13; // 12 answers of 2048 bytes with prompts of 600 or so are not 32 KiB.
    for (int row = 0; row < most; row++) {
      submit(engines, "x".repeat(600) + row);
    }
    List<Integer> sizes = generators.stream().map(g -> g.held.size()).sorted().toList();
    assertThat(sizes).containsExactly(0, 0, most);
    Holding preferred =
        generators.stream().filter(g -> !g.held.isEmpty()).findFirst().orElseThrow();
    submit(engines, "x".repeat(600)).cancel(false);
    assertThat(preferred.held).as("the busy one").hasSize(most);
    preferred.held.get(0).cancel(false);
    submit(engines, "x".repeat(600)).cancel(false);
    assertThat(preferred.held).as("after a row was cancelled").hasSize(most + 1);
  }

  @Test
  void aRowThatEndsIsNoWorkThoughItsBatchIs() {
    List<Holding> generators = List.of(new Holding(), new Holding());
    Engines engines = Engines.over(List.copyOf(generators));
    int full = 16; // rows of 2049 bytes, the last of which passes 32 KiB
    MEMORY.submit(engines::submit, Collections.nCopies(full, request("x")));
    Holding preferred = generators.get(generators.get(0).held.isEmpty() ? 1 : 0);
    submit(engines, "x").cancel(false);
    assertThat(preferred.held).as("the full one").hasSize(1);
    preferred.consumers.get(0).accept(oneResult());
    CompletableFuture<?> last = submit(engines, "x");
    assertThat(preferred.held).as("one that a row of has ended").hasSize(2);
    preferred.held.get(0).cancel(false);
    preferred.consumers.get(0).accept(oneResult()); // It was on its way.
    MEMORY.submit(engines::submit, Collections.nCopies(full - 1, request("x")));
    assertThat(preferred.held).hasSize(3);
    submit(engines, "x").cancel(false);
    assertThat(preferred.held).as("full again").hasSize(3);
    last.cancel(false);
    preferred.held.forEach(end -> end.cancel(false));
  }

  @Test
  void sharesABatchSoThatEnginesHaveAsMuchWork() {
    long seed = 20_261_127;
    Random random = new Random(seed);
    List<Echo> generators = List.of(new Echo(), new Echo(), new Echo());
    Engines engines = Engines.over(List.copyOf(generators));
    List<GenerationRequest> rows = new ArrayList<>();
    for (int row = 0; row < 200; row++) {
      int length = (int) Math.min(60_000, 8_000 * Math.exp(random.nextGaussian()));
      rows.add(request(row + "x".repeat(length)));
    }
    List<Optional<GenerationResult>> results =
        Batches.readAndClose(MEMORY.submit(engines::submit, rows).join());
    for (int row = 0; row < rows.size(); row++) {
      assertThat(new Prompt.Raw(results.get(row).orElseThrow().text()))
          .as("row " + row + ", seed " + seed)
          .isEqualTo(rows.get(row).prompt());
    }
    LongSummaryStatistics bytes =
        generators.stream().mapToLong(generator -> generator.bytes).summaryStatistics();
    assertThat(bytes.getMax() - bytes.getMin()).as("seed " + seed).isLessThan(32_768 + 62_100);
  }

  @Test
  void aBatchFailsAndIsCancelledAsAWhole() {
    List<Holding> generators = List.of(new Holding(), new Holding());
    Engines engines = Engines.over(List.copyOf(generators));
    List<GenerationRequest> rows = Collections.nCopies(100, request("x"));
    CompletableFuture<ResultBatch> failing = MEMORY.submit(engines::submit, rows);
    CompletableFuture<ResultBatch> cancelled = MEMORY.submit(engines::submit, rows);
    cancelled.cancel(false);
    assertThat(generators).allSatisfy(engine -> assertThat(engine.held.get(1)).isCancelled());
    generators.get(0).held.get(0).completeExceptionally(failure());
    assertThat(failing)
        .failsWithin(Duration.ofMinutes(1))
        .withThrowableOfType(ExecutionException.class)
        .withCauseInstanceOf(EngineFailedException.class);
    assertThat(generators.get(1).held.get(0)).isCancelled();
  }

  private static CompletableFuture<ResultBatch> submit(Engines engines, String prompt) {
    return MEMORY.submit(engines::submit, List.of(request(prompt)));
  }

  private static ResultBatch oneResult() {
    return ResultBatch.of(
        new int[] {0},
        List.of(
            List.of(
                GenerationResult.refused(
                    new GenerationError(ErrorCode.EMPTY_PROMPT, "said by the test")))),
        MEMORY.allocator());
  }

  @Test
  void spreadsBatchesThatBeginOtherwise() {
    List<Holding> generators = List.of(new Holding(), new Holding(), new Holding());
    Engines engines = Engines.over(List.copyOf(generators));
    for (int row = 0; row < 900; row++) {
      Prompt prompt =
          row % 2 == 0
              ? new Prompt.Raw("document " + row)
              : new Prompt.Chat(List.of(new Message("user", "document " + row)));
      assertThat(
              MEMORY.submit(
                  engines::submit,
                  List.of(
                      new GenerationRequest(
                          prompt, Optional.of("Answer."), Map.of(), OverflowPolicy.ERROR))))
          .isNotDone();
    }
    int least = generators.stream().mapToInt(g -> g.held.size()).min().orElseThrow();
    assertThat(generators)
        .allSatisfy(
            generator ->
                assertThat(generator.held.size())
                    .isBetween(1, Math.max(least + 1, RowDemand.rowsFor(Holding.SEQUENCES))));
  }

  @Test
  void aBatchWithoutPromptsGoesSomewhere() {
    List<Holding> generators = List.of(new Holding(), new Holding());
    Engines engines = Engines.over(List.copyOf(generators));
    engines.submit(
        Batches.ofNullable(MEMORY.allocator(), List.of(Optional.empty())), ResultBatch::close);
    assertThat(generators.get(0).held.size() + generators.get(1).held.size()).isEqualTo(1);
  }

  @Test
  void anEngineThatFailedGetsNoMoreRows() {
    List<Holding> generators = List.of(new Holding(), new Holding());
    Engines engines = Engines.over(List.copyOf(generators));
    for (int row = 0; row < 20; row++) {
      MEMORY.submit(engines::submit, List.of(request("document " + row)));
    }
    Holding failing = generators.get(0);
    int before = failing.held.size();
    assertThat(before).isPositive();
    failing.held.get(0).completeExceptionally(failure());
    for (int row = 0; row < 20; row++) {
      MEMORY.submit(engines::submit, List.of(request("document " + row)));
    }
    assertThat(failing.held).hasSize(before);
    assertThat(generators.get(1).held).hasSize(40 - before);
    generators.get(1).held.get(0).completeExceptionally(failure());
    assertThat(MEMORY.submit(engines::submit, List.of(request("last"))))
        .as("where none is left, one says why")
        .isNotNull();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void anEngineThatFailedKeepsNoGpu(boolean failsToClose) throws InterruptedException {
    FakeGpus gpus = FakeGpus.hoppers(1);
    CountDownLatch closing = new CountDownLatch(1);
    Holding engine =
        new Holding() {
          @Override
          public void close() {
            closing.countDown();
            if (failsToClose) {
              throw new IllegalStateException("lost");
            }
          }
        };
    GpuClaim claim = GpuClaim.take(folder, gpus.devices(), 1, Duration.ZERO).get(0);
    EngineSlot slot = new EngineSlot(engine, Optional.of(claim));
    slot.submit(Batches.of(MEMORY.allocator(), List.of(request("x"))), ResultBatch::close);
    assertThat(claimable(gpus)).isEmpty();
    engine.held.get(0).completeExceptionally(failure());
    closing.await();
    slot.close(); // Waits for the one that is going on.
    assertThat(claimable(gpus)).containsExactly(0);
  }

  @Test
  void givesAGpuUpThoughItsEngineFailsToClose() {
    FakeGpus gpus = FakeGpus.hoppers(1);
    GpuClaim claim = GpuClaim.take(folder, gpus.devices(), 1, Duration.ZERO).get(0);
    EngineSlot slot =
        new EngineSlot(
            new Holding() {
              @Override
              public void close() {
                throw new IllegalStateException("lost");
              }
            },
            Optional.of(claim));
    assertThatThrownBy(slot::close).hasMessage("lost");
    assertThat(claimable(gpus)).containsExactly(0);
  }

  private static EngineFailedException failure() {
    return new EngineFailedException(new IllegalStateException("the device is lost"));
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
    // What they load for may know of a failure before they have ended.
    Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("mla-load-"))
        .forEach(EnginesTest::join);
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().matches("mla-(engine|intake|cpu-.*)"))
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

  /** Keeps its batches' futures until a test completes them. */
  private static class Holding implements TextGenerator {
    static final int SEQUENCES = 64;

    final List<CompletableFuture<Void>> held = new ArrayList<>();
    final List<Consumer<ResultBatch>> consumers = new ArrayList<>();

    @Override
    public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
      requests.close();
      CompletableFuture<Void> end = new CompletableFuture<>();
      held.add(end);
      consumers.add(ended);
      return end;
    }

    @Override
    public int maxSequences() {
      return SEQUENCES;
    }

    @Override
    public EngineStatistics statistics() {
      return EngineStatistics.NONE;
    }

    @Override
    public void close() {}
  }

  /** Answers each row at once with its prompt. */
  private static final class Echo extends Holding {
    private long bytes;

    @Override
    public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
      List<List<GenerationResult>> results = new ArrayList<>();
      for (int row = 0; row < requests.rows(); row++) {
        bytes += EngineSlot.cost(requests, row);
        Prompt.Raw prompt = (Prompt.Raw) requests.request(row).orElseThrow().prompt();
        results.add(
            List.of(
                new GenerationResult(
                    prompt.text(),
                    Optional.empty(),
                    FinishReason.STOP,
                    1,
                    0,
                    1,
                    Optional.empty())));
      }
      ended.accept(ResultBatch.of(results, requests.parentAllocator()));
      requests.close();
      return CompletableFuture.completedFuture(null);
    }
  }
}
