package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.arrow.ArrowMemory;
import dev.sparkmla.arrow.Batches;
import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.OverflowPolicy;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.text.Thinking;
import dev.sparkmla.text.Tokenizer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What becomes of batches between their submission and the stepping thread. */
class IntakeTest {
  @RegisterExtension static final ArrowMemory MEMORY = new ArrowMemory();

  private final LinkedBlockingQueue<ResultBatch> delivered = new LinkedBlockingQueue<>();
  private final GenerationQueue queue = new GenerationQueue();
  private Tokenizer tokenizer;
  private Intake intake;

  @BeforeEach
  void open() {
    tokenizer = DemoText.openTokenizer();
    intake =
        new Intake(
            new PromptEncoder(tokenizer, Optional.empty(), 1000, 1000),
            tokenizer,
            Thinking.of(tokenizer, Optional.empty()),
            new Vocabulary(tokenizer, DemoText.VOCABULARY),
            GenerationDefaults.greedy(Set.of()),
            new TokenLimit.AtMost(16),
            queue);
  }

  @AfterEach
  void close() {
    tokenizer.close();
  }

  private static RequestBatch requests(String... prompts) {
    return requests(Map.of(), prompts);
  }

  private static RequestBatch requests(Map<String, String> params, String... prompts) {
    return Batches.of(
        MEMORY.allocator(),
        List.of(prompts).stream()
            .map(
                prompt ->
                    new GenerationRequest(
                        new Prompt.Raw(prompt), Optional.empty(), params, OverflowPolicy.ERROR))
            .toList());
  }

  /** Keeps results in {@link #delivered}. */
  private GenerationBatch take(RequestBatch requests) {
    GenerationBatch batch =
        new GenerationBatch(
            requests.rows(), requests.parentAllocator(), new RowCounters(), delivered::add);
    assertThat(queue.open(batch)).isTrue();
    intake.take(requests, batch);
    return batch;
  }

  /** Keeps the intake's thread, which delivers bad rows itself, until it is released. */
  private CompletableFuture<Void> hold(CountDownLatch release) throws InterruptedException {
    CountDownLatch held = new CountDownLatch(1);
    RequestBatch requests = requests("");
    GenerationBatch batch =
        new GenerationBatch(
            1,
            requests.parentAllocator(),
            new RowCounters(),
            results -> {
              held.countDown();
              await(release);
              results.close();
            });
    intake.take(requests, batch);
    held.await();
    return batch.future();
  }

  @Test
  void handsOverRowsInOrderAndFreesTheBatch() throws InterruptedException {
    GenerationBatch batch = take(requests("one", "", "two"));
    intake.close();
    GenerationQueue.Arrivals arrivals = queue.take(true).orElseThrow();
    assertThat(arrivals.rows())
        .extracting(row -> row.sequence().promptTokens())
        .containsExactly(
            tokenizer.encodePrompt("one").length, tokenizer.encodePrompt("two").length);
    assertThat(batch.isDone()).isFalse();
    assertThat(queue.unfinishedRows()).isEqualTo(2);
    assertDelivered(Map.of(1, ErrorCode.EMPTY_PROMPT));
    arrivals.rows().get(1).fail(ErrorCode.COMPUTE_ERROR, "said by the test");
    batch.deliver();
    batch.deliver();
    assertThat(batch.isDone()).isFalse();
    assertDelivered(Map.of(2, ErrorCode.COMPUTE_ERROR));
    arrivals.rows().get(0).fail(ErrorCode.NUMERICAL_ERROR, "said by the test");
    batch.deliver();
    assertThat(batch.future()).isCompleted();
    assertDelivered(Map.of(0, ErrorCode.NUMERICAL_ERROR));
  }

  /**
   * All that was delivered since the last call is one batch of these rows; nothing else is left.
   */
  private void assertDelivered(Map<Integer, ErrorCode> errors) {
    ResultBatch results = delivered.remove();
    assertThat(delivered).isEmpty();
    Map<Integer, ErrorCode> codes = new HashMap<>();
    for (int row = 0; row < results.rows(); row++) {
      codes.put(results.number(row), results.error(row).orElseThrow().code());
    }
    results.close();
    assertThat(codes).isEqualTo(errors);
    assertThat(MEMORY.allocator().getAllocatedMemory()).isZero();
  }

  /** Only messages have a template's variables; a text is told what to end with, and that helps. */
  @Test
  void aTextThatOpensThoughtsBeforeAFormatIsToldWhatToEndWith() throws InterruptedException {
    take(
        requests(
            Map.of("response_format", "regex: a+"),
            "Why? ◁think▷",
            "Why?",
            "Why? ◁think▷ So. ◁/think▷"));
    intake.close();

    assertThat(queue.take(true).orElseThrow().rows()).hasSize(2);
    try (ResultBatch refused = delivered.remove()) {
      assertThat(refused.rows()).isEqualTo(1);
      assertThat(refused.number(0)).isZero();
      assertThat(refused.error(0).orElseThrow().code()).isEqualTo(ErrorCode.INVALID_PARAMETER);
      assertThat(refused.error(0).orElseThrow().message())
          .endsWith("end the prompt without '◁think▷', or with '◁/think▷' after it.")
          .doesNotContain("chat_template_kwargs");
    }
  }

  @Test
  void nobodyWaitsForIt() throws InterruptedException {
    CountDownLatch release = new CountDownLatch(1);
    CompletableFuture<Void> holding = hold(release);
    GenerationBatch waiting = take(requests("one"));
    assertThat(waiting.isDone()).isFalse();
    assertThat(queue.take(false).orElseThrow().rows()).isEmpty();
    release.countDown();
    holding.join();
    assertThat(queue.take(true).orElseThrow().rows()).hasSize(1);
    waiting.future().cancel(true);
    intake.close();
  }

  @Test
  void batchesThatNobodyWaitsForAreFreedUnread() throws InterruptedException {
    CountDownLatch release = new CountDownLatch(1);
    CompletableFuture<Void> holding = hold(release);
    GenerationBatch cancelled = take(requests("one"));
    GenerationBatch failed = take(requests("two"));
    cancelled.future().cancel(true);
    queue.end(new EngineClosedException());
    queue.failOpen();
    release.countDown();
    intake.close();
    holding.join();
    assertThat(MEMORY.allocator().getAllocatedMemory()).isZero();
    assertThat(cancelled.future()).isCancelled();
    assertThatThrownBy(() -> failed.future().join())
        .hasCauseInstanceOf(EngineClosedException.class);
  }

  @Test
  void aBatchThatCannotBeReadIsFreedAndFails() {
    tokenizer.close();
    GenerationBatch batch = take(requests("one"));
    intake.close();
    assertThat(MEMORY.allocator().getAllocatedMemory()).isZero();
    assertThatThrownBy(() -> batch.future().join())
        .hasCauseInstanceOf(IllegalStateException.class)
        .hasMessageContaining("the tokenizer is closed");
  }

  @Test
  void onceClosedItTakesNothing() {
    intake.close();
    try (RequestBatch requests = requests("one")) {
      GenerationBatch batch =
          new GenerationBatch(1, requests.parentAllocator(), new RowCounters(), ResultBatch::close);
      assertThatThrownBy(() -> intake.take(requests, batch))
          .isInstanceOf(RejectedExecutionException.class);
    }
  }

  @Test
  void anEndedQueueFailsEveryBatch() {
    queue.end(new EngineClosedException());
    queue.end(new EngineFailedException(new IllegalStateException("later")));
    GenerationBatch batch =
        new GenerationBatch(1, MEMORY.allocator(), new RowCounters(), ResultBatch::close);
    assertThat(queue.open(batch)).isFalse();
    assertThatThrownBy(() -> batch.future().join())
        .as("the first reason stays")
        .hasCauseInstanceOf(EngineClosedException.class);
    intake.close();
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }
}
