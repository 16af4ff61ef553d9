package dev.sparkmla.jobs;

import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.ErrorCode;
import dev.sparkmla.engine.FinishReason;
import dev.sparkmla.engine.GenerationError;
import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.GenerationResult;
import dev.sparkmla.engine.Prompt;
import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
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
    public CompletableFuture<GenerationResult> submit(GenerationRequest request) {
      String text = text(request);
      return CompletableFuture.completedFuture(
          text.isEmpty()
              ? error(ErrorCode.EMPTY_PROMPT)
              : text.length() > LONGEST
                  ? error(ErrorCode.PROMPT_TOO_LONG)
                  : new GenerationResult(
                      "<" + text + ">", FinishReason.STOP, text.length(), 1, 2, Optional.empty()));
    }

    private static GenerationResult error(ErrorCode code) {
      return new GenerationResult(
          "",
          FinishReason.ERROR,
          0,
          0,
          0,
          Optional.of(new GenerationError(code, "said by the echo")));
    }

    private static String text(GenerationRequest request) {
      String system = request.system().map(text -> "system:" + text + "|").orElse("");
      return system
          + (request.prompt() instanceof Prompt.Raw raw
              ? raw.text()
              : ((Prompt.Chat) request.prompt())
                  .messages().stream()
                      .map(message -> message.role() + ":" + message.content())
                      .collect(Collectors.joining("|")));
    }

    @Override
    public EngineStatistics statistics() {
      return new EngineStatistics(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1);
    }

    @Override
    public void close() {}
  }
}
