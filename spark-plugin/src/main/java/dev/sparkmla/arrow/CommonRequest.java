package dev.sparkmla.arrow;

import java.util.Map;
import java.util.Optional;

/**
 * What the requests of all rows of a batch have in common. Immutable.
 *
 * @param params generation parameters by name, which hold before a row's own
 * @param system the system message of rows that have none of their own
 * @param overflow what to do with a prompt that is too long
 */
public record CommonRequest(
    Map<String, String> params, Optional<String> system, OverflowPolicy overflow) {
  /** Copies the map. */
  public CommonRequest {
    params = Map.copyOf(params);
  }

  /** Of rows that have only their policy in common. */
  public CommonRequest(OverflowPolicy overflow) {
    this(Map.of(), Optional.empty(), overflow);
  }
}
