package dev.sparkmla.arrow;

import java.util.Map;
import java.util.Optional;

/**
 * One row's request.
 *
 * @param prompt what to continue
 * @param system the system message; with a raw prompt it makes a conversation of the two, before a
 *     conversation that has none of its own it goes first
 * @param params generation parameters by name, as they were given
 * @param overflow what to do with a prompt that is too long
 */
public record GenerationRequest(
    Prompt prompt, Optional<String> system, Map<String, String> params, OverflowPolicy overflow) {
  /** Copies the map. */
  public GenerationRequest {
    params = Map.copyOf(params);
  }
}
