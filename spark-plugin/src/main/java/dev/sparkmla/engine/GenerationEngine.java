package dev.sparkmla.engine;

import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.model.LanguageModel;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.model.Weights;
import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.Thinking;
import dev.sparkmla.text.Tokenizer;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * A model that answers batches of requests from any thread, and computes their rows together,
 * continuously, over one paged cache.
 *
 * <p>A batch goes through the {@link Intake}, which tokenizes it on a thread of its own, and the
 * {@link GenerationQueue} to the {@link GenerationLoop}, whose thread steps the model. The consumer
 * of a batch's results, and what depends on its future without an executor of its own, run on one
 * of these threads, and should be short. Rows that wait are not bounded here: whoever submits them
 * does that.
 *
 * <p>On machines of one kind the same prompt with the same parameters and seed gets the same
 * tokens, because its logits are the same, bit for bit: whatever it is batched with, wherever its
 * prompt is cut into chunks, whatever part of it the cache has already, and also when it is
 * computed anew after another sequence took its blocks. It is generated as often as it is
 * submitted.
 *
 * <p>Thread-safe. It owns its model; the tokenizer is the model folder's.
 */
public final class GenerationEngine implements AutoCloseable {
  private final LanguageModel model;
  private final GenerationQueue queue = new GenerationQueue();
  private final EngineCounters counters;
  private final Intake intake;
  private final CompletableFuture<Void> loopEnd;
  private final AtomicBoolean closed = new AtomicBoolean();
  private volatile Thread stepping;

  /**
   * Starts an engine that owns {@code model} from here on.
   *
   * @param tokenizer stays the caller's, and must outlive the engine
   * @param options its size of the cache does not matter: the model has its cache
   */
  GenerationEngine(
      LanguageModel model,
      Tokenizer tokenizer,
      Optional<ChatTemplate> template,
      GenerationDefaults defaults,
      EngineOptions options) {
    this.model = model;
    int page = model.config().cacheShape().page();
    Scheduler scheduler =
        new Scheduler(
            options.maxBatchedTokens(),
            options.maxSequences(),
            model.cacheBlocks(),
            page,
            model::constrain);
    this.counters = new EngineCounters(scheduler);
    PromptEncoder encoder =
        new PromptEncoder(
            tokenizer, template, model.config().contextWindow(), (long) model.cacheBlocks() * page);
    this.intake =
        new Intake(
            encoder,
            tokenizer,
            Thinking.of(tokenizer, template),
            new Vocabulary(tokenizer, model.config().vocabularySize()),
            defaults,
            new TokenLimit.AtMost(options.defaultMaxTokens()),
            queue);
    this.loopEnd =
        CompletableFuture.runAsync(
            new GenerationLoop(model, scheduler, queue, counters), this::startStepping);
  }

  /**
   * Loads a model folder and starts an engine over it. If loading fails, everything loaded so far
   * is freed.
   *
   * @param folder stays the caller's, and must outlive the engine
   * @param backend computes; it stays the caller's, and must outlive the engine
   * @throws dev.sparkmla.model.ModelFormatException if the model cannot be read, or its tokenizer
   *     has ids beyond the vocabulary
   * @throws dev.sparkmla.text.TextFormatException if the tokenizer or its template cannot be read
   */
  public static GenerationEngine open(
      ModelFolder folder, ComputeBackend backend, EngineOptions options) {
    folder.requireTokenizerOfModel();
    Resources loaded = new Resources();
    try (Weights weights = folder.openWeights()) {
      MlaTransformer model =
          loaded.own(MlaTransformer.load(folder.config(), weights, backend, options.cacheSize()));
      return new GenerationEngine(
          model,
          folder.text().tokenizer(),
          folder.text().template(),
          folder.config().generation(),
          options);
    } catch (RuntimeException | Error e) {
      loaded.closeAfter(e);
      throw e;
    }
  }

  private void startStepping(Runnable loop) {
    stepping = new Thread(loop, "mla-engine");
    stepping.setDaemon(true);
    stepping.start();
  }

  /**
   * Takes a batch and returns at once. It never throws for what a row holds: a bad row's result
   * says what is wrong, and the model never sees it.
   *
   * <p><b>Ownership.</b> From this call on the request batch is the engine's, which closes it
   * whatever happens. A result batch is the consumer's, which must close it. Each batch has an
   * allocator of its own, so that neither side waits for the other.
   *
   * <p><b>Cancelling</b> the future frees what the rows hold before the next step. Results that are
   * being delivered meanwhile still reach the consumer.
   *
   * @param ended gets the results of rows as they end, those of one step together, each row once
   * @return completed when all rows have ended and the consumer has their results; exceptionally
   *     with {@link EngineFailedException} when the engine has failed for good, before or after
   *     this call; with {@link EngineClosedException} when it was closed; and with what else kept
   *     the batch from being read or its results from being written or consumed, such as a lack of
   *     memory, which other batches do not notice
   */
  public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
    GenerationBatch batch =
        new GenerationBatch(requests.rows(), requests.parentAllocator(), counters.rows(), ended);
    if (!queue.open(batch)) {
      requests.close();
      return batch.future();
    }
    try {
      intake.take(requests, batch);
    } catch (RejectedExecutionException closing) {
      // The queue ended meanwhile, and the batch was failed with the reason.
      requests.close();
    }
    return batch.future();
  }

  /** What the engine has done and is doing. */
  public EngineStatistics statistics() {
    return counters.read(queue.unfinishedRows());
  }

  /**
   * Ends the engine: waits for the steps in flight, fails what is unfinished with {@link
   * EngineClosedException}, and closes the model.
   *
   * @throws IllegalStateException if it was called before, or is called on one of the engine's own
   *     threads
   */
  @Override
  public void close() {
    if (Thread.currentThread() == stepping || intake.isCurrentThread()) {
      throw new IllegalStateException("The engine's own thread cannot wait for itself to end.");
    }
    if (!closed.compareAndSet(false, true)) {
      throw new IllegalStateException("The engine is closed already.");
    }
    queue.end(new EngineClosedException());
    try (model;
        intake) {
      loopEnd.join();
      if (stepping != null) {
        Intake.joinUninterruptibly(stepping);
      }
    }
  }
}
