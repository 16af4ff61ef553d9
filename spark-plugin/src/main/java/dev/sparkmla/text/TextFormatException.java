package dev.sparkmla.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;

/**
 * A tokenizer or chat template file cannot be used. The message names the file, what was found in
 * it and what was expected.
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

  /** Names a field, its value (shortened) and what was expected. */
  static TextFormatException ofField(Path file, String field, JsonNode value, String expected) {
    String found = value.isMissingNode() ? "missing" : value.toString();
    String shown = found.length() > 100 ? found.substring(0, 100) + "..." : found;
    return new TextFormatException(file, field + " is " + shown + "; expected " + expected);
  }
}
