package dev.sparkmla.text;

import java.nio.file.Path;

/**
 * A tokenizer or chat template file that cannot be used: the message names the file, what was found
 * and what was expected.
 */
public final class TextFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Names the file in front of {@code problem}. */
  public TextFormatException(Path file, String problem) {
    super(file + ": " + problem);
  }

  /** Names the file in front of {@code problem}. */
  public TextFormatException(Path file, String problem, Throwable cause) {
    super(file + ": " + problem, cause);
  }
}
