package dev.sparkmla.grammar;

import java.util.Objects;

/**
 * What an answer must look like. Formats of equal text and white space are equal. Immutable and
 * thread-safe.
 */
public final class ResponseFormat {
  private final String text;
  private final WhiteSpace whiteSpace;

  private ResponseFormat(String text, WhiteSpace whiteSpace) {
    this.text = text;
    this.whiteSpace = whiteSpace;
  }

  /**
   * Reads a format.
   *
   * @param text {@code regex: PATTERN}, {@code choice: ["a", "b"]}, {@code json}, or a JSON schema
   * @throws InvalidResponseFormatException naming the part that is wrong or not supported
   */
  public static ResponseFormat parse(String text, WhiteSpace whiteSpace) {
    return new ResponseFormat(text, whiteSpace);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ResponseFormat format
        && text.equals(format.text)
        && whiteSpace == format.whiteSpace;
  }

  @Override
  public int hashCode() {
    return Objects.hash(text, whiteSpace);
  }

  @Override
  public String toString() {
    return text;
  }
}
