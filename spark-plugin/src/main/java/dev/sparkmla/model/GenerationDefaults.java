package dev.sparkmla.model;

import java.util.Set;

/**
 * What generation_config.json (and, where it is silent, config.json) says about generating.
 *
 * @param endTokens ids that end a generation; they are not part of the text
 * @param temperature 0 when the model's owner asks for greedy decoding or says nothing
 * @param topK 0 when not limited
 * @param topP 1 when not limited
 */
public record GenerationDefaults(Set<Integer> endTokens, float temperature, int topK, float topP) {
  /** Copies the set. */
  public GenerationDefaults {
    endTokens = Set.copyOf(endTokens);
  }
}
