package dev.sparkmla.model;

import java.nio.file.Path;

/**
 * A model folder that cannot be read: the message names the file, the tensor or key, what was found
 * and what was expected.
 */
public final class ModelFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Names the file in front of {@code problem}. */
  public ModelFormatException(Path file, String problem) {
    super(file + ": " + problem);
  }

  /** Names the file in front of {@code problem}. */
  public ModelFormatException(Path file, String problem, Throwable cause) {
    super(file + ": " + problem, cause);
  }
}
