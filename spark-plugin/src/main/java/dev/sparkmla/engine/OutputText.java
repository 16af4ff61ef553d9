package dev.sparkmla.engine;

import dev.sparkmla.text.Thinking;
import dev.sparkmla.text.TokenDecoder;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;

/**
 * What one generation says as it grows: the model's thoughts, where it has any, and its answer up
 * to the first stop string or the end token. A stop string or a marker may span any number of
 * tokens. Not thread-safe.
 *
 * <p>Thoughts come first: the prompt has opened them, or the model does before anything but white
 * space. White space around the markers belongs to neither text. Stop strings end answers alone.
 */
final class OutputText {
  private enum Phase {
    /** White space, or the beginning of the marker that opens thoughts. */
    BEGINNING,
    THINKING,
    ANSWERING
  }

  private final Supplier<TokenDecoder> decoders;
  private final Thinking thinking;
  private final StoppedText answer;
  private final StringBuilder beginning = new StringBuilder();
  private final StringBuilder thoughts = new StringBuilder();
  private TokenDecoder decoder;
  private Phase phase;
  private boolean hasThoughts;

  /**
   * @param decoders make a decoder of a text's tokens
   * @param thinking the model's markers
   * @param opened whether the prompt has opened the model's thoughts
   * @param answer gets the answer; empty
   */
  OutputText(
      Supplier<TokenDecoder> decoders, Thinking thinking, boolean opened, StoppedText answer) {
    this.decoders = decoders;
    this.thinking = thinking;
    this.answer = answer;
    this.decoder = decoders.get();
    this.phase = opened ? Phase.THINKING : Phase.BEGINNING;
    this.hasThoughts = opened;
  }

  /**
   * Adds a token.
   *
   * @return whether a stop string has appeared; nothing may be added then
   */
  boolean append(int token) {
    if (phase == Phase.BEGINNING && is(token, thinking.openingToken())) {
      restartDecoder();
      open();
      return false;
    }
    if (phase == Phase.THINKING && is(token, thinking.closingToken())) {
      thoughts.append(restartDecoder());
      phase = Phase.ANSWERING;
      return false;
    }
    return add(decoder.append(token));
  }

  private static boolean is(int token, OptionalInt marker) {
    return marker.isPresent() && marker.getAsInt() == token;
  }

  /** What follows a marker is another text; returns what is left of the one before. */
  private String restartDecoder() {
    String held = decoder.finish();
    decoder = decoders.get();
    return held;
  }

  private void open() {
    phase = Phase.THINKING;
    hasThoughts = true;
  }

  private boolean add(String piece) {
    return switch (phase) {
      case BEGINNING -> begin(piece);
      case THINKING -> think(piece);
      case ANSWERING ->
          answer.append(hasThoughts && answer.isEmpty() ? piece.stripLeading() : piece);
    };
  }

  private boolean begin(String piece) {
    beginning.append(piece);
    String begun = beginning.toString().stripLeading();
    if (begun.isEmpty()) {
      return false;
    }
    if (thinking.isPlainText() && begun.startsWith(thinking.opening())) {
      open();
      return think(begun.substring(thinking.opening().length()));
    }
    boolean mayOpen = thinking.isPlainText() && thinking.opening().startsWith(begun);
    return !mayOpen && answerWithBeginning();
  }

  private boolean answerWithBeginning() {
    phase = Phase.ANSWERING;
    return answer.append(beginning.toString());
  }

  private boolean think(String piece) {
    int from = Math.max(0, thoughts.length() - thinking.closing().length() + 1);
    thoughts.append(piece);
    int end = thinking.isPlainText() ? thoughts.indexOf(thinking.closing(), from) : -1;
    if (end < 0) {
      return false;
    }
    String rest = thoughts.substring(end + thinking.closing().length());
    thoughts.setLength(end);
    phase = Phase.ANSWERING;
    return add(rest);
  }

  /** Ends the text with the token that ended the generation. */
  void end(int endToken) {
    if (!answer.includesStop() || !append(endToken)) {
      finish();
    }
  }

  /**
   * Adds what the decoder held back.
   *
   * @return whether a stop string has appeared
   */
  boolean finish() {
    return add(decoder.finish()) || (phase == Phase.BEGINNING && answerWithBeginning());
  }

  /** The answer, without what ended it unless that is to be included. */
  String text() {
    return answer.toString();
  }

  /** The thoughts; empty where none were begun. */
  Optional<String> reasoning() {
    return hasThoughts ? Optional.of(thoughts.toString().strip()) : Optional.empty();
  }
}
