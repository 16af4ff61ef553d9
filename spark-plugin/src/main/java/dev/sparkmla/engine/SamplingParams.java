package dev.sparkmla.engine;

import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;

/**
 * A request's generation parameters; what is empty comes from the model's generation_config.json
 * and the engine's options.
 *
 * @param maxTokens tokens to generate at most, ≥ 1
 * @param temperature ≥ 0; 0 is greedy
 * @param topK ≥ 0; 0 is unlimited
 * @param topP in (0, 1]
 * @param stop texts that end the generation when they appear; none is empty
 * @param seed the query's seed, mixed with the row's content
 */
public record SamplingParams(
    OptionalInt maxTokens,
    OptionalDouble temperature,
    OptionalInt topK,
    OptionalDouble topP,
    List<String> stop,
    long seed) {
  /** Copies the list. */
  public SamplingParams {
    stop = List.copyOf(stop);
  }
}
