package dev.sparkmla.grammar;

import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.TokenBytes;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import org.apache.lucene.util.automaton.Automaton;

/**
 * What an answer must look like. Formats of equal text and white space are equal. Immutable and
 * thread-safe.
 */
public final class ResponseFormat {
  private static final int MOST_LENGTH = 1 << 20;

  private final String text;
  private final WhiteSpace whiteSpace;
  private final ByteAutomaton answers;

  private ResponseFormat(String text, WhiteSpace whiteSpace, ByteAutomaton answers) {
    this.text = text;
    this.whiteSpace = whiteSpace;
    this.answers = answers;
  }

  /**
   * Reads a format.
   *
   * @param text {@code regex: PATTERN} or {@code choice: ["a", "b"]}, where blanks after the colon
   *     do not count; {@code json} for any JSON value; or a JSON schema
   * @throws InvalidResponseFormatException naming the part that is wrong or not supported, or when
   *     the format takes too much work: within 2 s also for a hostile one
   */
  public static ResponseFormat parse(String text, WhiteSpace whiteSpace) {
    if (text.length() > MOST_LENGTH) {
      throw new InvalidResponseFormatException(
          "the response format has " + text.length() + " characters; at most " + MOST_LENGTH);
    }
    Budget budget = new Budget();
    CountedStrings strings = new CountedStrings(budget);
    Automaton answers =
        Layout.ofAnswer(FormatReader.read(text, budget), whiteSpace, strings, budget);
    return new ResponseFormat(text, whiteSpace, ByteTables.of(strings.apart(answers), strings));
  }

  /**
   * The automaton that answers follow when they are made of a vocabulary's tokens. Takes a moment
   * once for a format and a vocabulary; callers keep it.
   *
   * @throws InvalidResponseFormatException when the vocabulary's tokens cannot spell any answer
   */
  public ByteAutomaton automaton(TokenBytes vocabulary) {
    return RestingStates.of(answers, vocabulary);
  }

  /** Whether a text is a whole answer. */
  public boolean accepts(String answer) {
    long position = answers.start();
    for (byte value : answer.getBytes(StandardCharsets.UTF_8)) {
      position = answers.step(position, value);
    }
    return answers.accepts(position);
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
