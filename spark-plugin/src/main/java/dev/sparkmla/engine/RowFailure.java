package dev.sparkmla.engine;

import dev.sparkmla.arrow.ErrorCode;
import java.io.Serializable;

/**
 * A row that ended in error, as an example of others.
 *
 * @param message what was wrong; the beginning of it, where it is long
 */
public record RowFailure(ErrorCode code, String message) implements Serializable {
  private static final int LONGEST = 300;

  static RowFailure of(ErrorCode code, String message) {
    return new RowFailure(
        code, message.length() <= LONGEST ? message : message.substring(0, LONGEST) + "...");
  }
}
