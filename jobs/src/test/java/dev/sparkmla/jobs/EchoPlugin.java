package dev.sparkmla.jobs;

import dev.sparkmla.arrow.ErrorCode;
import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationError;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.Prompt;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.api.plugin.PluginContext;

/**
 * The plugin over a generator without a model: it answers a prompt p with {@code <p>}, counts a
 * token a character, finds one of them cached, and says that it generated two. An empty prompt, and
 * one of more than {@link #LONGEST} characters, end in the errors that the engine gives them.
 */
public final class EchoPlugin extends MlaPlugin {
  static final int LONGEST = 100;

  @Override
  protected TextGenerator open(MlaConf conf, PluginContext context) {
    return new Echo();
  }

  private static final class Echo implements TextGenerator {
    @Override
    public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
      try (requests) {
        ended.accept(
            ResultBatch.of(
                IntStream.range(0, requests.rows())
                    .mapToObj(row -> requests.request(row).map(Echo::variants).orElse(List.of()))
                    .toList(),
                requests.parentAllocator()));
        return CompletableFuture.completedFuture(null);
      }
    }

    @Override
    public int maxSequences() {
      return 256;
    }

    private static List<GenerationResult> variants(GenerationRequest request) {
      return Collections.nCopies(
          Integer.parseInt(request.params().getOrDefault("n", "1")), answer(request));
    }

    private static GenerationResult answer(GenerationRequest request) {
      String text = text(request);
      if (text.isEmpty()) {
        return error(ErrorCode.EMPTY_PROMPT, 0);
      }
      return text.length() > LONGEST
          ? error(ErrorCode.PROMPT_TOO_LONG, text.length())
          : new GenerationResult(
              "<" + text + ">",
              Optional.empty(),
              FinishReason.STOP,
              text.length(),
              1,
              2,
              Optional.empty());
    }

    private static GenerationResult error(ErrorCode code, int promptTokens) {
      return GenerationResult.refused(new GenerationError(code, "said by the echo"), promptTokens);
    }

    private static String text(GenerationRequest request) {
      String system = request.system().map(text -> "system:" + text + "|").orElse("");
      String seed = request.params().containsKey("seed") ? request.params().get("seed") + "|" : "";
      return system
          + seed
          + (request.prompt() instanceof Prompt.Raw raw
              ? raw.text()
              : ((Prompt.Chat) request.prompt())
                  .messages().stream()
                      .map(
                          message ->
                              message.role()
                                  + ":"
                                  + message.content()
                                  + message.fields().orElse(""))
                      .collect(Collectors.joining("|")));
    }

    @Override
    public EngineStatistics statistics() {
      return EngineStatistics.NONE;
    }

    @Override
    public void close() {}
  }
}
