package dev.sparkmla.sql;

import dev.sparkmla.arrow.GenerationError;

/** A row ended in error where the call says {@code on_error => 'fail'}. */
public final class GenerationFailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param error the row's
   */
  GenerationFailedException(GenerationError error) {
    super(error.code() + ": " + error.message());
  }
}
