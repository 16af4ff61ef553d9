package dev.sparkmla.engine;

import static dev.sparkmla.engine.GenerationParameters.CHAT_TEMPLATE_KWARGS;
import static dev.sparkmla.engine.GenerationParameters.CONTINUE_FINAL_MESSAGE;
import static dev.sparkmla.engine.GenerationParameters.INCLUDE_STOP;
import static dev.sparkmla.engine.GenerationParameters.LOGPROBS;
import static dev.sparkmla.engine.GenerationParameters.MAX_TOKENS;
import static dev.sparkmla.engine.GenerationParameters.N;
import static dev.sparkmla.engine.GenerationParameters.SEED;
import static dev.sparkmla.engine.GenerationParameters.SKIP_SPECIAL_TOKENS;
import static dev.sparkmla.engine.GenerationParameters.STOP;
import static dev.sparkmla.engine.GenerationParameters.TOOLS;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.text.TemplateOptions;
import dev.sparkmla.text.Thinking;
import dev.sparkmla.text.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Makes generations of the rows of submitted batches, on a thread of its own, so that neither tasks
 * nor steps wait for it: reads them, checks their parameters, and encodes the prompts of a batch in
 * one call of the tokenizer, which uses all processors. Batches are taken in the order they come.
 * What is wrong with a row ends here, as the row's result.
 *
 * <p><b>Ownership.</b> It owns the request batches that it was given until it has read them, and
 * closes them whatever happens. It uses the tokenizer and does not close it.
 */
final class Intake implements AutoCloseable {
  private final PromptEncoder encoder;
  private final Tokenizer tokenizer;
  private final Thinking thinking;
  private final RowSampling sampling;
  private final TokenLimit defaultLimit;
  private final Vocabulary vocabulary;

  /** Used by the intake's own thread. */
  private final Constraints constraints;

  private final GenerationQueue queue;
  private final ExecutorService executor = Executors.newSingleThreadExecutor(this::newThread);
  private volatile Thread worker;

  /**
   * @param thinking how the model marks its thoughts
   * @param vocabulary the model's tokens
   * @param defaults hold where a request says nothing
   * @param defaultLimit likewise
   * @param queue gets the rows that are to be generated
   */
  Intake(
      PromptEncoder encoder,
      Tokenizer tokenizer,
      Thinking thinking,
      Vocabulary vocabulary,
      GenerationDefaults defaults,
      TokenLimit defaultLimit,
      GenerationQueue queue) {
    this.encoder = encoder;
    this.tokenizer = tokenizer;
    this.thinking = thinking;
    this.vocabulary = vocabulary;
    this.constraints = new Constraints(vocabulary, thinking);
    this.sampling = new RowSampling(tokenizer, defaults);
    this.defaultLimit = defaultLimit;
    this.queue = queue;
  }

  private Thread newThread(Runnable task) {
    worker = new Thread(task, "mla-intake");
    worker.setDaemon(true);
    return worker;
  }

  /** A row whose parameters are read and whose prompt is laid out. */
  private record Row(int number, GenerationParameters parameters, PromptLayout prompt) {}

  /**
   * Takes a batch and returns at once.
   *
   * @param batch gets the results of rows in error, and fails where this does
   * @throws java.util.concurrent.RejectedExecutionException when this is closed; the caller still
   *     owns {@code requests} then
   */
  void take(RequestBatch requests, GenerationBatch batch) {
    executor.execute(
        () -> {
          try {
            encode(read(requests, batch), batch);
          } catch (Throwable problem) { // Also errors: nobody may wait for ever.
            batch.fail(problem);
          }
        });
  }

  /** Reads the rows of a batch that somebody still waits for, and frees the batch. */
  private List<Row> read(RequestBatch requests, GenerationBatch batch) {
    try (requests) {
      List<Row> rows = new ArrayList<>(requests.rows());
      for (int number = 0; number < requests.rows() && !batch.isDone(); number++) {
        Optional<GenerationRequest> request = requests.request(number);
        if (request.isEmpty()) {
          batch.setNull(number);
          continue;
        }
        try {
          GenerationParameters parameters = parameters(request.get());
          PromptLayout prompt = encoder.layOut(request.get(), templateOptions(parameters));
          rows.add(new Row(number, parameters, prompt));
        } catch (RowErrorException refused) {
          refuse(batch, number, refused);
        }
      }
      return rows;
    }
  }

  /** Encodes rows and hands those that can be generated to the stepping thread. */
  private void encode(List<Row> rows, GenerationBatch batch) {
    if (batch.isDone()) {
      return; // Nobody waits, but others behind it do.
    }
    List<Optional<int[]>> ids = encoder.encodeAll(rows.stream().map(Row::prompt).toList());
    List<Generation> generations = new ArrayList<>(rows.size());
    for (int i = 0; i < rows.size() && !batch.isDone(); i++) {
      try {
        generations.addAll(variants(batch, rows.get(i), ids.get(i)));
      } catch (RowErrorException refused) {
        refuse(batch, rows.get(i).number(), refused);
      }
    }
    batch.deliver(); // Before the others are handed over, for the batch is the other thread's then.
    queue.add(generations);
  }

  private static GenerationParameters parameters(GenerationRequest request) {
    try {
      return GenerationParameters.parse(request.params());
    } catch (InvalidParameterException invalid) {
      throw new RowErrorException(ErrorCode.INVALID_PARAMETER, invalid.getMessage());
    }
  }

  private static TemplateOptions templateOptions(GenerationParameters parameters) {
    return new TemplateOptions(
        parameters.get(TOOLS),
        parameters.get(CHAT_TEMPLATE_KWARGS),
        parameters.get(CONTINUE_FINAL_MESSAGE).orElse(false));
  }

  /**
   * The variants of a row one after the other, so that all but the first find its prompt cached.
   */
  private List<Generation> variants(GenerationBatch batch, Row row, Optional<int[]> ids) {
    GenerationParameters parameters = row.parameters();
    FittedPrompt prompt =
        encoder.fit(row.prompt(), ids, parameters.get(MAX_TOKENS).orElse(defaultLimit));
    int count = parameters.get(N).orElse(1);
    long seed = parameters.get(SEED).orElse(0L);
    boolean thinks = thinksAfter(row.prompt(), prompt.ids());
    Optional<Constraint> constraint =
        constraints.of(parameters, thinks ? Optional.of(row.prompt().kind()) : Optional.empty());
    if (parameters.get(LOGPROBS).isPresent()) {
      vocabulary.bytes(); // so that a row is refused here, not when it has ended
    }
    Set<Integer> endTokens = sampling.endTokens(parameters);
    List<Generation> variants = new ArrayList<>(count);
    for (int variant = 0; variant < count; variant++) {
      variants.add(
          new Generation(
              batch,
              row.number(),
              variant,
              new Sequence(
                  prompt.ids(),
                  prompt.maxTokens(),
                  sampling.sampling(parameters, RowSeed.of(prompt.ids(), seed, variant)),
                  constraint),
              output(parameters, thinks),
              endTokens,
              vocabulary));
    }
    // Last, for a row that is refused above has one result.
    batch.expectVariants(row.number(), count);
    return variants;
  }

  private boolean thinksAfter(PromptLayout prompt, int[] ids) {
    return switch (prompt.kind()) {
      case TEXT, CONVERSATION -> thinking.isOpenAfter(ids);
      case CONTINUED_MESSAGE -> thinking.isOpenWithin(ids);
    };
  }

  private OutputText output(GenerationParameters parameters, boolean thinks) {
    boolean spellsSpecialTokens = !parameters.get(SKIP_SPECIAL_TOKENS).orElse(true);
    return new OutputText(
        () -> tokenizer.newDecoder(spellsSpecialTokens),
        thinking,
        thinks,
        new StoppedText(
            parameters.get(STOP).orElse(List.of()), parameters.get(INCLUDE_STOP).orElse(false)));
  }

  private void refuse(GenerationBatch batch, int row, RowErrorException refused) {
    batch.set(row, 0, refused.result());
  }

  /** Whether the caller runs on the intake's thread, which cannot wait for itself. */
  boolean isCurrentThread() {
    return Thread.currentThread() == worker;
  }

  /** Waits for the batches that were taken before, and until the thread has ended. */
  @Override
  public void close() {
    CompletableFuture.runAsync(() -> {}, executor).join();
    executor.shutdown();
    joinUninterruptibly(worker);
  }

  /** Waits until a thread has ended; an interruption meanwhile is kept for the caller. */
  static void joinUninterruptibly(Thread thread) {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
