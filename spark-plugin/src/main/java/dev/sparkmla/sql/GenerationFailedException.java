package dev.sparkmla.sql;

import dev.sparkmla.arrow.GenerationError;

/** A row ended in error, and its call says {@code on_error => 'fail'}. */
public final class GenerationFailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param error the row's error
   */
  GenerationFailedException(GenerationError error) {
    super(error.code() + ": " + error.message());
  }
}
